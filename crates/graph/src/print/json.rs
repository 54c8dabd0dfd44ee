//! Terms to JSON, for programs that read answers: an expression is an array, an integer of up to 15 digits a number, a string its
//! content, any other symbol its text, a variable an object with its name.
//!
//! Deliberately absent: the way back; a string and a symbol of the same letters come out alike.

use crate::term::{Item, read};

/// Digits of an integer that every reader of JSON keeps.
const DIGITS_MAX: usize = 15;

/// Appends an encoded term.
pub fn write(bytes: &[u8], out: &mut Vec<u8>) {
    let (mut at, mut seen) = (0, 0u32);
    let mut open: Vec<u32> = Vec::new();
    while let Some((item, next)) = read(bytes, at) {
        at = next;
        match item {
            Item::Expression(items) => {
                out.push(b'[');
                open.push(items.saturating_add(1));
            }
            Item::Symbol(text) => symbol(text, out),
            Item::Reference(number) => variable(number, out),
            Item::NewVariable => {
                variable(seen, out);
                seen = seen.saturating_add(1);
            }
        }
        // The bracket counts as an item, so that it takes no comma.
        let mut comma = !matches!(item, Item::Expression(_));
        while let Some(missing) = open.last_mut() {
            *missing = missing.saturating_sub(1);
            if *missing > 0 {
                if comma {
                    out.push(b',');
                }
                break;
            }
            open.pop();
            out.push(b']');
            comma = true;
        }
    }
}

fn variable(number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"variable\":");
    let name = super::name(number);
    string(name.trim_start_matches('$'), out);
    out.push(b'}');
}

fn symbol(text: &[u8], out: &mut Vec<u8>) {
    if is_integer(text) {
        out.extend_from_slice(text);
        return;
    }
    let Ok(text) = std::str::from_utf8(text) else {
        let mut hex = Vec::new();
        super::symbol(text, &mut hex);
        return string(&String::from_utf8_lossy(&hex), out);
    };
    string(&content(text), out);
}

/// The content of a string; any other symbol as it stands.
#[must_use]
pub fn content(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next()),
            other => out.push(other),
        }
    }
    out
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = digits == b"0" && digits.len() == text.len() || !digits.starts_with(b"0");
    (1..=DIGITS_MAX).contains(&digits.len()) && canonical && digits.iter().all(u8::is_ascii_digit)
}

fn string(text: &str, out: &mut Vec<u8>) {
    // Writing a string to memory does not fail.
    if let Ok(json) = serde_json::to_vec(text) {
        out.extend_from_slice(&json);
    }
}

#[cfg(test)]
mod tests;
