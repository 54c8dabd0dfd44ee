//! The command line of guard policies.

use std::path::PathBuf;

use clap::Subcommand;

use super::Target;

/// Guard policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Guard {
    /// Set a document of guard policies; in force when the command returns
    Put {
        /// The document's name
        name: String,
        /// A file with forbid policies in Cedar
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Show a document
    Get {
        /// The document's name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// List the documents
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Delete a document
    Rm {
        /// The document's name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Check a document as put would, and keep nothing
    Check {
        /// A file with forbid policies in Cedar
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Show the schema that guard policies are checked against
    Schema {
        #[command(flatten)]
        target: Target,
    },
}
