//! `craton sql`: statements, and their rows as they come.
//!
//! Invariant: an answer that is cut off is an error, whatever of it was shown. Of a table, [`PAGE_ROWS`] rows are held at a time.
//!
//! Deliberately absent: SQL (the server).

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use craton_base::{Error, Result};
use serde_json::{Map, Value, json};

use super::{
    graph::{repl::editor::Editor, write_out},
    objects::STANDARD,
};
use crate::{
    cli::{Sql as Command, SqlFormat},
    client::{Client, cut},
    files, output,
};

/// Rows of a table that are shown under one line of names.
const PAGE_ROWS: usize = 1000;

/// The longest row, in bytes.
const ROW_BYTES_MAX: usize = 16 << 20;

/// The longest file of statements, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

struct Asking {
    client: Client,
    format: SqlFormat,
    bucket: Option<String>,
    namespace: Option<String>,
    seconds: Option<u32>,
}

pub(super) async fn run(command: Command) -> Result<()> {
    let format = match command.target.json {
        true => SqlFormat::Json,
        false => command.format,
    };
    let accepted = match format {
        SqlFormat::Table | SqlFormat::Json => "application/x-ndjson",
        SqlFormat::Csv => "text/csv",
        SqlFormat::Arrow => "application/vnd.apache.arrow.stream",
    };
    let asking = Asking {
        client: Client::new(&command.target)?.accepting(Some(accepted)),
        format,
        bucket: command.bucket,
        namespace: command.namespace,
        seconds: command.seconds,
    };
    let file = command.file.filter(|file| file.as_os_str() != STANDARD);
    match (command.statement, file) {
        (Some(statement), _) => asking.one(&statement).await,
        (None, Some(file)) => {
            let text = files::read(&file, FILE_BYTES_MAX)?;
            let wrong = |e| Error::invalid(format!("{} is not UTF-8", file.display())).with_source(e);
            asking.all(&String::from_utf8(text).map_err(wrong)?).await
        }
        (None, None) if std::io::stdin().is_terminal() => asking.prompt(command.history).await,
        (None, None) => {
            let lines: std::io::Result<Vec<String>> = std::io::stdin().lock().lines().collect();
            asking.all(&lines?.join("\n")).await
        }
    }
}

impl Asking {
    async fn one(&self, statement: &str) -> Result<()> {
        let mut asked = Map::from_iter([("statement".to_owned(), json!(statement))]);
        let mut add =
            |name: &str, value: Option<Value>| value.map(|value| asked.insert(name.to_owned(), value));
        add("bucket", self.bucket.as_ref().map(|v| json!(v)));
        add("namespace", self.namespace.as_ref().map(|v| json!(v)));
        add("seconds", self.seconds.map(|v| json!(v)));
        let answered = self.client.sql(&Value::Object(asked)).await?;
        match self.format {
            SqlFormat::Table => table(answered).await,
            _ => write_out(answered, None).await.map(drop),
        }
    }

    async fn all(&self, text: &str) -> Result<()> {
        for statement in statements(text) {
            self.one(statement).await?;
        }
        Ok(())
    }

    async fn prompt(&self, history: Option<PathBuf>) -> Result<()> {
        let history = match history {
            Some(file) => (file.as_os_str() != STANDARD).then_some(file),
            None => std::env::home_dir().map(|home| home.join(".craton-sql-history")),
        };
        let mut editor = Editor::new(history);
        output::note("a statement ends with a semicolon; \\q ends");
        let mut input = String::new();
        while let Some(line) = editor.line(if input.is_empty() { "sql> " } else { "  …> " })? {
            if input.is_empty() && matches!(line.trim(), "\\q" | "quit" | "exit") {
                break;
            }
            input.push_str(&line);
            input.push('\n');
            if line.trim_end().ends_with(';') {
                editor.remember(input.trim());
                if let Err(error) = self.all(&std::mem::take(&mut input)).await {
                    output::error(&error);
                }
            }
        }
        editor.keep()
    }
}

/// The statements of a text: what lies between semicolons that are in no quotes and no comment.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let mut ends = Vec::new();
    let mut open: Option<char> = None;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match (open, letter) {
            (Some('-'), '\n') => open = None,
            (Some('*'), '/') if before == '*' => open = None,
            (Some(quote), letter) if quote == letter && quote != '*' && quote != '-' => open = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => open = Some(letter),
            (None, '-') if before == '-' => open = Some('-'),
            (None, '*') if before == '/' => open = Some('*'),
            (None, ';') => {
                ends.push(from..at);
                from = at.saturating_add(1);
            }
            (None, _) => {}
        }
        before = letter;
    }
    ends.push(from..text.len());
    ends.into_iter()
        .filter_map(|range| text.get(range))
        .filter(|statement| !statement.trim().is_empty())
}

/// Rows in columns, page by page.
async fn table(mut answered: reqwest::Response) -> Result<()> {
    let (mut line, mut rows, mut count) = (Vec::new(), Vec::new(), 0usize);
    while let Some(piece) = answered.chunk().await.map_err(cut)? {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if line.len().saturating_add(part.len()) > ROW_BYTES_MAX {
                return Err(Error::internal("a row is too long"));
            }
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let row: Value = serde_json::from_slice(&line)
                    .map_err(|e| Error::internal("the answer is no JSON").with_source(e))?;
                rows.push(row);
                line.clear();
                count = count.saturating_add(1);
            }
            if rows.len() >= PAGE_ROWS {
                show(&std::mem::take(&mut rows));
            }
        }
    }
    show(&rows);
    output::note(&format!("{count} rows"));
    Ok(())
}

fn show(rows: &[Value]) {
    let Some(Value::Object(first)) = rows.first() else {
        return;
    };
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    let cell = |row: &Value, name: &str| match row.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| names.iter().map(|name| cell(row, name)).collect())
        .collect();
    output::table(&names, &rows);
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_end_at_semicolons_of_their_own() {
        let found: Vec<&str> =
            statements("SELECT 1; SELECT ';' -- a;b\n; /* ; */ SELECT \"a;\" ;;\n").collect();
        assert_eq!(
            found,
            ["SELECT 1", " SELECT ';' -- a;b\n", " /* ; */ SELECT \"a;\" "]
        );
    }
}
