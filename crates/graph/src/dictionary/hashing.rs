//! The hash of a name: what the index of names is sorted by, 128 bits, so that two names which share one are not to be found.
//!
//! A graph has a random key of its own, which lies sealed in its manifest, and hashes with SipHash-2-4 of 128 bits (Aumasson and
//! Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012, and its reference code for 128 bits): who does not know the key can not
//! look for two names with one hash. A graph that was made before there were keys has none, and hashes with SHA-256, cut to its first half.
//!
//! What is hashed: a word that says what the name is, then a symbol's text, or the ids of an expression's items.
//!
//! Deliberately absent: where keys are kept ([`crate::manifest`]), the index.

use aws_lc_rs::digest;

/// A name's hash, as two columns of the index.
pub type Hash = [u64; 2];

/// Names up to here are hashed in one piece by SHA-256, which takes a third of the time.
const ONE_PIECE: usize = 256;

const SYMBOL: u8 = b's';
const EXPRESSION: u8 = b'e';

/// How a graph hashes its names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hashing {
    /// With SHA-256.
    #[default]
    Sha256,
    /// With SipHash under this key.
    Keyed([u64; 2]),
}

impl Hashing {
    /// The hash of a symbol.
    #[must_use]
    pub fn symbol(self, text: &[u8]) -> Hash {
        self.hash(SYMBOL, text)
    }

    /// The hash of an expression, by its items' ids as bytes.
    #[must_use]
    pub fn expression(self, items: &[u8]) -> Hash {
        self.hash(EXPRESSION, items)
    }

    fn hash(self, kind: u8, name: &[u8]) -> Hash {
        match self {
            Self::Sha256 => sha256(kind, name),
            Self::Keyed(key) => siphash(key, u64::from(kind), name),
        }
    }
}

fn sha256(kind: u8, name: &[u8]) -> Hash {
    let mut piece = [0; ONE_PIECE];
    let digest = match piece.get_mut(..=name.len()).and_then(<[u8]>::split_first_mut) {
        Some((first, rest)) => {
            *first = kind;
            rest.copy_from_slice(name);
            digest::digest(&digest::SHA256, piece.get(..=name.len()).unwrap_or_default())
        }
        None => {
            let mut context = digest::Context::new(&digest::SHA256);
            context.update(&[kind]);
            context.update(name);
            context.finish()
        }
    };
    let words = digest.as_ref().as_chunks::<8>().0;
    let word = |n: usize| words.get(n).map(|w| u64::from_be_bytes(*w)).unwrap_or_default();
    [word(0), word(1)]
}

/// SipHash-2-4 of 128 bits of a word and the bytes after it.
fn siphash([k0, k1]: [u64; 2], first: u64, bytes: &[u8]) -> Hash {
    let mut state = State([
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ]);
    state.word(first);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.word(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    for (to, byte) in last.iter_mut().zip(rest) {
        *to = *byte;
    }
    // The length of all, of which one byte counts.
    let length = (bytes.len() as u64).wrapping_add(8);
    state.word(u64::from_le_bytes(last) | length << 56);
    state.end()
}

struct State([u64; 4]);

impl State {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    #[inline]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32);
        c = c.wrapping_add(b);
        a = a.wrapping_add(d);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }

    fn half(&mut self) -> u64 {
        (0..4).for_each(|_| self.round());
        self.0.iter().fold(0, |all, word| all ^ word)
    }

    fn end(&mut self) -> Hash {
        self.0[2] ^= 0xee;
        let first = self.half();
        self.0[1] ^= 0xdd;
        [first, self.half()]
    }
}

#[cfg(test)]
mod tests;
