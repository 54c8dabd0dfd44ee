//! Statements that are about the connection and not about data: blocks of transactions, settings.
//!
//! Settings are accepted and have no effect, but for those that `SHOW` answers.

/// What a statement is, by its first words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// There is none.
    Empty,
    /// It answers rows, if it is not refused.
    Reads,
    /// It changes something: what it is called when it is done, and whether rows are counted.
    Writes(&'static str, bool),
    Begin,
    Commit,
    Rollback,
    /// Accepted: what it is called.
    Accepted(&'static str),
    /// It asks for a setting.
    Show,
}

/// What changes something: its first word, its name when it is done, whether rows are counted.
const WRITES: [(&str, &str, bool); 8] = [
    ("insert", "INSERT 0", true),
    ("update", "UPDATE", true),
    ("delete", "DELETE", true),
    ("merge", "MERGE", true),
    ("copy", "COPY", true),
    ("create", "CREATE", false),
    ("alter", "ALTER", false),
    ("drop", "DROP", false),
];

/// What a statement is.
pub(super) fn sort(statement: &str) -> Sort {
    let bare = without_comments(statement);
    let mut words = bare
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    let Some(first) = words.next() else {
        return if bare.trim_matches([';', ' ', '\n', '\t', '\r']).is_empty() {
            Sort::Empty
        } else {
            Sort::Reads
        };
    };
    let first = first.to_ascii_lowercase();
    if let Some((_, name, counts)) = WRITES.into_iter().find(|(word, ..)| *word == first) {
        return Sort::Writes(name, counts);
    }
    match first.as_str() {
        "begin" | "start" => Sort::Begin,
        "commit" | "end" => Sort::Commit,
        "rollback" | "abort" => Sort::Rollback,
        "set" => Sort::Accepted("SET"),
        "reset" => Sort::Accepted("RESET"),
        "discard" => Sort::Accepted("DISCARD ALL"),
        "deallocate" => Sort::Accepted("DEALLOCATE"),
        "close" => Sort::Accepted("CLOSE CURSOR"),
        "show" => Sort::Show,
        _ => Sort::Reads,
    }
}

/// A setting's name and value, as `SHOW` asks for it.
pub(super) fn shown(statement: &str) -> Option<(&'static str, &'static str)> {
    let bare = without_comments(statement)
        .trim_end_matches([';', ' ', '\n'])
        .to_ascii_lowercase();
    let name = bare.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    Some(match name.as_str() {
        "transaction isolation level" | "transaction_isolation" | "default_transaction_isolation" => {
            ("transaction_isolation", "read committed")
        }
        "server_version" => ("server_version", "17.0"),
        "server_version_num" => ("server_version_num", "170000"),
        "server_encoding" => ("server_encoding", "UTF8"),
        "client_encoding" => ("client_encoding", "UTF8"),
        "datestyle" => ("DateStyle", "ISO, YMD"),
        "timezone" | "time zone" => ("TimeZone", "UTC"),
        "standard_conforming_strings" => ("standard_conforming_strings", "on"),
        "transaction_read_only" | "default_transaction_read_only" => ("transaction_read_only", "off"),
        _ => return None,
    })
}

/// A statement from its first word on.
fn without_comments(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    loop {
        let after = if let Some(line) = rest.strip_prefix("--") {
            line.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(block) = rest.strip_prefix("/*") {
            block.split_once("*/").map_or("", |(_, after)| after)
        } else {
            return rest;
        };
        rest = after.trim_start();
    }
}
