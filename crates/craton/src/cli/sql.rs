//! `craton sql`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Target;

/// How rows are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum SqlFormat {
    /// In columns
    Table,
    /// A JSON object a line
    Json,
    /// CSV with a line of names
    Csv,
    /// Arrow's IPC stream
    Arrow,
}

/// Ask tables with SQL.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The statement; without one and without a file, a prompt, or what standard input has
    pub(crate) statement: Option<String>,
    /// A file of statements with semicolons behind them; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "statement")]
    pub(crate) file: Option<PathBuf>,
    /// The bucket of names that have none
    #[arg(long, short, value_name = "NAME")]
    pub(crate) bucket: Option<String>,
    /// The namespace of names that have none
    #[arg(long, short, value_name = "NAME", requires = "bucket")]
    pub(crate) namespace: Option<String>,
    /// How many seconds a statement may take
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u32>,
    /// How rows are shown
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: SqlFormat,
    /// Where statements of the prompt are remembered; - is nowhere. Default: .craton-sql-history at home
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
}
