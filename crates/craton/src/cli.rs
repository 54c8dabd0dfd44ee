//! The command line: every command, its arguments and help, in one place.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use craton_base::ByteSize;

use crate::{config::Settings, tour};

mod asking;
mod graph;
mod guard;
mod identities;
mod lease;
mod pending;
mod policy;
mod replication;
mod runs;
mod sql;
mod table;
mod undo;

pub(crate) use asking::{AsIf, Asking};
pub(crate) use graph::{Asked as GraphAsked, Graph, Limits, Live, Written as GraphWritten};
pub(crate) use guard::Guard;
pub(crate) use identities::{Group, Key, Role, Session, User};
pub(crate) use lease::{Lease, LeasePaths};
pub(crate) use pending::{Pending, ShieldSetting};
pub(crate) use policy::{Policy, ReplayPlace};
pub(crate) use replication::{Inventory, Replication};
pub(crate) use runs::{Lineage, ManifestFormat, Run, Work};
pub(crate) use sql::{Sql, SqlFormat};
pub(crate) use table::{About, Table};
pub(crate) use undo::{Restore, Undo};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 internal error, 2 wrong command line or request, 3 not found, 4 denied, \
    5 exists already, 6 a condition does not hold, 7 busy, 8 too large, 9 stored data does not verify, 10 unavailable";

/// Craton: one place for the data under AI, where access is decided, encrypted, recorded and traced.
#[derive(Debug, Parser)]
#[command(name = "craton", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server
    Serve(Box<Settings>),
    /// See it work on real data, in under a minute; leaves nothing behind
    Tour(tour::Options),
    /// The commands that use a running server.
    #[command(flatten)]
    Client(Box<Client>),
}

/// Which server, and as whom.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Target {
    /// The server's address
    #[arg(
        long,
        env = "CRATON_ENDPOINT",
        value_name = "URL",
        default_value = "http://127.0.0.1:9000"
    )]
    pub(crate) endpoint: String,

    /// The access key, as an AWS credentials file; else from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long, env = "CRATON_CREDENTIALS", value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,

    /// The server's data folder, to use its root-credentials
    #[arg(long, env = "CRATON_DATA", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,

    /// The region that requests are signed for
    #[arg(long, env = "CRATON_REGION", value_name = "NAME", default_value = "us-east-1")]
    pub(crate) region: String,

    /// A certificate to trust besides the system's, a PEM file
    #[arg(long, env = "CRATON_CA_CERT", value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,

    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The commands that use a running server.
#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Upload a file
    Put {
        /// The file; - is standard input
        file: PathBuf,
        /// BUCKET/KEY; BUCKET/ or BUCKET/FOLDER/ keeps the file's name
        to: String,
        /// The size of a large file's parts; four are in memory at once
        #[arg(long, value_name = "SIZE", default_value = "8MiB")]
        part_size: ByteSize,
        #[command(flatten)]
        target: Target,
    },
    /// Download an object
    Get {
        /// BUCKET/KEY
        from: String,
        /// The file; - is standard output. Default: the key's last part, here
        file: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
    /// List buckets, or what is in a bucket
    Ls {
        /// BUCKET or BUCKET/PREFIX
        place: Option<String>,
        /// Everything below, not only the next level
        #[arg(long, short)]
        recursive: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Delete objects
    Rm {
        /// BUCKET/KEY, or BUCKET/PREFIX with --recursive
        place: String,
        /// Everything that begins so
        #[arg(long, short)]
        recursive: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Make a bucket
    Mb {
        /// Its name
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
    /// Delete an empty bucket
    Rb {
        /// Its name
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
    /// Settings of a bucket
    #[command(subcommand)]
    Bucket(Bucket),
    /// Users: people, services, agents
    #[command(subcommand)]
    User(User),
    /// Access keys of a user
    #[command(subcommand)]
    Key(Key),
    /// Groups of users
    #[command(subcommand)]
    Group(Group),
    /// Roles, which users, sessions and outsiders can become for a while
    #[command(subcommand)]
    Role(Role),
    /// Sessions: who acts for whom, until when
    #[command(subcommand)]
    Session(Session),
    /// Policies of a user
    #[command(subcommand)]
    Policy(Policy),
    /// Guard policies: what is forbidden whatever others allow
    #[command(subcommand)]
    Guard(Guard),
    #[command(flatten)]
    Asking(Asking),
    /// The ledger: who asked for what, what was decided, how it ended
    #[command(subcommand)]
    Audit(Audit),
    /// The keys that everything is encrypted under
    #[command(subcommand)]
    Keys(Keys),
    /// What the server does by itself: lifecycle rules, events
    #[command(subcommand)]
    Work(Work),
    /// Runs: what a piece of work of a client read and wrote
    #[command(subcommand)]
    Run(Run),
    /// Where a version came from, or what came of it
    Lineage(Lineage),
    /// Show what undoing a run would do to objects, tables and graphs; with --apply, do it
    Undo(Undo),
    /// Show what going back to a time would do to a path; with --apply, do it
    Restore(Restore),
    /// Operations that destroy something and wait for somebody's approval
    #[command(subcommand)]
    Pending(Pending),
    /// Leases: paths that one holder keeps from others for a while
    #[command(subcommand)]
    Lease(Lease),
    /// Copies of a bucket's versions in other buckets
    #[command(subcommand)]
    Replication(Replication),
    /// Lists of what is in a bucket, as files in another
    #[command(subcommand)]
    Inventory(Inventory),
    /// Graphs: facts in and out
    #[command(subcommand)]
    Graph(Graph),
    /// Ask tables with SQL: one statement, a file of them, or a prompt
    Sql(Sql),
    /// Iceberg tables, and keeping them in order
    #[command(subcommand)]
    Table(Table),
}

/// Settings of a bucket.
#[derive(Debug, Subcommand)]
pub(crate) enum Bucket {
    /// Whether a read's record is on the disk before the first byte leaves
    Strict {
        /// The bucket
        bucket: String,
        /// on or off
        #[arg(value_parser = ["on", "off"])]
        state: String,
        #[command(flatten)]
        target: Target,
    },
    /// How long what was replaced or deleted can be had back; without an option, show it
    Undo {
        /// The bucket
        bucket: String,
        /// From now on so long: 36h, 7d; 0 is not at all
        #[arg(long, value_name = "TIME", conflicts_with = "as_server")]
        window: Option<String>,
        /// From now on as long as the server is set to
        #[arg(long)]
        as_server: bool,
        #[command(flatten)]
        target: Target,
    },
    /// What agents may not destroy without somebody's approval; without a setting it is shown
    Shield {
        /// The bucket
        bucket: String,
        #[command(flatten)]
        setting: ShieldSetting,
        #[command(flatten)]
        target: Target,
    },
}

/// The ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List records, newest first
    List {
        #[command(flatten)]
        filter: RecordFilter,
        #[command(flatten)]
        target: Target,
    },
    /// Verify the whole ledger; with --data and no server running, from the folder itself
    Verify {
        /// A checkpoint kept from earlier, a file: the ledger must still begin with it
        #[arg(long, value_name = "FILE")]
        earlier: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
    /// A receipt: a record with the proof that it is in the ledger
    Prove {
        /// The record's id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Verify a receipt with nothing but the ledger's key
    ReceiptVerify {
        /// The receipt, a file
        receipt: PathBuf,
        /// The ledger's key, as `craton audit key` shows it
        key: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a principal: nobody reads its records any more, and its runs have names that say nothing
    Erase {
        /// A user, role/NAME
        principal: String,
        #[command(flatten)]
        target: Target,
    },
    /// The key that verifies the ledger's checkpoints and receipts
    Key {
        #[command(flatten)]
        target: Target,
    },
    /// The newest signed checkpoint
    Checkpoint {
        #[command(flatten)]
        target: Target,
    },
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct RecordFilter {
    /// Only of this user
    #[arg(long)]
    pub(crate) principal: Option<String>,
    /// Only of this bucket
    #[arg(long)]
    pub(crate) bucket: Option<String>,
    /// Only where the resource's path begins so: /BUCKET/objects/PREFIX
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// Only of this action: s3:GetObject, or s3:*
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only of this kind: decision, outcome, write, denial, gap, system
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only with this verdict: allow, explicit-deny, implicit-deny, unauthenticated
    #[arg(long)]
    pub(crate) verdict: Option<String>,
    /// Only at or after this time: 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Go on where the last page ended
    #[arg(long, value_name = "PLACE")]
    pub(crate) after: Option<u64>,
}

/// Encryption keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a named key, for objects that are put with SSE-KMS
    Add {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// List the named keys
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Let a named key be used again
    Enable {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Keep a named key from being used: what is encrypted with it can not be read meanwhile
    Disable {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a named key: what is encrypted with it can never be read again
    Rm {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Make a new root key and wrap every bucket's key under it
    Rotate {
        #[command(flatten)]
        target: Target,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use craton_base::Kind;
    use craton_doors::errors::exit_code;

    use super::{Cli, EXIT_CODES};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_code() {
        for kind in Kind::ALL {
            assert!(EXIT_CODES.contains(&format!(" {} ", exit_code(kind))), "{kind:?}");
        }
    }
}
