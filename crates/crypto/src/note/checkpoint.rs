//! Checkpoints of a transparency log (<https://c2sp.org/tlog-checkpoint>): a signed note that says the log's origin,
//! its size and its root.
//!
//! Invariant: text that parses is the text that the checkpoint prints.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use craton_base::{Error, Kind, Result};

use super::{Signer, Verifier};
use crate::merkle::Hash;

/// What a log says about itself at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root of the tree of that size.
    pub root: Hash,
    /// Further lines, opaque here.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The text to be signed.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the origin or an extension is empty or has a control character.
    pub fn text(&self) -> Result<String> {
        let line_ok = |line: &str| !line.is_empty() && !line.bytes().any(|b| b < 0x20);
        if !line_ok(&self.origin) || !self.extensions.iter().all(|line| line_ok(line)) {
            return Err(malformed());
        }
        let mut out = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        for line in &self.extensions {
            out.push_str(line);
            out.push('\n');
        }
        Ok(out)
    }

    /// Reads what [`text`](Self::text) writes, and nothing else. Only for text whose signature has been verified.
    ///
    /// # Errors
    /// [`Kind::Invalid`] `CheckpointMalformed`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.strip_suffix('\n').ok_or_else(malformed)?.split('\n');
        let mut line = || lines.next().ok_or_else(malformed);
        let (origin, size, root) = (line()?, line()?, line()?);
        let root = STANDARD.decode(root).map_err(|_| malformed())?;
        let out = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| malformed())?,
            root: root.try_into().map_err(|_| malformed())?,
            extensions: lines.map(str::to_owned).collect(),
        };
        // One checkpoint, one text: signs and leading zeros are refused here.
        if out.text()? == text {
            Ok(out)
        } else {
            Err(malformed())
        }
    }

    /// The checkpoint as a note signed by the log.
    ///
    /// # Errors
    /// As [`text`](Self::text) and [`super::sign`].
    pub fn sign(&self, signer: &Signer) -> Result<String> {
        super::sign(&self.text()?, &[signer])
    }

    /// Verifies a checkpoint of the log `origin` signed by one of `known`.
    ///
    /// # Errors
    /// As [`super::verify`] and [`parse`](Self::parse); [`Kind::Corrupt`] `NoteRefused` if it is another log's.
    pub fn verify(note: &str, origin: &str, known: &[Verifier]) -> Result<Self> {
        let out = Self::parse(super::verify(note, known)?.text)?;
        if out.origin != origin {
            return Err(Error::new(
                Kind::Corrupt,
                "NoteRefused",
                format!("a checkpoint is of the log {:?}, not {origin:?}", out.origin),
            ));
        }
        Ok(out)
    }
}

fn malformed() -> Error {
    Error::new(
        Kind::Invalid,
        "CheckpointMalformed",
        "not the checkpoint of a log",
    )
}

#[cfg(test)]
mod tests;
