//! `cargo xtask test`: everything that must hold, in order, stopping at the first failure.
//!
//! `steps` is the table of steps, `command` runs one program and counts the tests it reports, `python`,
//! `npm` and `oracle` prepare what is not Rust. Whatever is downloaded or made goes under cargo's target
//! folder; the checkout stays as it was.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

mod command;
mod npm;
mod oracle;
mod python;
mod steps;

use command::{Command, Counts};
use steps::{NOT_YET, STEPS, Step};

/// Which steps to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    only: Option<String>,
    from: Option<String>,
    list: bool,
}

impl Choice {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut choice = Self::default();
        let mut rest = arguments;
        loop {
            rest = match rest {
                [] => return Ok(choice),
                ["--list", tail @ ..] => {
                    choice.list = true;
                    tail
                }
                ["--only", name, tail @ ..] => {
                    choice.only = Some(known(name)?);
                    tail
                }
                ["--from", name, tail @ ..] => {
                    choice.from = Some(known(name)?);
                    tail
                }
                [other, ..] => return Err(format!("xtask: {other} is not understood\n{}", crate::USAGE)),
            }
        }
    }

    fn steps(&self) -> impl Iterator<Item = &'static Step> {
        let skip = |step: &&Step| self.from.as_ref().is_some_and(|name| name != step.name);
        STEPS
            .iter()
            .skip_while(skip)
            .filter(|step| self.only.as_ref().is_none_or(|name| name == step.name))
    }
}

fn known(name: &str) -> Result<String, String> {
    let names: Vec<&str> = STEPS.iter().map(|s| s.name).collect();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "xtask: there is no step {name}; there are {}",
        names.join(", ")
    ))
}

/// What a step needs to know.
pub(crate) struct Context {
    root: PathBuf,
    /// Cargo's target folder.
    target: PathBuf,
    cargo: String,
}

impl Context {
    fn find(root: &Path) -> Result<Self, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let metadata = Command::new(&cargo)
            .arguments(["metadata", "--no-deps", "--format-version", "1"])
            .folder(root)
            .output()?;
        let (_, rest) = metadata
            .split_once("\"target_directory\":\"")
            .ok_or("xtask: cargo names no target folder")?;
        let target = rest.split('"').next().unwrap_or_default();
        Ok(Self {
            root: root.to_path_buf(),
            target: PathBuf::from(target),
            cargo,
        })
    }

    /// Runs a cargo command in the root.
    fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        Command::new(&self.cargo).arguments(arguments).folder(&self.root)
    }
}

/// How a step ended.
enum Outcome {
    Passed(Counts),
    /// Not written yet: in [`NOT_YET`] and without content.
    NotYet,
}

/// Runs the chosen steps.
pub(crate) fn run(root: &Path, choice: &Choice) -> Result<(), String> {
    if choice.list {
        STEPS.iter().for_each(|s| println!("{:<10} {}", s.name, s.about));
        return Ok(());
    }
    let context = Context::find(root)?;
    let mut rows = Vec::new();
    for step in choice.steps() {
        println!("==> {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = run_step(&context, step);
        rows.push(Row::new(step.name, &result, start.elapsed()));
        if let Err(message) = result {
            summarise(&rows);
            return Err(format!("xtask: step {} failed: {message}", step.name));
        }
    }
    summarise(&rows);
    Ok(())
}

fn run_step(context: &Context, step: &Step) -> Result<Outcome, String> {
    let missing = step.folder.filter(|folder| !context.root.join(folder).exists());
    let open = NOT_YET.contains(&step.name);
    if let Some(folder) = missing {
        return if open {
            Ok(Outcome::NotYet)
        } else {
            Err(format!("{folder} is missing"))
        };
    }
    let counts = (step.run)(context)?;
    match counts.passed {
        0 if open => Ok(Outcome::NotYet),
        0 => Err("no test ran".to_owned()),
        _ => Ok(Outcome::Passed(counts)),
    }
}

/// A line of the summary.
struct Row {
    name: &'static str,
    result: &'static str,
    counts: Counts,
    time: Duration,
}

impl Row {
    fn new(name: &'static str, result: &Result<Outcome, String>, time: Duration) -> Self {
        let (result, counts) = match result {
            Ok(Outcome::Passed(counts)) => ("ok", *counts),
            Ok(Outcome::NotYet) => ("not yet", Counts::default()),
            Err(_) => ("FAILED", Counts { passed: 0, failed: 1 }),
        };
        Self {
            name,
            result,
            counts,
            time,
        }
    }
}

fn summarise(rows: &[Row]) {
    println!(
        "\n{:<10} {:<8} {:>8} {:>9}",
        "step", "result", "passed", "seconds"
    );
    for row in rows {
        let seconds = row.time.as_secs_f64();
        println!(
            "{:<10} {:<8} {:>8} {seconds:>9.1}",
            row.name, row.result, row.counts.passed
        );
    }
    let passed: usize = rows.iter().map(|r| r.counts.passed).sum();
    let failed: usize = rows.iter().map(|r| r.counts.failed).sum();
    println!("\n{passed} passed, {failed} failed");
}

#[cfg(test)]
mod tests;
