//! `craton graph …`: its commands and their arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use craton_base::ByteSize;

use super::Target;

/// Where work ends with an error, and the graph is left as it was.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Stop with an error after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Stop with an error when so many facts were made
    #[arg(long)]
    facts: Option<u64>,
    /// Stop with an error when so much was read from storage: 10GiB
    #[arg(long, value_name = "SIZE")]
    read: Option<ByteSize>,
    /// Stop with an error when so much is written beside because it does not fit in memory: 10GiB
    #[arg(long, value_name = "SIZE")]
    spill: Option<ByteSize>,
}

impl Limits {
    /// As parameters of a request.
    pub(crate) fn parameters(&self) -> [(&'static str, Option<String>); 4] {
        let bytes = |size: Option<ByteSize>| size.map(|size| size.0.to_string());
        [
            ("seconds", self.seconds.map(|n| n.to_string())),
            ("facts", self.facts.map(|n| n.to_string())),
            ("read_bytes", bytes(self.read)),
            ("spill_bytes", bytes(self.spill)),
        ]
    }
}

/// Graphs.
#[derive(Debug, Subcommand)]
pub(crate) enum Graph {
    /// Add the facts of a file, or remove them; all or nothing
    Load {
        /// BUCKET/GRAPH
        graph: String,
        /// The file, also compressed with gzip or zstd; - is standard input
        #[arg(required_unless_present_any = ["object", "table"])]
        file: Option<PathBuf>,
        /// Instead of a file: an object that the server reads, BUCKET/KEY
        #[arg(long, value_name = "BUCKET/KEY", conflicts_with = "file")]
        object: Option<String>,
        /// Instead of a file: a table, each row of it a fact; read as you read it by SQL
        #[arg(long, value_name = "BUCKET.NAMESPACE.TABLE", conflicts_with_all = ["file", "object", "format", "resume"])]
        table: Option<String>,
        /// What the file is; default: as its name ends
        #[arg(long, value_parser = ["expressions", "csv", "tsv", "jsonl", "ntriples", "turtle", "obo", "gff3", "vcf", "parquet", "arrow"])]
        format: Option<String>,
        /// The first item of each fact, for tables and JSON; default: the file's name
        #[arg(long)]
        relation: Option<String>,
        /// A table's first line is a row, and not the columns' names
        #[arg(long)]
        no_header: bool,
        /// Remove the facts
        #[arg(long)]
        remove: bool,
        /// Pass bad lines over, and tell which
        #[arg(long)]
        skip_bad: bool,
        /// A name for the load: if it is interrupted, the same command goes on where it was
        #[arg(long, value_name = "NAME")]
        resume: Option<String>,
        /// Only facts that begin so: '(edge chr1 '
        #[arg(long)]
        prefix: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// What a graph holds, in numbers; the graphs of a bucket
    Stats {
        /// BUCKET/GRAPH or BUCKET
        graph: String,
        #[command(flatten)]
        target: Target,
    },
    /// Write a graph's facts
    Export {
        /// BUCKET/GRAPH
        graph: String,
        /// The file. Default: standard output
        file: Option<PathBuf>,
        /// Only facts that begin so: '(edge chr1 '
        #[arg(long)]
        prefix: Option<String>,
        /// The graph as it was after this commit, or a pinned snapshot
        #[arg(long, value_name = "NUMBER|NAME")]
        snapshot: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Write what matches patterns
    Query {
        /// BUCKET/GRAPH
        graph: String,
        /// Patterns and what to write of each match: '(, (edge $x b)) (, $x)'
        query: String,
        /// At most so many lines
        #[arg(long)]
        limit: Option<u64>,
        /// Only facts that begin so: '(edge chr1 '
        #[arg(long)]
        prefix: Option<String>,
        /// The graph as it was after this commit, or a pinned snapshot
        #[arg(long, value_name = "NUMBER|NAME")]
        snapshot: Option<String>,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
    /// Say why a fact is there: a derivation of it by rules
    Why {
        /// BUCKET/GRAPH
        graph: String,
        /// A file of `rule` facts; other facts in it are passed over
        rules: PathBuf,
        /// The fact: '(ancestor tom ann)'
        fact: String,
        /// Tell so many levels of it. Default: 64
        #[arg(long)]
        depth: Option<u32>,
        /// Look at so many facts at most. Default: 10000
        #[arg(long)]
        look: Option<u64>,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
    /// Say how rules would be answered; with --run, what answering them takes. Nothing is changed
    Explain {
        /// BUCKET/GRAPH
        graph: String,
        /// A query, or a file of `exec` facts
        rules: String,
        /// Answer them, throw the rows away, and say what it took
        #[arg(long)]
        run: bool,
        /// Only facts that begin so: '(edge chr1 '
        #[arg(long)]
        prefix: Option<String>,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
    /// The commits of a graph that can still be read, the newest first
    Snapshots {
        /// BUCKET/GRAPH
        graph: String,
        #[command(flatten)]
        target: Target,
    },
    /// Keep a snapshot of a graph under a name, whatever is merged
    Pin {
        /// BUCKET/GRAPH
        graph: String,
        /// What it is called: --snapshot NAME reads it
        name: String,
        /// Not the newest, but the one after this commit
        #[arg(long, value_name = "NUMBER")]
        snapshot: Option<u64>,
        #[command(flatten)]
        target: Target,
    },
    /// Keep a snapshot no longer
    Unpin {
        /// BUCKET/GRAPH
        graph: String,
        /// What it is called
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// The loads with a name that are not at their end
    Loads {
        /// BUCKET/GRAPH
        graph: String,
        /// Give this one up
        #[arg(long, value_name = "NAME")]
        drop: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Show a graph's labels, which guard policies look at; with labels, set them in place of those it has
    Label {
        /// BUCKET/GRAPH
        graph: String,
        /// Words
        #[arg(conflicts_with = "none")]
        labels: Vec<String>,
        /// Set no labels
        #[arg(long)]
        none: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Ask and change a graph line by line; :help says how
    Repl {
        /// BUCKET/GRAPH
        graph: String,
        /// Not through a server, but on its data folder while none runs
        #[arg(long, value_name = "FOLDER")]
        local: Option<PathBuf>,
        /// Where the lines are kept for the next time. Default: .craton-history in your home; - keeps none
        #[arg(long, value_name = "FILE")]
        history: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
    /// Merge what many loads left
    Compact {
        /// BUCKET/GRAPH
        graph: String,
        #[command(flatten)]
        target: Target,
    },
    /// Remove all facts of a graph
    Clear {
        /// BUCKET/GRAPH
        graph: String,
        #[command(flatten)]
        target: Target,
    },
    /// Ask in SPARQL 1.1, over triples
    Sparql(Asked),
    /// Ask in openCypher, over labelled edges
    Cypher(Asked),
    /// Run rules to their least fixpoint: until they add nothing more; all or nothing
    Reason {
        /// BUCKET/GRAPH
        graph: String,
        /// A file of `rule` facts, and of other facts, which are added before; - is standard input
        file: PathBuf,
        /// Stop with an error after so many rounds, where rules make new terms or numbers. Default: 10000
        #[arg(long)]
        rounds: Option<u64>,
        /// Stop with an error when rules make a term that is nested deeper. Default: 100
        #[arg(long)]
        depth: Option<u32>,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
    /// Rules that a graph keeps: what follows from them is there with every commit
    Live {
        /// BUCKET/GRAPH
        graph: String,
        #[command(subcommand)]
        what: Live,
    },
    /// Run a program: its text is added, and its `exec` facts run until none is left; all or nothing
    Run {
        /// BUCKET/GRAPH
        graph: String,
        /// A file of facts, `exec` facts among them; - is standard input. Default: run those that are in the graph
        file: Option<PathBuf>,
        /// Stop after so many steps
        #[arg(long)]
        steps: Option<u64>,
        /// Tell of each step what it did: facts, bytes read and spilled, memory, time
        #[arg(long)]
        report: bool,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
}

/// What is done with the live programs of a graph.
#[derive(Debug, Subcommand)]
pub(crate) enum Live {
    /// Derive what follows from rules, and keep it so; in the place of a program of the same name
    Add {
        /// What it is called
        name: String,
        /// A file of `rule` facts; - is standard input
        file: PathBuf,
        /// A change fails that needs more rounds, where rules make new terms or numbers. Default: 10000
        #[arg(long)]
        rounds: Option<u64>,
        /// A change fails that needs terms that are nested deeper. Default: 100
        #[arg(long)]
        depth: Option<u32>,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
    /// Show them
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Keep one no longer, and remove what it derived
    Remove {
        /// What it is called
        name: String,
        /// Leave what it derived, as facts like others
        #[arg(long)]
        keep: bool,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
    /// Compute all that they derive anew, and tell what differed
    Refresh {
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        target: Target,
    },
}

/// A query in a language of its own.
#[derive(clap::Args, Debug)]
pub(crate) struct Asked {
    /// BUCKET/GRAPH
    pub(crate) graph: String,
    /// The query
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) query: Option<String>,
    /// Read the query from a file; - is standard input
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum)]
    pub(crate) format: Option<Written>,
    /// Only the facts that begin so
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// The graph as it was after this commit, or a pinned name
    #[arg(long)]
    pub(crate) snapshot: Option<String>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// How the answer of a query is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Written {
    /// Values between tabs, as Turtle has them
    Tsv,
    /// Values between commas
    Csv,
    /// SPARQL's results in JSON
    Json,
    /// An object of JSON on each line
    Lines,
    /// N-Triples, of CONSTRUCT
    Triples,
}
