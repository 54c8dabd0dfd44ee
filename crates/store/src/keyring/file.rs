//! The keyring as text. The format is in `docs/formats.md`, section "Keyring".

use craton_base::{Error, Result, Timestamp};
use craton_crypto::{SealKey, hash};
use zeroize::Zeroizing;

use super::{KEYS_MAX, Ring, RootKey};
use crate::disk::Disk;

const TITLE: &str = "craton keyring 1";
const WARNING: &str = "# Root keys. Without this file the data can not be read: keep a copy in a safe place, and show it to nobody.";

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * KEYS_MAX as u64;

/// The file for these keys.
pub(super) fn encode(ring: &Ring) -> Zeroizing<String> {
    // Reserved whole, so that growing leaves no unwiped copies behind.
    let lines = ring.others.len().saturating_add(4);
    let mut out = Zeroizing::new(String::with_capacity(lines.saturating_mul(256)));
    for line in [TITLE, "\n", WARNING, "\n"] {
        out.push_str(line);
    }
    push_key(&mut out, "active", &ring.active);
    ring.others.iter().for_each(|k| push_key(&mut out, "older", k));
    let sum = hex::encode(hash::sha256(out.as_bytes()));
    for part in ["sha256 ", &sum, "\n"] {
        out.push_str(part);
    }
    out
}

fn push_key(out: &mut String, role: &str, key: &RootKey) {
    let secret = Zeroizing::new(hex::encode(key.key.expose()));
    let created = key.created.micros().to_string();
    for part in [role, " ", &key.id, " ", &created, " ", &secret, "\n"] {
        out.push_str(part);
    }
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(format!("the keyring does not verify: {what}"))
}

/// Reads and checks the file at `path`.
pub(super) fn read(disk: &dyn Disk, path: &str) -> Result<Ring> {
    let file = disk.open(path)?;
    let len = file.len()?;
    if len > FILE_BYTES_MAX {
        return Err(corrupt("it is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(len).unwrap_or(0)]);
    file.read_at(0, &mut bytes)?;
    decode(&bytes)
}

/// The keys in a file.
pub(super) fn decode(bytes: &[u8]) -> Result<Ring> {
    let text = std::str::from_utf8(bytes).map_err(|_| corrupt("it is not text"))?;
    let body = text
        .strip_suffix('\n')
        .ok_or_else(|| corrupt("it is cut short"))?;
    let (body, sum_line) = body.rsplit_once('\n').ok_or_else(|| corrupt("it is cut short"))?;
    let given = sum_line
        .strip_prefix("sha256 ")
        .ok_or_else(|| corrupt("it has no checksum"))?;
    // The checksum covers the line break before it.
    let covered = bytes.get(..body.len().saturating_add(1)).unwrap_or_default();
    if hex::encode(hash::sha256(covered)) != given {
        return Err(corrupt("its checksum is another"));
    }
    let mut lines = body.lines();
    if lines.next() != Some(TITLE) {
        return Err(corrupt("it is of a version that this program does not know"));
    }
    let (mut active, mut others) = (None, Vec::new());
    for line in lines.filter(|l| !l.starts_with('#')) {
        let (role, key) = parse_key(line).ok_or_else(|| corrupt("a line is not a key"))?;
        match role {
            "active" if active.is_none() => active = Some(key),
            "older" if others.len() < KEYS_MAX => others.push(key),
            _ => return Err(corrupt("a key has no place")),
        }
    }
    let active = active.ok_or_else(|| corrupt("it has no active key"))?;
    Ok(Ring { active, others })
}

fn parse_key(line: &str) -> Option<(&str, RootKey)> {
    let mut words = line.split(' ');
    let (role, id, created, secret) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let secret = Zeroizing::new(hex::decode(secret).ok()?);
    let key = RootKey {
        id: id.to_owned(),
        created: Timestamp(created.parse().ok()?),
        key: SealKey::from_slice(&secret).ok()?,
    };
    Some((role, key))
}
