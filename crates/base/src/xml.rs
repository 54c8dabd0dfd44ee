//! Writing XML: text with what XML does not allow in it escaped.
//!
//! Invariant: whatever the text is, what is written is well-formed XML 1.0, in an element and in an attribute, and a
//! reader gets the same text back, but for characters that XML 1.0 has no form for: those become U+FFFD.
//!
//! Deliberately absent: reading, and what any document holds.

/// Writes text.
pub fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| !is_plain(*c)) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        out.push_str(match c {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&quot;",
            '\'' => "&apos;",
            // A reader makes a line feed of a bare one.
            '\r' => "&#13;",
            _ => "\u{fffd}",
        });
        rest = after.get(c.len_utf8()..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Whether a character stands for itself. Source: XML 1.0, "2.2 Characters".
const fn is_plain(c: char) -> bool {
    !matches!(
        c,
        '<' | '>' | '&' | '"' | '\'' | '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// Writes an element with text. The name is taken as it is.
pub fn element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    escape(out, text);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

#[cfg(test)]
mod tests;
