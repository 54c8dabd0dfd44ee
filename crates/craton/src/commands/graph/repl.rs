//! `craton graph repl`: a graph line by line. What begins with a list of patterns is a query, anything else is facts and rules that are
//! run at once; a line that begins with a colon is a command.
//!
//! Invariants: an input ends where its brackets do, so it may take several lines; an error is told and the next line is
//! read; where standard input is no terminal there is no prompt and no editing, and the first error ends it.
//!
//! Deliberately absent: what programs mean (the server).

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::{Path, PathBuf},
};

use craton_base::{ByteSize, Error, Kind, Result};
use http::Method;
use serde_json::Value;

use super::{explain, path_of, show as show_stats, write_out};
use crate::{
    cli::Target,
    client::{Client, Credentials, place, read_json, segment},
    config::Settings,
    files, output,
    serve::{ROOT_CREDENTIALS, Server, quiet_logs},
};

pub(in crate::commands) mod editor;

/// The longest program that is read from a file, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Memory of a server that is started for a data folder.
const LOCAL_MEMORY: ByteSize = ByteSize::mib(512);

const HELP: &str = "\
(, (edge $x b)) (, $x)         ask: patterns, and what to write of each match
(edge a b)                     add facts
(exec 0 (, …) (, …))           run a rule, and what it writes
:run FILE                      run a program; :again runs it once more, as it is then
:explain RULE or FILE          how it would be answered;  :measure does it and says what it took
:at NUMBER                     ask the graph as it was after that commit;  :now as it is
:snapshots   :stats            its commits; what it holds
:quit";

/// Where lines come from.
enum Lines {
    Terminal(editor::Editor),
    Piped,
}

struct Repl {
    client: Client,
    graph: String,
    lines: Lines,
    snapshot: Option<u64>,
    last_file: Option<PathBuf>,
}

pub(super) async fn run(
    graph: &str,
    local: Option<&Path>,
    history: Option<PathBuf>,
    target: &Target,
) -> Result<()> {
    path_of(graph)?;
    let Some(folder) = local else {
        return Repl::new(Client::new(target)?, graph, history)?.run().await;
    };
    quiet_logs()?;
    let server = Server::start(&Settings::local(folder.to_owned(), LOCAL_MEMORY)?).await?;
    let endpoint = server.endpoint()?;
    let client = Client::local(&endpoint, Credentials::read(&folder.join(ROOT_CREDENTIALS))?)?;
    let bucket = place(graph)?.0;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(server.run(async move {
        // The sender going away is an end as well.
        drop(ended.await);
    }));
    let done = async {
        match client.s3(Method::PUT, &format!("/{}", segment(bucket))).await {
            Err(error) if error.kind() != Kind::Exists => return Err(error),
            _ => {}
        }
        Repl::new(client, graph, history)?.run().await
    }
    .await;
    drop(end);
    let closed = served.await;
    done?;
    closed.map_err(|e| Error::internal("the server did not end").with_source(e))?
}

impl Repl {
    fn new(client: Client, graph: &str, history: Option<PathBuf>) -> Result<Self> {
        let lines = match std::io::stdin().is_terminal() {
            false => Lines::Piped,
            true => Lines::Terminal(editor::Editor::new(history_file(history))),
        };
        Ok(Self {
            client,
            graph: graph.to_owned(),
            lines,
            snapshot: None,
            last_file: None,
        })
    }

    async fn run(mut self) -> Result<()> {
        if matches!(self.lines, Lines::Terminal(_)) {
            output::note(&format!("{}; :help says how, :quit ends", self.graph));
        }
        while let Some(input) = self.input()? {
            let input = input.trim();
            if input == ":quit" || input == ":q" {
                break;
            }
            match (self.one(input).await, &self.lines) {
                (Ok(()), _) => {}
                (Err(error), Lines::Terminal(_)) => output::error(&error),
                (Err(error), Lines::Piped) => return Err(error),
            }
        }
        match &self.lines {
            Lines::Terminal(editor) => editor.keep(),
            Lines::Piped => Ok(()),
        }
    }

    /// The next input, which ends where its brackets do; `None` at the end.
    fn input(&mut self) -> Result<Option<String>> {
        let mut input = String::new();
        loop {
            let prompt = if input.is_empty() { "> " } else { "… " };
            let line = match &mut self.lines {
                Lines::Terminal(editor) => match editor.line(prompt)? {
                    Some(line) => line,
                    // What was begun is given up; with nothing begun, the session is.
                    None if input.is_empty() => return Ok(None),
                    None => {
                        input.clear();
                        continue;
                    }
                },
                Lines::Piped => {
                    let mut line = String::new();
                    if std::io::stdin().lock().read_line(&mut line)? == 0 {
                        return Ok((!input.trim().is_empty()).then_some(input));
                    }
                    line
                }
            };
            input.push_str(&line);
            input.push('\n');
            if input.trim().is_empty() {
                input.clear();
                continue;
            }
            if input.trim_start().starts_with(':') || depth(&input) <= 0 {
                break;
            }
        }
        if let Lines::Terminal(editor) = &mut self.lines {
            editor.remember(input.trim());
        }
        Ok(Some(input))
    }

    async fn one(&mut self, input: &str) -> Result<()> {
        let Some(command) = input.strip_prefix(':') else {
            return match is_query(input) {
                true => self.query(input).await,
                false => self.program(input.to_owned()).await,
            };
        };
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        match name {
            "help" | "h" => output::line(HELP),
            "run" | "r" => {
                self.last_file = Some(PathBuf::from(rest));
                self.file().await?;
            }
            "again" | "a" => self.file().await?,
            "explain" | "e" => self.explain(rest, false).await?,
            "measure" | "m" => self.explain(rest, true).await?,
            "at" => {
                let number = rest.parse();
                self.snapshot =
                    Some(number.map_err(|_| Error::invalid(format!("{rest:?} is no commit's number")))?);
            }
            "now" => self.snapshot = None,
            "snapshots" => explain::show_snapshots(&explain::listed(&self.client, &self.graph).await?),
            "stats" => {
                let path = format!("{}{}", path_of(&self.graph)?, self.moment('?'));
                show_stats(&self.get(&path).await?);
            }
            other => {
                return Err(Error::invalid(format!(
                    ":{other} is no command; :help shows them"
                )));
            }
        }
        Ok(())
    }

    /// The snapshot as a parameter.
    fn moment(&self, mark: char) -> String {
        let number = self.snapshot.map(|n| format!("{mark}snapshot={n}"));
        number.unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let body = reqwest::Body::from("");
        read_json(self.client.graph(Method::GET, path, body).await?).await
    }

    async fn query(&self, text: &str) -> Result<()> {
        let path = format!("{}/query{}", path_of(&self.graph)?, self.moment('?'));
        let body = reqwest::Body::from(text.to_owned());
        write_out(self.client.graph(Method::POST, &path, body).await?, None)
            .await
            .map(drop)
    }

    async fn explain(&self, rules: &str, measured: bool) -> Result<()> {
        let text = match rules.starts_with('(') {
            true => rules.to_owned(),
            false => text_of(Path::new(rules))?,
        };
        let parameters = match measured {
            true => format!("?run=yes{}", self.moment('&')),
            false => self.moment('?'),
        };
        explain::show(&explain::ask(&self.client, &self.graph, &text, &parameters).await?);
        Ok(())
    }

    async fn file(&mut self) -> Result<()> {
        let Some(file) = self.last_file.clone() else {
            return Err(Error::invalid("no file was run yet; :run FILE"));
        };
        self.program(text_of(&file)?).await
    }

    async fn program(&self, text: String) -> Result<()> {
        let path = format!("{}/program", path_of(&self.graph)?);
        let answered = self
            .client
            .graph(Method::POST, &path, reqwest::Body::from(text))
            .await?;
        let done = read_json(answered).await?;
        let number = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or_default();
        for failure in super::super::list(&done, "failures") {
            output::note(failure.as_str().unwrap_or_default());
        }
        let (steps, added, removed) = (number("steps"), number("added"), number("removed"));
        match steps {
            0 => output::line(&format!("in the graph as of snapshot {}", number("snapshot"))),
            _ => output::line(&format!("{steps} steps, {added} facts added, {removed} removed")),
        }
        Ok(())
    }
}

fn text_of(file: &Path) -> Result<String> {
    let bytes = files::read(file, FILE_BYTES_MAX)?;
    String::from_utf8(bytes)
        .map_err(|e| Error::invalid(format!("{} is not UTF-8", file.display())).with_source(e))
}

/// Whether an input is patterns and templates, and no fact.
fn is_query(input: &str) -> bool {
    let rest = input.strip_prefix('(').unwrap_or_default().trim_start();
    rest.starts_with(", ") || rest.starts_with(",)") || rest.starts_with("I ")
}

/// How many brackets are open, those in strings and comments not counted.
fn depth(input: &str) -> i64 {
    let (mut depth, mut in_string, mut in_comment, mut escaped) = (0i64, false, false, false);
    for letter in input.chars() {
        match letter {
            '\n' if in_comment => in_comment = false,
            _ if in_comment => {}
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            ';' => in_comment = true,
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth
}

fn history_file(given: Option<PathBuf>) -> Option<PathBuf> {
    match given {
        Some(file) => (file.as_os_str() != super::STANDARD).then_some(file),
        None => std::env::home_dir().map(|home| home.join(".craton-history")),
    }
}

#[cfg(test)]
mod tests;
