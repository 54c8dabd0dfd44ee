//! The project's own commands. `cargo xtask test` is the whole gate, the same here and in CI;
//! `cargo xtask tidy` checks what a compiler does not: the arrows between crates, lengths, dead files,
//! links, the map of security tests.
//!
//! Deliberately absent: dependencies. It builds in a second and runs before anything else does.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command for people who build Craton: it prints, reads the tree and takes the time; nothing of it ships"
)]

use std::{path::PathBuf, process::ExitCode};

mod bench;
mod source;
mod test;
mod tidy;

const USAGE: &str = "\
usage: cargo xtask <command>
  test [--only STEP] [--from STEP] [--list]   everything that must hold, in order, to the first failure
  tidy                                        style that is a test: arrows, lengths, dead files, links
  bench s3 [OPTIONS]                          the S3 door beside its peers; see bench/README.md
  bench graph [PART]                          joins beside other engines; see bench/README.md
  bench rules [all TASK… | el | live]         rules beside other engines; see bench/README.md
  bench gate [OPTIONS]                        what a decision costs, and GET beside a build that always says yes
  bench lineage [get|upstream] [OPTIONS]      what records and lineage cost, and upstream among ten million edges
  bench tables [OPTIONS]                      the catalog of tables: loads of one of many, commits to one; see bench/README.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test", rest @ ..] => test::Choice::parse(rest).and_then(|choice| test::run(&root(), &choice)),
        ["tidy"] => tidy::run(&root()),
        ["bench", "rules", rest @ ..] => bench::rules(&root(), rest),
        ["bench", "s3", rest @ ..] => bench::s3(&root(), rest),
        ["bench", "graph", rest @ ..] => bench::graph(&root(), rest),
        ["bench", "gate", rest @ ..] => bench::gate(&root(), rest),
        ["bench", "lineage", rest @ ..] => bench::lineage(&root(), rest),
        ["bench", "tables", rest @ ..] => bench::tables(&root(), rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// A program to run, without what `cargo run` has told this one of itself. Build scripts that look at it (ring's) would run again each
/// time that cargo is called by hand and from here in turns, and all that hangs on them, DataFusion too, would be compiled again.
fn program(name: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(name);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// The workspace: the folder above this package, as cargo runs it now. A target folder that several checkouts share may
/// hold a binary that another one built.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or(here.clone(), PathBuf::from)
}
