//! `craton work`, `craton run` and `craton lineage`: their commands and arguments.

use clap::{Args, Subcommand, ValueEnum};

use super::Target;

/// What the server does by itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Work {
    /// List the runs, those that go on first
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Start one now
    Start {
        /// What: lifecycle
        worker: String,
        /// On which bucket
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
    /// Tell one to end
    Cancel {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Runs of clients.
#[derive(Debug, Subcommand)]
pub(crate) enum Run {
    /// List runs
    List {
        /// Only of this principal: a user, role/NAME
        #[arg(long)]
        principal: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// What a run touched
    Show {
        /// What it is called
        run: String,
        /// Whose it is; without, one's own
        #[arg(long)]
        principal: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// What a run read, with digests, for others to check
    Manifest {
        /// What it is called
        run: String,
        /// Its form
        #[arg(long, value_enum, default_value = "croissant")]
        format: ManifestFormat,
        /// Whose it is; without, one's own
        #[arg(long)]
        principal: Option<String>,
        #[command(flatten)]
        target: Target,
    },
}

/// The form of a run's manifest.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// Croissant 1.1
    Croissant,
    /// A signed in-toto statement
    InToto,
}

/// A question about lineage.
#[derive(Debug, Args)]
pub(crate) struct Lineage {
    /// The resource as records have it: /BUCKET/objects/KEY, /BUCKET/graphs/GRAPH
    pub(crate) resource: String,
    /// The version; without, the newest that is known
    #[arg(long)]
    pub(crate) version: Option<u64>,
    /// What came of it, instead of what it came from
    #[arg(long)]
    pub(crate) downstream: bool,
    /// How many runs away at most
    #[arg(long)]
    pub(crate) depth: Option<u32>,
    #[command(flatten)]
    pub(crate) target: Target,
}
