//! JSON lines: each leaf of each value is a fact that says the way to it.

use std::io::Read;

use craton_base::Result;
use serde_json::Value;

use super::{Out, Trouble, bad, lines::each_line};

pub(super) fn load(
    input: impl Read,
    relation: &[u8],
    out: &mut Out<'_>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut row = out.start.rows;
    each_line(out.start, input, progress, |place, line| {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let done = serde_json::from_slice::<Value>(line)
            .map_err(|error| bad(format!("column {}: {error}", error.column())))
            .and_then(|value| {
                let place = row.to_string();
                leaves(&value, &mut Vec::new(), &mut |way, leaf| {
                    one(relation, &place, way, leaf, out)
                })
            });
        row += 1;
        out.settle(place.number, done)?;
        out.sink.reached(place.after(row));
        Ok(())
    })
}

type Leaf<'a> = dyn FnMut(&[String], &Value) -> Result<(), Trouble> + 'a;

/// Calls `each` with every leaf; the depth of values is limited by the parser of JSON.
fn leaves(value: &Value, way: &mut Vec<String>, each: &mut Leaf<'_>) -> Result<(), Trouble> {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                way.push(key.clone());
                leaves(value, way, each)?;
                way.pop();
            }
            Ok(())
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, value) in items.iter().enumerate() {
                way.push(place.to_string());
                leaves(value, way, each)?;
                way.pop();
            }
            Ok(())
        }
        leaf => each(way, leaf),
    }
}

fn one(relation: &[u8], row: &str, way: &[String], leaf: &Value, out: &mut Out<'_>) -> Result<(), Trouble> {
    out.open()?;
    out.value(relation)?;
    out.word(row.as_bytes())?;
    for key in way {
        out.open()?;
        out.value(key.as_bytes())?;
    }
    match leaf {
        Value::String(text) => out.value(text.as_bytes())?,
        Value::Object(_) => out.word(b"{}")?,
        Value::Array(_) => out.word(b"[]")?,
        other => out.word(other.to_string().as_bytes())?,
    }
    for _ in way {
        out.close()?;
    }
    out.end()
}
