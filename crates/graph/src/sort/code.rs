//! The bytes of spilled keys: each key as its difference from the one before, so that sorted keys take few.
//!
//! ```text
//! keys of one word    varint(key - previous)
//! keys of more words  words shared with the previous key, one byte; varint(difference of the next word); the rest as varints
//! ```
//! A varint has seven bits a byte, the lowest first. These bytes live only as long as the work that wrote them.

use craton_base::{Error, Result};

use super::key::Key;

/// Appends `keys`, which are sorted and distinct, to `bytes`.
pub(super) fn encode<K: Key>(keys: &[K], bytes: &mut Vec<u8>) {
    let mut previous = K::default();
    for key in keys {
        let shared = match K::WORDS {
            1 => 0,
            words => (0..words)
                .take_while(|at| key.word(*at) == previous.word(*at))
                .count(),
        };
        if K::WORDS > 1 {
            // At most 64 words: a wider tuple is an expression.
            bytes.push(u8::try_from(shared).unwrap_or(u8::MAX));
        }
        for at in shared..K::WORDS {
            let word = key.word(at);
            let value = if at == shared {
                word.wrapping_sub(previous.word(at))
            } else {
                word
            };
            put_varint(value, bytes);
        }
        previous = *key;
    }
}

/// Puts the keys of `bytes` into `keys`, in place of what is there.
pub(super) fn decode<K: Key>(bytes: &[u8], keys: &mut Vec<K>) -> Result<()> {
    keys.clear();
    let mut bytes = bytes.iter();
    let mut previous = K::default();
    while !bytes.as_slice().is_empty() {
        let shared = match K::WORDS {
            1 => 0,
            _ => bytes.next().map_or(0, |byte| usize::from(*byte)),
        };
        let mut failed = false;
        let key = K::from_words((0..K::WORDS).map(|at| match at {
            at if at < shared => previous.word(at),
            at => {
                let value = take_varint(&mut bytes).unwrap_or_else(|| {
                    failed = true;
                    0
                });
                if at == shared {
                    previous.word(at).wrapping_add(value)
                } else {
                    value
                }
            }
        }));
        if failed {
            return Err(Error::corrupt("a spilled piece of a sort ends within a key"));
        }
        keys.push(key);
        previous = key;
    }
    Ok(())
}

fn put_varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.next()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
