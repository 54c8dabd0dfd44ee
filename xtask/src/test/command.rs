//! Running a program: its output is shown as it comes, and the numbers of tests it reports are counted.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{self, Stdio},
    thread,
};

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl Counts {
    /// Of a step that is one check.
    pub(super) fn one<T>(_: T) -> Self {
        Self { passed: 1, failed: 0 }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// What a line of nextest, of cargo's runner or of pytest says, if it is their last line.
    fn of(line: &str) -> Self {
        let line = line.trim_matches(['=', ' ']);
        let nextest =
            line.starts_with("Summary [") && line.contains("tests run:") || line.contains("test run:");
        let cargo = line.starts_with("test result:");
        let pytest = line.contains(" in ")
            && line
                .trim_end_matches(')')
                .ends_with(|c: char| c == 's' || c.is_ascii_digit());
        if !(nextest || cargo || pytest) {
            return Self::default();
        }
        let before = |what: &str| {
            let words: Vec<&str> = line.split([' ', ',', ';']).filter(|w| !w.is_empty()).collect();
            let found = words.windows(2).find(|pair| pair.last() == Some(&what));
            found.and_then(|pair| pair.first()?.parse().ok()).unwrap_or(0)
        };
        Self {
            passed: before("passed"),
            failed: before("failed"),
        }
    }
}

/// A program with its arguments.
pub(super) struct Command {
    inner: process::Command,
    shown: String,
}

impl Command {
    pub(super) fn new(program: impl AsRef<OsStr>) -> Self {
        let shown = Path::new(&program)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut inner = crate::program(program);
        inner.stdin(Stdio::null());
        Self { inner, shown }
    }

    pub(super) fn arguments<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        for argument in arguments {
            self.shown = format!("{} {}", self.shown, argument.as_ref().to_string_lossy());
            self.inner.arg(argument);
        }
        self
    }

    pub(super) fn folder(mut self, folder: &Path) -> Self {
        self.inner.current_dir(folder);
        self
    }

    pub(super) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// What the program prints; nothing is shown.
    pub(super) fn output(mut self) -> Result<String, String> {
        let done = self
            .inner
            .output()
            .map_err(|e| format!("`{}` can not be run: {e}", self.shown))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(format!(
            "`{}` ended with {}: {}",
            self.shown,
            done.status,
            said.trim()
        ))
    }

    /// Runs the program, showing what it prints.
    pub(super) fn run(mut self) -> Result<Counts, String> {
        self.inner.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self
            .inner
            .spawn()
            .map_err(|e| format!("`{}` can not be run: {e}", self.shown))?;
        let streams = [child.stdout.take().map(boxed), child.stderr.take().map(boxed)];
        let readers: Vec<_> = streams
            .into_iter()
            .flatten()
            .map(|s| thread::spawn(|| follow(s)))
            .collect();
        let mut counts = Counts::default();
        for reader in readers {
            counts.add(reader.join().unwrap_or_default());
        }
        let status = child
            .wait()
            .map_err(|e| format!("`{}` was lost: {e}", self.shown))?;
        if status.success() && counts.failed == 0 {
            return Ok(counts);
        }
        let failed = match counts.failed {
            0 => String::new(),
            n => format!(", {n} tests failed"),
        };
        Err(format!("`{}` ended with {status}{failed}", self.shown))
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}

fn follow(stream: Box<dyn Read + Send>) -> Counts {
    let mut counts = Counts::default();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        counts.add(Counts::of(&text.trim().replace("\u{1b}[", "")));
        line.clear();
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_three_runners_are_counted() {
        let of = |line: &str| {
            let counts = Counts::of(line);
            (counts.passed, counts.failed)
        };
        assert_eq!(
            of("Summary [   0.012s] 14 tests run: 13 passed, 1 failed, 2 skipped"),
            (13, 1)
        );
        assert_eq!(of("Summary [   0.012s] 1 test run: 1 passed, 0 skipped"), (1, 0));
        assert_eq!(
            of("Summary [  12.3s] 14 tests run: 14 passed (1 slow), 0 skipped"),
            (14, 0)
        );
        assert_eq!(
            of(
                "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.58s"
            ),
            (7, 0)
        );
        assert_eq!(
            of("========= 2 failed, 31 passed, 1 warning in 12.34s ========="),
            (31, 2)
        );
        assert_eq!(of("31 passed in 75.02s (0:01:15)"), (31, 0));
        assert_eq!(of("3 passed the exam"), (0, 0));
    }

    #[test]
    fn a_program_that_fails_says_which_it_was() {
        let failed = Command::new("sh").arguments(["-c", "exit 3"]).run();
        assert!(failed.is_err_and(|e| e.starts_with("`sh -c exit 3` ended with") && e.contains('3')));
        assert!(
            Command::new("no such program")
                .run()
                .is_err_and(|e| e.contains("can not be run"))
        );
    }

    #[test]
    fn both_streams_are_counted() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; echo '3 passed in 0.1s' >&2";
        let counts = Command::new("sh").arguments(["-c", script]).run().unwrap();
        assert_eq!(counts, Counts { passed: 5, failed: 0 });
    }
}
