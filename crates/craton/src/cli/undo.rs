//! `craton undo` and `craton restore`: their arguments.

use clap::Args;

use super::Target;

/// Undoing a run.
#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// The run
    #[arg(long)]
    pub(crate) run: String,
    /// Whose it is; without, one's own
    #[arg(long)]
    pub(crate) principal: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Going back to a time.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// /BUCKET/objects/KEY, /BUCKET/objects/PREFIX*, BUCKET/GRAPH, BUCKET.NAMESPACE.TABLE
    pub(crate) path: String,
    /// The time: 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) at: String,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Whether it is done.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Do it
    #[arg(long)]
    pub(crate) apply: bool,
    /// Look at everything first, and do nothing if anything is in the way
    #[arg(long, requires = "apply")]
    pub(crate) all_or_nothing: bool,
}
