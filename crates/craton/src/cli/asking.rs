//! The command line of questions about access.

use clap::{Args, Subcommand};

use super::Target;

/// Questions.
#[derive(Debug, Subcommand)]
pub(crate) enum Asking {
    /// Say what is, or was, decided and why
    Explain {
        /// The decision's id, as a denial names it
        #[arg(long, value_name = "ID", conflicts_with_all = ["principal", "action", "resource"])]
        decision: Option<String>,
        /// Who would ask: a user, role/NAME, a session's id
        #[arg(required_unless_present = "decision")]
        principal: Option<String>,
        /// The action: s3:GetObject
        #[arg(required_unless_present = "decision")]
        action: Option<String>,
        /// The resource: arn:aws:s3:::BUCKET/KEY
        #[arg(required_unless_present = "decision")]
        resource: Option<String>,
        #[command(flatten)]
        as_if: AsIf,
        #[command(flatten)]
        target: Target,
    },
    /// Say who can do something
    Who {
        /// The action: s3:GetObject
        action: String,
        /// The resource: arn:aws:s3:::BUCKET/KEY, arn:aws:s3tables:::bucket/BUCKET/table/NAMESPACE.TABLE
        resource: String,
        /// A condition key's value: aws:SourceIp=203.0.113.9; may be repeated
        #[arg(long, value_name = "KEY=VALUE")]
        context: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Say what one can reach in all buckets
    Reach {
        /// Who: a user, role/NAME, a session's id
        principal: String,
        /// An action on buckets, objects, graphs or tables, instead of listing, reading, writing and deleting; may be repeated
        #[arg(long)]
        action: Vec<String>,
        #[command(flatten)]
        as_if: AsIf,
        #[command(flatten)]
        target: Target,
    },
}

/// What a request would be like.
#[derive(Debug, Args)]
pub(crate) struct AsIf {
    /// For whom it would act; may be repeated, nearest first
    #[arg(long = "for", value_name = "PRINCIPAL")]
    pub(crate) acting_for: Vec<String>,
    /// A condition key's value: aws:SourceIp=203.0.113.9; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
}
