//! Signed notes (<https://c2sp.org/signed-note>) with Ed25519.
//!
//! ```text
//! text, ending in a newline
//!
//! — <key name> base64(key id(4) || signature(64))
//! ```
//!
//! Invariants: text comes out of a note only after a signature by a known key over it has verified; a bad
//! signature by a known key refuses the whole note, whatever else is on it; a note has a limited size.
//!
//! Deliberately absent: what the text says ([`checkpoint`] for a log), where keys are kept.

pub mod checkpoint;
pub mod envelope;

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use craton_base::{Error, Kind, Result};

use crate::{hash, keys::SealKey};

/// The longest note in bytes.
pub const NOTE_MAX: usize = 1 << 20;
/// The most signatures that a note may have.
pub const SIGNATURES_MAX: usize = 64;

/// The signature type of Ed25519.
const ED25519_TYPE: u8 = 1;
const PUBLIC_KEY_LEN: usize = 32;
const KEY_ID_LEN: usize = 4;

/// A key that signs notes.
pub struct Signer {
    key: Ed25519KeyPair,
    verifier: Verifier,
}

impl Signer {
    /// The signer `name` with the Ed25519 seed `seed`.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the name is empty or has a space, a plus or a control character.
    pub fn new(name: &str, seed: &SealKey) -> Result<Self> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map_err(|_| Error::internal("an Ed25519 seed was refused"))?;
        let public = key
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| Error::internal("an Ed25519 public key has the wrong length"))?;
        Ok(Self {
            key,
            verifier: Verifier::new(name, public)?,
        })
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The signature line for `text`.
    fn line(&self, text: &str) -> Result<String> {
        let signature = self
            .key
            .try_sign(text.as_bytes())
            .map_err(|_| Error::internal("signing a note failed"))?;
        let bytes = [self.verifier.id.as_slice(), signature.as_ref()].concat();
        Ok(format!("— {} {}\n", self.verifier.name, STANDARD.encode(bytes)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

/// A key that verifies notes. Its text form is the verifier key of Go's `note` package:
/// `<name>+<key id in hex>+base64(0x01 || public key)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; KEY_ID_LEN],
    public: [u8; PUBLIC_KEY_LEN],
}

impl Verifier {
    /// The verifier `name` with an Ed25519 public key.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the name is empty or has a space, a plus or a control character.
    pub fn new(name: &str, public: [u8; PUBLIC_KEY_LEN]) -> Result<Self> {
        let allowed = |c: char| c != '+' && !c.is_whitespace() && !c.is_control();
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(Error::invalid(
                "a key name is empty or has a space, a plus or a control character",
            ));
        }
        let mut hash = hash::Sha256::new();
        for part in [name.as_bytes(), b"\n", &[ED25519_TYPE], &public] {
            hash.update(part);
        }
        let [a, b, c, d, ..] = hash.finish();
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            public,
        })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id, the start of a hash: it finds a key, it proves nothing.
    #[must_use]
    pub fn id(&self) -> u32 {
        u32::from_be_bytes(self.id)
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; PUBLIC_KEY_LEN] {
        &self.public
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], self.public.as_slice()].concat());
        write!(f, "{}+{:08x}+{key}", self.name, self.id())
    }
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let wrong = || Error::invalid("not an Ed25519 verifier key");
        // The name has no plus; base64 may have some.
        let (name, rest) = s.split_once('+').ok_or_else(wrong)?;
        let (_, key) = rest.split_once('+').ok_or_else(wrong)?;
        let key = STANDARD.decode(key).map_err(|_| wrong())?;
        let Some((&ED25519_TYPE, public)) = key.split_first() else {
            return Err(wrong());
        };
        let out = Self::new(name, public.try_into().map_err(|_| wrong())?)?;
        // This compares the id too, and that there is one way to write a key.
        if out.to_string() == s {
            Ok(out)
        } else {
            Err(wrong())
        }
    }
}

/// A note whose signatures have been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The signed text, with its last newline.
    pub text: &'a str,
    /// The known keys that signed it: their places in the list of verifiers, each once.
    pub signed_by: Vec<usize>,
}

/// Signs `text` with each of `signers`.
///
/// # Errors
/// [`Kind::Invalid`] if the text does not end in a newline or has other control characters, or if nobody signs;
/// [`Kind::TooLarge`] above [`NOTE_MAX`] and [`SIGNATURES_MAX`].
pub fn sign(text: &str, signers: &[&Signer]) -> Result<String> {
    if !text.ends_with('\n') || has_control(text) || signers.is_empty() {
        return Err(malformed());
    }
    let mut note = format!("{text}\n");
    for signer in signers {
        note.push_str(&signer.line(text)?);
    }
    check_limits(&note, signers.len())?;
    Ok(note)
}

/// Verifies a note. Signatures by keys that are not in `known` count for nothing.
///
/// # Errors
/// [`Kind::Invalid`] `NoteMalformed` if it is no note; [`Kind::TooLarge`] above the limits; [`Kind::Corrupt`] `NoteRefused`
/// if a known key's signature is wrong or no known key signed.
pub fn verify<'a>(note: &'a str, known: &[Verifier]) -> Result<Verified<'a>> {
    check_limits(note, 0)?;
    if has_control(note) {
        return Err(malformed());
    }
    let (before, lines) = note.rsplit_once("\n\n").ok_or_else(malformed)?;
    let text = note.get(..before.len() + 1).ok_or_else(malformed)?;
    let lines = lines.strip_suffix('\n').ok_or_else(malformed)?;
    check_limits(note, lines.split('\n').count())?;
    let mut signed_by = Vec::new();
    for line in lines.split('\n') {
        let (name, id, signature) = parse_line(line)?;
        let Some(place) = known.iter().position(|v| v.name == name && v.id == id) else {
            continue;
        };
        let key = known.get(place).ok_or_else(refused)?;
        UnparsedPublicKey::new(&ED25519, &key.public)
            .verify(text.as_bytes(), &signature)
            .map_err(|_| refused())?;
        if !signed_by.contains(&place) {
            signed_by.push(place);
        }
    }
    if signed_by.is_empty() {
        return Err(refused());
    }
    Ok(Verified { text, signed_by })
}

/// Name, key id and signature of a line `— <name> base64(id || signature)`.
fn parse_line(line: &str) -> Result<(&str, [u8; KEY_ID_LEN], Vec<u8>)> {
    let rest = line.strip_prefix("— ").ok_or_else(malformed)?;
    let (name, signature) = rest.split_once(' ').ok_or_else(malformed)?;
    let mut bytes = STANDARD.decode(signature).map_err(|_| malformed())?;
    let id = *bytes.first_chunk().ok_or_else(malformed)?;
    if name.is_empty()
        || name.contains('+')
        || name.contains(char::is_whitespace)
        || bytes.len() <= KEY_ID_LEN
    {
        return Err(malformed());
    }
    Ok((name, id, bytes.split_off(KEY_ID_LEN)))
}

/// ASCII control characters other than newline.
fn has_control(text: &str) -> bool {
    text.bytes().any(|b| b < 0x20 && b != b'\n')
}

fn check_limits(note: &str, signatures: usize) -> Result<()> {
    if note.len() > NOTE_MAX || signatures > SIGNATURES_MAX {
        return Err(Error::new(
            Kind::TooLarge,
            "NoteTooLarge",
            format!("a note has at most {NOTE_MAX} bytes and {SIGNATURES_MAX} signatures"),
        ));
    }
    Ok(())
}

fn malformed() -> Error {
    Error::new(Kind::Invalid, "NoteMalformed", "not a signed note")
}

fn refused() -> Error {
    Error::new(
        Kind::Corrupt,
        "NoteRefused",
        "a note has no valid signature by a known key",
    )
}

#[cfg(test)]
mod tests;
