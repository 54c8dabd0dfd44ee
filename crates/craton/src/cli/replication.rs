//! `craton replication`: its commands and their arguments.

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
    /// Copy what was there before the rules, or failed; `craton run list` shows it
    Resync {
        /// The bucket
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
}
