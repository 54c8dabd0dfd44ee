//! Terms to text, such that [`crate::parse`] reads back the same term.
//!
//! A symbol is written as it is wherever the parser would read it back; every other symbol (white
//! space, brackets, control characters, bytes that are no UTF-8) is written `\x` and its bytes in
//! hexadecimal. Variables are named as MORK names them: `$a` to `$j`, then `$x10`, `$x11`, …
//!
//! Deliberately absent: layout; a term is one line unless a string in it holds a line end.

pub mod json;

use crate::{
    parse::{HEX, end_of_string, ends_word, unhex},
    term::{Item, Term, read},
};

/// The text of a term.
#[must_use]
pub fn term(term: &Term) -> String {
    let mut out = Vec::with_capacity(term.as_bytes().len() * 2);
    write(term.as_bytes(), &mut out);
    // What is written is UTF-8; a replacement would show a fault here rather than hide it.
    String::from_utf8(out).unwrap_or_else(|bytes| String::from_utf8_lossy(bytes.as_bytes()).into_owned())
}

/// Appends the text of the encoded term `bytes`.
pub fn write(bytes: &[u8], out: &mut Vec<u8>) {
    write_after(bytes, 0, out);
}

/// The same for a part of a term that has `seen` variables before it.
pub(crate) fn write_after(bytes: &[u8], mut seen: u32, out: &mut Vec<u8>) {
    let mut at = 0;
    // How many items each open expression still misses.
    let mut open: Vec<u32> = Vec::new();
    let mut first = true;
    while let Some((item, next)) = read(bytes, at) {
        at = next;
        if !first {
            out.push(b' ');
        }
        first = false;
        match item {
            Item::Expression(arity) => {
                out.push(b'(');
                open.push(arity);
                first = true;
            }
            Item::Symbol(text) => symbol(text, out),
            Item::Reference(number) => variable(number, out),
            Item::NewVariable => {
                variable(seen, out);
                seen += 1;
            }
        }
        if !first {
            close_item(&mut open);
        }
        while open.last() == Some(&0) {
            open.pop();
            out.push(b')');
            first = false;
            close_item(&mut open);
        }
    }
}

fn close_item(open: &mut [u32]) {
    if let Some(missing) = open.last_mut() {
        *missing = missing.saturating_sub(1);
    }
}

/// The name that a variable is printed with.
pub(crate) fn name(number: u32) -> String {
    let mut out = Vec::new();
    variable(number, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn variable(number: u32, out: &mut Vec<u8>) {
    out.push(b'$');
    match u8::try_from(number) {
        Ok(few @ 0..10) => out.push(b'a' + few),
        _ => out.extend_from_slice(format!("x{number}").as_bytes()),
    }
}

/// Appends the text of a symbol.
pub fn symbol(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    out.extend_from_slice(HEX);
    for byte in text {
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
}

/// Whether the parser reads this text back as the one symbol that it is.
fn is_plain(text: &[u8]) -> bool {
    if std::str::from_utf8(text).is_err() || unhex(text, &mut Vec::new()) {
        return false;
    }
    match text.first() {
        None | Some(b'$' | b';') => false,
        Some(b'"') => end_of_string(text, 0) == Some(text.len()),
        Some(_) => !text
            .iter()
            .any(|byte| ends_word(*byte) || byte.is_ascii_control()),
    }
}

#[cfg(test)]
mod tests;
