//! `craton replication` and `craton inventory`: their commands and arguments.

use clap::Subcommand;

use super::Target;

/// Replication.
#[derive(Debug, Subcommand)]
pub(crate) enum Replication {
    /// How the destinations of a bucket stand, since the server started
    Status {
        /// The bucket
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
    /// Copy what was there before the rules, or failed; `craton work list` shows it
    Resync {
        /// The bucket
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Inventories.
#[derive(Debug, Subcommand)]
pub(crate) enum Inventory {
    /// Write one now; `craton work list` shows it
    Run {
        /// The bucket that it is about
        bucket: String,
        /// The configuration's id
        id: String,
        #[command(flatten)]
        target: Target,
    },
}
