//! A line of input on a terminal, edited: arrows, Home, End, Backspace, Del, and the lines before it.
//!
//! Invariant: a history has at most [`HISTORY_MAX`] lines.
//!
//! Deliberately absent: completion, colours, lines wider than the terminal shown well.

use std::path::PathBuf;

use console::{Key, Term};
use craton_base::{Error, Result};

use crate::files;

/// Lines that are kept.
const HISTORY_MAX: usize = 1000;

/// The longest file of them, in bytes.
const HISTORY_BYTES_MAX: u64 = 4 << 20;

pub(in crate::commands) struct Editor {
    term: Term,
    history: Vec<String>,
    file: Option<PathBuf>,
}

/// What a key does to a line.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Did {
    Edited,
    Entered,
    GivenUp,
}

/// A line under way.
#[derive(Default)]
pub(super) struct Line {
    text: Vec<char>,
    at: usize,
    /// Which line of the history it shows, counted from the newest; 0 is its own.
    back: usize,
    own: Vec<char>,
}

impl Line {
    /// Takes a key.
    pub(super) fn take(&mut self, key: &Key, history: &[String]) -> Did {
        match key {
            Key::Enter => return Did::Entered,
            Key::CtrlC => return Did::GivenUp,
            Key::Char(letter) if !letter.is_control() => {
                self.text.insert(self.at.min(self.text.len()), *letter);
                self.at = self.at.saturating_add(1);
            }
            Key::Tab => {
                self.text.insert(self.at.min(self.text.len()), ' ');
                self.at = self.at.saturating_add(1);
            }
            Key::Backspace if self.at > 0 => {
                self.at = self.at.saturating_sub(1);
                self.text.remove(self.at);
            }
            Key::Del if self.at < self.text.len() => drop(self.text.remove(self.at)),
            Key::ArrowLeft => self.at = self.at.saturating_sub(1),
            Key::ArrowRight => self.at = self.at.saturating_add(1).min(self.text.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.text.len(),
            Key::ArrowUp => self.show(self.back.saturating_add(1), history),
            Key::ArrowDown => self.show(self.back.saturating_sub(1), history),
            _ => {}
        }
        Did::Edited
    }

    /// Shows the line of the history that is so far back.
    fn show(&mut self, back: usize, history: &[String]) {
        if self.back == 0 {
            self.own.clone_from(&self.text);
        }
        let found = match back {
            0 => Some(self.own.clone()),
            _ => history
                .iter()
                .rev()
                .nth(back.saturating_sub(1))
                .map(|l| l.chars().collect()),
        };
        if let Some(text) = found {
            self.text = text;
            self.back = back;
            self.at = self.text.len();
        }
    }

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }
}

impl Editor {
    /// An editor, with the lines that a file keeps.
    pub(in crate::commands) fn new(file: Option<PathBuf>) -> Self {
        // There is none the first time.
        let kept = file.as_ref().and_then(|f| files::read(f, HISTORY_BYTES_MAX).ok());
        let kept = kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self {
            term: Term::stdout(),
            history: kept.unwrap_or_default().lines().map(str::to_owned).collect(),
            file,
        }
    }

    /// The next line; `None` where a line was given up.
    pub(in crate::commands) fn line(&mut self, prompt: &str) -> Result<Option<String>> {
        let mut line = Line::default();
        loop {
            self.show(prompt, &line)?;
            let key = self.term.read_key_raw().map_err(broken)?;
            match line.take(&key, &self.history) {
                Did::Edited => {}
                did => {
                    self.term.write_line("").map_err(broken)?;
                    return Ok((did == Did::Entered).then(|| line.text()));
                }
            }
        }
    }

    fn show(&self, prompt: &str, line: &Line) -> Result<()> {
        self.term.clear_line().map_err(broken)?;
        self.term
            .write_str(&format!("{prompt}{}", line.text()))
            .map_err(broken)?;
        let after = line.text.len().saturating_sub(line.at);
        if after > 0 {
            self.term.move_cursor_left(after).map_err(broken)?;
        }
        Ok(())
    }

    /// Remembers an input, on one line.
    pub(in crate::commands) fn remember(&mut self, input: &str) {
        let words: Vec<&str> = input.split_whitespace().collect();
        // A remark would swallow what follows it on the same line.
        let line = match input.contains(';') && input.contains('\n') {
            true => return,
            false => words.join(" "),
        };
        if self.history.last() != Some(&line) {
            self.history.push(line);
        }
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
    }

    /// Keeps the lines for the next time.
    pub(in crate::commands) fn keep(&self) -> Result<()> {
        match &self.file {
            None => Ok(()),
            Some(file) => files::write(file, format!("{}\n", self.history.join("\n")).as_bytes()),
        }
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::internal("the terminal does not work").with_source(error)
}
