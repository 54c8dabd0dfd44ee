//! The tree's text files, and a light reading of Rust: comments and literals blanked out, functions
//! with their lengths, module declarations. Enough for the checks; not a parser.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Folders that hold nothing written by people.
const SKIPPED: [&str; 6] = [
    "target",
    "node_modules",
    "data",
    "datasets",
    "__pycache__",
    "venv",
];
/// Hidden folders that are ours all the same.
const HIDDEN: [&str; 4] = [".ci", ".config", ".cargo", ".github"];
/// What is read as text.
const TEXT: [&str; 11] = [
    "rs", "md", "toml", "txt", "py", "sh", "lock", "json", "yml", "yaml", "mjs",
];

/// A text file of the tree.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == extension)
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it holds tests only: `tests.rs`, or anything in a folder `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').any(|part| part == "tests")
    }
}

/// All text files under the root, ordered by path.
pub(crate) fn read_tree(root: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str())
                    && (!name.starts_with('.') || HIDDEN.contains(&name.as_str()))
                {
                    folders.push(entry.path());
                }
            } else if is_text(&entry.path()) {
                files.extend(read(root, &entry.path())?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_text(path: &Path) -> bool {
    match path.extension() {
        Some(extension) => TEXT.iter().any(|t| extension == *t),
        None => path
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|folder| folder == ".ci"),
    }
}

fn read(root: &Path, path: &PathBuf) -> io::Result<Option<File>> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let path_text = relative.to_string_lossy().replace('\\', "/");
    Ok(String::from_utf8(fs::read(path)?).ok().map(|text| File {
        path: path_text,
        text,
    }))
}

/// The same text with comments and the insides of literals replaced by spaces, byte for byte, so that
/// offsets and lines stay.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let length = literal_length(rest, out.last().copied());
        if length == 0 {
            out.push(*first);
            rest = tail;
            continue;
        }
        let (literal, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        out.extend(literal.iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How long the comment or literal is that begins here; 0 if none does.
fn literal_length(text: &[u8], before: Option<u8>) -> usize {
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match text {
        [b'/', b'/', ..] => text.iter().take_while(|b| **b != b'\n').count(),
        [b'/', b'*', ..] => block_comment_length(text),
        [b'"', ..] => string_length(text),
        [b'r', b'"' | b'#', ..] if !in_word => raw_string_length(text, 1),
        [b'b', b'r', b'"' | b'#', ..] if !in_word => raw_string_length(text, 2),
        [b'\'', b'\\', _, rest @ ..] => 4 + rest.iter().take_while(|b| **b != b'\'').count(),
        [b'\'', rest @ ..] => char_length(rest),
        _ => 0,
    }
}

fn block_comment_length(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = text.get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// `prefix` is the length of `r` or `br`. A raw identifier is no string.
fn raw_string_length(text: &[u8], prefix: usize) -> usize {
    let tail = text.get(prefix..).unwrap_or(&[]);
    let hashes = tail.iter().take_while(|b| **b == b'#').count();
    if tail.get(hashes) != Some(&b'"') {
        return 0;
    }
    let close: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let body = tail.get(hashes + 1..).unwrap_or(&[]);
    match body.windows(close.len()).position(|w| w == close) {
        Some(end) => prefix + hashes + 1 + end + close.len(),
        None => text.len(),
    }
}

/// A character literal without a backslash, or 0 for a lifetime.
fn char_length(after_quote: &[u8]) -> usize {
    let width = match after_quote.first() {
        Some(b) if *b < 0x80 => 1,
        Some(b) if *b < 0xe0 => 2,
        Some(b) if *b < 0xf0 => 3,
        Some(_) => 4,
        None => return 0,
    };
    if after_quote.get(width) == Some(&b'\'') {
        width + 2
    } else {
        0
    }
}

/// The line, from 1, of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

/// A word or a single other character, with its offset.
pub(crate) fn tokens(blanked: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut chars = blanked.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        let mut end = start + c.len_utf8();
        if c.is_alphanumeric() || c == '_' {
            while let Some((at, _)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                end = at
                    + blanked
                        .get(at..)
                        .and_then(|r| r.chars().next())
                        .map_or(1, char::len_utf8);
            }
        }
        out.extend(blanked.get(start..end).map(|word| (start, word)));
    }
    out
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// From 1.
    pub(crate) line: usize,
    /// From the line of `fn` to the line of its closing brace.
    pub(crate) lines: usize,
}

/// The functions of a Rust file, nested ones included.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let blanked = blank(text);
    let tokens = tokens(&blanked);
    let mut out = Vec::new();
    for (i, (offset, word)) in tokens.iter().enumerate() {
        let Some((_, name)) = tokens.get(i + 1) else { break };
        if *word != "fn" || !name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$') {
            continue;
        }
        let Some(end) = body_end(tokens.get(i + 2..).unwrap_or(&[])) else {
            continue;
        };
        let line = line_of(&blanked, *offset);
        out.push(Function {
            name: (*name).to_owned(),
            line,
            lines: line_of(&blanked, end) - line + 1,
        });
    }
    out
}

/// The offset of the brace that closes the body, if there is a body.
fn body_end(tokens: &[(usize, &str)]) -> Option<usize> {
    let (mut depth, mut braces) = (0_i32, 0_i32);
    for (offset, word) in tokens {
        match *word {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            ";" if depth == 0 && braces == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if braces == 0 && depth == 0 {
                    return Some(*offset);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
