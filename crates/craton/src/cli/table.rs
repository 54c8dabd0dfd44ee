//! `craton table`: its commands and arguments.

use std::time::Duration;

use clap::{Args, Subcommand};
use craton_base::ByteSize;

use super::Target;
use crate::config::duration;

/// Iceberg tables, and keeping them in order.
#[derive(Debug, Subcommand)]
pub(crate) enum Table {
    /// List the tables and views of a bucket
    List {
        /// The bucket
        bucket: String,
        #[command(flatten)]
        target: Target,
    },
    /// What a table is: its columns, snapshots, branches and tags
    Show {
        /// BUCKET.NAMESPACE.TABLE, or BUCKET/NAMESPACE/TABLE
        table: String,
        #[command(flatten)]
        target: Target,
    },
    /// Expire snapshots by age and number, and delete the files that only they named
    Expire {
        #[command(flatten)]
        about: About,
        /// Snapshots that are older; else as the table's properties say
        #[arg(long, value_name = "TIME", value_parser = duration::parse)]
        older_than: Option<Duration>,
        /// How many snapshots of each branch stay in any case
        #[arg(long, value_name = "N")]
        keep: Option<u32>,
    },
    /// Delete files in the table's folder that nothing names
    Orphans {
        #[command(flatten)]
        about: About,
        /// Files that are older, 3d unless it is said
        #[arg(long, value_name = "TIME", value_parser = duration::parse)]
        older_than: Option<Duration>,
    },
    /// Write small files, and files with deleted rows, again as files of the size that the table wants
    Compact {
        #[command(flatten)]
        about: About,
        /// How long files become; else as the table's properties say, else 512MiB
        #[arg(long, value_name = "SIZE")]
        target_size: Option<ByteSize>,
    },
    /// Write small manifests again as few, sorted by partition
    RewriteManifests {
        #[command(flatten)]
        about: About,
    },
    /// The runs of maintenance of a table, those that go on first
    Runs {
        /// BUCKET.NAMESPACE.TABLE, or BUCKET/NAMESPACE/TABLE
        table: String,
        #[command(flatten)]
        target: Target,
    },
    /// Tell a run of maintenance to end
    Cancel {
        /// BUCKET.NAMESPACE.TABLE, or BUCKET/NAMESPACE/TABLE
        table: String,
        /// The run's id
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

/// What a run of maintenance is about.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// BUCKET.NAMESPACE.TABLE, or BUCKET/NAMESPACE/TABLE
    pub(crate) table: String,
    /// Change nothing, and tell what would be
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not wait for its end
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}
