//! Formats of biology: OBO 1.4, GFF3, VCF 4.

use std::io::Read;

use craton_base::Result;

use super::{Out, STATE_BYTES_MAX, Trouble, bad, lines::each_line};
use crate::sink::Mark;

type Progress<'a> = dyn FnMut(u64) -> Result<()> + 'a;

/// `tag: value ! comment` lines of stanzas.
pub(super) fn obo(input: impl Read, out: &mut Out<'_>, progress: &mut Progress<'_>) -> Result<()> {
    let mut stanza: Vec<u8> = Vec::new();
    let mut id: Vec<u8> = Vec::new();
    each_line(out.start, input, progress, |place, line| {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"!") {
            return Ok(());
        }
        if let Some(name) = line.strip_prefix(b"[").and_then(|line| line.strip_suffix(b"]")) {
            stanza = name.to_vec();
            id.clear();
            // Nothing of what came before is needed to read on from here.
            out.sink.reached(Mark {
                bytes: place.start,
                lines: place.number.saturating_sub(1),
                rows: 0,
            });
            return Ok(());
        }
        // Before the first stanza stands what is said of the file.
        if stanza.is_empty() {
            return Ok(());
        }
        let done = obo_line(line, &stanza, &mut id, out);
        out.settle(place.number, done)
    })
}

fn obo_line(line: &[u8], stanza: &[u8], id: &mut Vec<u8>, out: &mut Out<'_>) -> Result<(), Trouble> {
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(bad("no tag and no colon"));
    };
    let (tag, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
    let value = without_comment(value.get(1..).unwrap_or_default()).trim_ascii();
    if tag == b"id" {
        *id = value.to_vec();
        return out.fact(&stanza.to_ascii_lowercase(), [value]);
    }
    if id.is_empty() {
        return Err(bad("a tag before the id of its stanza"));
    }
    match tag {
        // A relation and what it leads to.
        b"relationship" | b"intersection_of" | b"is_a" | b"disjoint_from" | b"xref" | b"alt_id"
        | b"subset" | b"consider" | b"replaced_by" | b"namespace" | b"is_obsolete" => {
            let words = value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            out.fact(tag, std::iter::once(id.as_slice()).chain(words))
        }
        _ => match quoted_part(value) {
            Some(text) => out.fact(tag, [id.as_slice(), &text]),
            None => out.fact(tag, [id.as_slice(), value]),
        },
    }
}

/// Without ` ! comment` and `{modifiers}` at the end, where they are not in quotes.
fn without_comment(value: &[u8]) -> &[u8] {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'!' | b'{' if !quoted && value.get(at.wrapping_sub(1)).is_some_and(u8::is_ascii_whitespace) => {
                return value.get(..at).unwrap_or(value);
            }
            _ => {}
        }
    }
    value
}

/// The text of `"text" and what follows`.
fn quoted_part(value: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut bytes = value.strip_prefix(b"\"")?.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => text.push(*bytes.next()?),
            b'"' => return Some(text),
            other => text.push(*other),
        }
    }
    None
}

/// Nine columns, the last one of attributes.
pub(super) fn gff3(input: impl Read, out: &mut Out<'_>, progress: &mut Progress<'_>) -> Result<()> {
    let (mut row, mut ended) = (out.start.rows, false);
    each_line(out.start, input, progress, |place, line| {
        // Sequences follow `##FASTA`.
        ended |= line.starts_with(b"##FASTA") || line.starts_with(b">");
        if ended || line.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        let done = gff3_line(line, &row.to_string(), out);
        row += u64::from(done.is_ok());
        out.settle(place.number, done)?;
        out.sink.reached(place.after(row));
        Ok(())
    })
}

fn gff3_line(line: &[u8], row: &str, out: &mut Out<'_>) -> Result<(), Trouble> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
    let [columns @ .., attributes] = fields.as_slice() else {
        return Err(bad("no columns"));
    };
    if columns.len() != 8 {
        return Err(bad(format!("{} columns where a feature has 9", fields.len())));
    }
    let columns: Vec<Vec<u8>> = columns.iter().map(|column| decoded(column)).collect();
    let mut pairs = Vec::new();
    for pair in attributes
        .split(|byte| *byte == b';')
        .filter(|pair| !pair.is_empty() && *pair != b".")
    {
        let Some(equals) = memchr::memchr(b'=', pair) else {
            return Err(bad("an attribute without a value"));
        };
        let (key, values) = pair.split_at_checked(equals).unwrap_or((pair, &[]));
        for value in values.get(1..).unwrap_or_default().split(|byte| *byte == b',') {
            pairs.push((decoded(key), decoded(value)));
        }
    }
    out.fact(
        b"feature",
        std::iter::once(row.as_bytes()).chain(columns.iter().map(Vec::as_slice)),
    )?;
    for (key, value) in &pairs {
        out.fact(b"attribute", [row.as_bytes(), key, value])?;
    }
    Ok(())
}

/// With `%41` as `A`.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let mut hex = Vec::new();
        match text.get(at + 1..at + 3).map(hex::decode) {
            Some(Ok(byte)) if text.get(at) == Some(&b'%') => {
                hex = byte;
                at += 3;
            }
            _ => {
                hex.push(*byte);
                at += 1;
            }
        }
        out.append(&mut hex);
    }
    out
}

/// Eight columns, and one for each sample.
pub(super) fn vcf(input: impl Read, out: &mut Out<'_>, progress: &mut Progress<'_>) -> Result<()> {
    let mut row = out.start.rows;
    let mut samples = samples_of(&out.state);
    // Who goes on needs the names of the samples, if they are not too many to be kept.
    let mut is_kept = true;
    each_line(out.start, input, progress, |place, line| {
        if let Some(header) = line.strip_prefix(b"#CHROM\t") {
            samples = samples_of(header);
            is_kept = header.len() <= STATE_BYTES_MAX;
            if is_kept {
                out.sink.remember(header);
                out.sink.reached(place.after(row));
            }
            return Ok(());
        }
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        let done = vcf_line(line, &row.to_string(), &samples, out);
        row += u64::from(done.is_ok());
        out.settle(place.number, done)?;
        if is_kept {
            out.sink.reached(place.after(row));
        }
        Ok(())
    })
}

/// The samples that a header names after its first column and eight others.
fn samples_of(header: &[u8]) -> Vec<Vec<u8>> {
    let columns = header.split(|byte| *byte == b'\t');
    columns.skip(8).map(<[u8]>::to_vec).collect()
}

fn vcf_line(line: &[u8], row: &str, samples: &[Vec<u8>], out: &mut Out<'_>) -> Result<(), Trouble> {
    let row = row.as_bytes();
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
    let Some((columns, [info, rest @ ..])) = fields.split_at_checked(7) else {
        return Err(bad(format!(
            "{} columns where a variant has at least 8",
            fields.len()
        )));
    };
    let (format, calls): (&[u8], &[&[u8]]) = match rest.split_first() {
        Some((format, calls)) => (format, calls),
        None => (b"", &[]),
    };
    if calls.len() > samples.len() {
        return Err(bad("more calls than samples in the header"));
    }
    let keys: Vec<&[u8]> = format.split(|byte| *byte == b':').collect();
    if calls
        .iter()
        .any(|call| call.split(|byte| *byte == b':').count() > keys.len())
    {
        return Err(bad("a call with more values than its format has keys"));
    }
    out.fact(b"variant", std::iter::once(row).chain(columns.iter().copied()))?;
    for pair in info
        .split(|byte| *byte == b';')
        .filter(|pair| !pair.is_empty() && *pair != b".")
    {
        match memchr::memchr(b'=', pair) {
            Some(equals) => {
                let (key, value) = pair.split_at_checked(equals).unwrap_or((pair, &[]));
                out.fact(b"info", [row, key, value.get(1..).unwrap_or_default()])?;
            }
            None => out.fact(b"info", [row, pair])?,
        }
    }
    for (sample, call) in samples.iter().zip(calls) {
        for (key, value) in keys.iter().zip(call.split(|byte| *byte == b':')) {
            out.fact(b"call", [row, sample, key, value])?;
        }
    }
    Ok(())
}
