//! The command line of policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Target;

/// Policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Set a policy of a user, group or role
    Put {
        /// Whose: a user, group/NAME, role/NAME
        user: String,
        /// The policy's name
        name: String,
        /// A file with the policy in IAM's JSON
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Show a policy
    Get {
        /// Whose: a user, group/NAME, role/NAME
        user: String,
        /// The policy's name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// List policies
    List {
        /// Whose: a user, group/NAME, role/NAME
        user: String,
        #[command(flatten)]
        target: Target,
    },
    /// Remove a policy
    Rm {
        /// Whose: a user, group/NAME, role/NAME
        user: String,
        /// The policy's name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Look a policy over: what it names that does not exist, what of it never counts, what was not used
    Check {
        /// A file with a policy in IAM's JSON
        #[arg(required_unless_present_any = ["user", "role", "guard"])]
        file: Option<PathBuf>,
        /// Instead, a user: its policies, and which grants of them decided nothing
        #[arg(long, conflicts_with = "file")]
        user: Option<String>,
        /// Instead, a role
        #[arg(long, conflicts_with_all = ["file", "user"])]
        role: Option<String>,
        /// Instead, all guard policies: what they name that is not there, or not any more
        #[arg(long, conflicts_with_all = ["file", "user", "role"])]
        guard: bool,
        /// In how many days
        #[arg(long, default_value = "90")]
        days: u32,
        #[command(flatten)]
        target: Target,
    },
    /// Try a policy on the ledger: every decision that would come out otherwise
    Replay {
        #[command(flatten)]
        place: ReplayPlace,
        /// A file with the proposed policy: IAM's JSON, or Cedar for --guard; without, what its removal would change
        file: Option<PathBuf>,
        /// On how many days
        #[arg(long, default_value = "30")]
        days: u32,
        #[command(flatten)]
        target: Target,
    },
}

/// Where a proposed policy would be put.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct ReplayPlace {
    /// The name of the policy, as decisions show it
    #[arg(long, conflicts_with_all = ["bucket", "guard"])]
    pub(crate) policy: Option<String>,
    /// Only this user's policy of that name, or that of role/NAME
    #[arg(long, requires = "policy")]
    pub(crate) user: Option<String>,
    /// A bucket's policy
    #[arg(long, conflicts_with = "guard")]
    pub(crate) bucket: Option<String>,
    /// A document of guard policies
    #[arg(long)]
    pub(crate) guard: Option<String>,
}
