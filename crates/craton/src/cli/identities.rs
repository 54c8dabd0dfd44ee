//! The command line of users, their access keys, groups, roles and sessions.

use std::path::PathBuf;

use clap::Subcommand;

use super::Target;

/// Users.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make a user with a first access key, whose secret is shown once
    Add {
        /// The user's name
        user: String,
        #[command(flatten)]
        target: Target,
    },
    /// List users
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Delete a user with its keys and policies
    Rm {
        /// The user's name
        user: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Access keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make an access key; its secret is shown once
    Add {
        /// Whose
        user: String,
        #[command(flatten)]
        target: Target,
    },
    /// List access keys
    List {
        /// Whose
        user: String,
        #[command(flatten)]
        target: Target,
    },
    /// Keep an access key, and the sessions that rest on it, from being used
    Disable {
        /// Whose
        user: String,
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Let an access key be used again
    Enable {
        /// Whose
        user: String,
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Delete an access key
    Rm {
        /// Whose
        user: String,
        /// Its id
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Groups.
#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// Make a group
    Add {
        /// The group's name
        group: String,
        #[command(flatten)]
        target: Target,
    },
    /// List groups, or the users of one
    List {
        /// The group whose users to list
        group: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a group with its policies
    Rm {
        /// The group's name
        group: String,
        #[command(flatten)]
        target: Target,
    },
    /// Put a user into a group
    Join {
        /// The group
        group: String,
        /// The user
        user: String,
        #[command(flatten)]
        target: Target,
    },
    /// Take a user out of a group
    Leave {
        /// The group
        group: String,
        /// The user
        user: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Roles.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Make a role
    Add {
        /// The role's name
        role: String,
        /// A file with its trust policy in IAM's JSON: who may become it
        trust: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// List roles
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Delete a role with its policies; its sessions end
    Rm {
        /// The role's name
        role: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List sessions that have not ended
    List {
        #[command(flatten)]
        target: Target,
    },
    /// End a session, or all of a user or role that have begun
    Rm {
        /// The session's id
        #[arg(required_unless_present_any = ["user", "role"])]
        id: Option<String>,
        /// All of this user
        #[arg(long, conflicts_with_all = ["id", "role"])]
        user: Option<String>,
        /// All of this role
        #[arg(long, conflicts_with = "id")]
        role: Option<String>,
        #[command(flatten)]
        target: Target,
    },
}
