//! `craton pending` and `craton bucket shield`: their commands and arguments.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::Target;
use crate::config::parse_duration;

/// Operations that wait for an approval.
#[derive(Debug, Subcommand)]
pub(crate) enum Pending {
    /// List those that wait or were answered
    List {
        /// Only of this bucket
        #[arg(long)]
        bucket: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Show one
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Approve some: who asked may repeat the request then, once
    Approve {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Reject some
    Reject {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
}

/// A shield.
#[derive(Debug, Args)]
pub(crate) struct ShieldSetting {
    /// How long an operation waits for its approval, and an approval for the operation: 24h, 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) hold: Option<Duration>,
    /// It is for agents: who acts for somebody, or is tagged craton:agent
    #[arg(long, requires = "hold", conflicts_with = "everyone")]
    pub(crate) agents: bool,
    /// It is for everyone
    #[arg(long, requires = "hold")]
    pub(crate) everyone: bool,
    /// There is none
    #[arg(long, conflicts_with = "hold")]
    pub(crate) off: bool,
}
