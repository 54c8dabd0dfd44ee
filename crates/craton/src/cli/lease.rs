//! `craton lease`: its commands and arguments.

use clap::{Args, Subcommand};

use super::Target;

/// Leases.
#[derive(Debug, Subcommand)]
pub(crate) enum Lease {
    /// Take one on all of the paths, or on none; prints its id, which requests then carry as x-craton-lease
    Take {
        #[command(flatten)]
        paths: LeasePaths,
        /// How long, in seconds
        #[arg(long, default_value = "600")]
        seconds: u64,
        /// What it is for
        #[arg(long, default_value = "")]
        purpose: String,
        #[command(flatten)]
        target: Target,
    },
    /// Set another end
    Renew {
        /// Its id
        id: String,
        /// How long from now, in seconds
        #[arg(long, default_value = "600")]
        seconds: u64,
        #[command(flatten)]
        target: Target,
    },
    /// Give one back
    Release {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// List those that have not ended, of everybody
    List {
        #[command(flatten)]
        target: Target,
    },
    /// End somebody's
    Break {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

/// What is leased.
#[derive(Debug, Args)]
pub(crate) struct LeasePaths {
    /// BUCKET, BUCKET/KEY, or BUCKET/PREFIX/ for all that begins so
    #[arg(value_name = "PLACE", required_unless_present_any = ["tables", "graphs"])]
    pub(crate) places: Vec<String>,
    /// A table, BUCKET/NAMESPACE.TABLE
    #[arg(long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// A graph, BUCKET/GRAPH
    #[arg(long = "graph", value_name = "GRAPH")]
    pub(crate) graphs: Vec<String>,
    /// Others may hold shared leases beside it; nobody writes
    #[arg(long)]
    pub(crate) shared: bool,
}
