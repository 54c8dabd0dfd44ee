//! The commands that use a running server; each is a few requests and an answer.
//!
//! Deliberately absent: anything that a stock client could not do over HTTP, but for
//! `audit verify --data` on a folder that no server has open, and `audit receipt-verify`.

use craton_base::Result;
use serde_json::Value;

use crate::{
    cli::{Client as Command, Target},
    output::{self, Form},
};

mod audit;
mod explain;
mod graph;
mod guard;
mod identities;
mod leases;
mod objects;
mod pending;
mod policies;
mod replication;
mod runs;
mod sessions;
mod sql;
mod system;
mod tables;
mod undo;
mod work;

/// Runs a command.
///
/// # Errors
/// What the server says.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Put {
            file,
            to,
            part_size,
            target,
        } => objects::put(&file, &to, part_size, &target).await,
        Command::Get { from, file, target } => objects::get(&from, file.as_deref(), &target).await,
        Command::Ls {
            place: None, target, ..
        } => objects::list_buckets(&target).await,
        Command::Ls {
            place: Some(place),
            recursive,
            target,
        } => objects::list(&place, recursive, &target).await,
        Command::Rm {
            place,
            recursive,
            target,
        } => objects::remove(&place, recursive, &target).await,
        Command::Mb { bucket, target } => system::make_bucket(&bucket, &target).await,
        Command::Rb { bucket, target } => system::remove_bucket(&bucket, &target).await,
        Command::Bucket(command) => system::bucket(command).await,
        Command::User(command) => identities::user(command).await,
        Command::Key(command) => identities::key(command).await,
        Command::Group(command) => identities::group(command).await,
        Command::Role(command) => identities::role(command).await,
        Command::Session(command) => sessions::run(command).await,
        Command::Policy(command) => identities::policy(command).await,
        Command::Asking(command) => explain::run(command).await,
        Command::Guard(command) => guard::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Keys(command) => system::keys(command).await,
        Command::Work(command) => work::run(command).await,
        Command::Run(command) => runs::run(command).await,
        Command::Lineage(asked) => runs::lineage(asked).await,
        Command::Undo(asked) => undo::undo(asked).await,
        Command::Restore(asked) => undo::restore(asked).await,
        Command::Lease(command) => leases::run(command).await,
        Command::Pending(command) => pending::run(command).await,
        Command::Replication(command) => replication::run(command).await,
        Command::Inventory(command) => replication::inventory(command).await,
        Command::Graph(command) => graph::run(command).await,
        Command::Sql(command) => sql::run(command).await,
        Command::Table(command) => tables::run(command).await,
    }
}

/// How a command is to answer.
fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Text }
}

/// Answers with `value`, or in words.
fn answer(target: &Target, value: &Value, words: impl FnOnce(&Value)) {
    match form(target.json) {
        Form::Json => output::json(value),
        Form::Text => words(value),
    }
}

/// A text field of an answer.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a list in an answer.
fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}
