//! The settings file as one more layer of the command line: what neither a flag nor the environment
//! sets is handed to the same parser as if it were a flag.

use std::{ffi::OsString, path::Path};

use clap::{ArgMatches, Command, parser::ValueSource};
use craton_base::{Error, Result};
use toml::{Table, Value};

use crate::files;

/// The largest settings file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What can not be in the file: where the file is.
const NOT_IN_FILE: &str = "config";

/// The command line with the settings of its `--config` file added, if it names one. `subcommand` is
/// the one that has the settings.
///
/// # Errors
/// `Invalid`, naming the file and the key; `NotFound`.
pub(crate) fn layered(command: &Command, subcommand: &str, arguments: &[OsString]) -> Result<Vec<OsString>> {
    let mut out = arguments.to_vec();
    // What is wrong on the command line itself is reported by the parse that follows.
    let Ok(matches) = command.clone().try_get_matches_from(arguments) else {
        return Ok(out);
    };
    let Some((name, matches)) = matches.subcommand() else {
        return Ok(out);
    };
    let Some(definition) = command.find_subcommand(subcommand).filter(|_| name == subcommand) else {
        return Ok(out);
    };
    let Some(path) = matches.get_one::<std::path::PathBuf>(NOT_IN_FILE) else {
        return Ok(out);
    };
    let text = files::read_text(path, FILE_BYTES_MAX)?;
    let added = arguments_of(&text, path, definition, matches)?;
    let tried = command
        .clone()
        .try_get_matches_from(arguments.iter().chain(&added));
    if let Err(e) = tried {
        let message = format!("in the file {}: {}", path.display(), first_line(&e));
        return Err(Error::invalid(message).with_source(e));
    }
    out.extend(added);
    Ok(out)
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}

fn arguments_of(text: &str, path: &Path, definition: &Command, given: &ArgMatches) -> Result<Vec<OsString>> {
    let wrong = |what: String| Error::invalid(format!("in the file {}: {what}", path.display()));
    let table: Table = text
        .parse()
        .map_err(|e: toml::de::Error| wrong(e.message().to_owned()).with_source(e))?;
    let mut out = Vec::new();
    let mut unknown = Vec::new();
    for (key, value) in &table {
        let known = definition
            .get_arguments()
            .find(|a| a.get_long() == Some(key) && key != NOT_IN_FILE);
        let Some(argument) = known else {
            unknown.push(format!("{key:?}"));
            continue;
        };
        let source = given.value_source(argument.get_id().as_str());
        if matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
            continue;
        }
        let several = argument.get_value_delimiter().is_some();
        let values =
            texts(value, several).ok_or_else(|| wrong(format!("{key:?} is not {}", form(several))))?;
        out.extend(values.into_iter().map(|v| OsString::from(format!("--{key}={v}"))));
    }
    match unknown.is_empty() {
        true => Ok(out),
        false => Err(wrong(format!("unknown settings: {}", unknown.join(", ")))),
    }
}

fn form(several: bool) -> &'static str {
    if several {
        "a text, a number or a list of them"
    } else {
        "a text or a number"
    }
}

/// The value as it would stand on the command line.
fn texts(value: &Value, several: bool) -> Option<Vec<String>> {
    match value {
        Value::String(s) => Some(vec![s.clone()]),
        Value::Integer(n) => Some(vec![n.to_string()]),
        Value::Array(all) if several => {
            let each: Option<Vec<_>> = all.iter().map(|v| texts(v, false)).collect();
            Some(each?.concat())
        }
        _ => None,
    }
}
