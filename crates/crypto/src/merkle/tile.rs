//! Tiles of a transparency log as in C2SP tlog-tiles: coordinates, paths, entry bundles.
//!
//! A tile of level L holds up to 256 neighbouring hashes of height 8 L. A partial tile (fewer than 256) is at
//! the right edge; its path says its width. Entry bundles have the coordinates of level 0.
//!
//! Invariants: a path that parses is the one that its coordinates print; nothing here panics or
//! allocates by a number from outside.

use std::fmt::Write as _;

use craton_base::{Error, Kind, Result};

use super::{Hash, Node};

/// Hashes in a full tile.
pub const WIDTH: u16 = 256;
/// The levels of the tree that a tile spans.
pub const HEIGHT: u8 = 8;
/// Bytes of a full tile.
pub const FULL_LEN: usize = WIDTH as usize * HASH_LEN;
/// The highest level: a tree has less than 2^64 = 256^8 leaves.
pub const LEVEL_MAX: u8 = 7;
/// The longest entry in a bundle, in bytes.
pub const ENTRY_MAX: usize = u16::MAX as usize;

const HASH_LEN: usize = 32;
/// Seven groups of three digits hold any 64-bit number.
const GROUPS_MAX: usize = 7;

/// Where a tile is, and how many hashes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile `index` of `level` with `width` hashes.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the level is above [`LEVEL_MAX`] or the width is not 1 to [`WIDTH`].
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self> {
        if level > LEVEL_MAX || !(1..=WIDTH).contains(&width) {
            return Err(Error::invalid(format!(
                "no tile has level {level} and width {width}"
            )));
        }
        Ok(Self { level, index, width })
    }

    /// The tile as it is in a tree of `size` leaves; `None` if the tree has none there.
    #[must_use]
    pub fn in_tree(size: u64, level: u8, index: u64) -> Option<Self> {
        let before = index.checked_mul(u64::from(WIDTH))?;
        let width = hashes(size, level).checked_sub(before)?.min(u64::from(WIDTH));
        Self::new(level, index, u16::try_from(width).ok()?).ok()
    }

    /// The level; its hashes have the height 8 times that.
    #[must_use]
    pub fn level(self) -> u8 {
        self.level
    }

    /// The number of the tile in its level.
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes it holds, 1 to 256.
    #[must_use]
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it holds fewer than 256 hashes.
    #[must_use]
    pub fn is_partial(self) -> bool {
        self.width < WIDTH
    }

    /// Its length in bytes.
    #[must_use]
    pub fn byte_len(self) -> usize {
        usize::from(self.width) * HASH_LEN
    }

    /// Its path: `tile/<L>/<N>[.p/<W>]`.
    #[must_use]
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, index_path(self.index, self.width))
    }

    /// Its entry bundle's path, `tile/entries/<N>[.p/<W>]`; `None` above level 0.
    #[must_use]
    pub fn entries_path(self) -> Option<String> {
        (self.level == 0).then(|| format!("tile/entries/{}", index_path(self.index, self.width)))
    }

    /// Reads what [`path`](Self::path) writes, and nothing else.
    ///
    /// # Errors
    /// [`Kind::Invalid`].
    pub fn parse_path(path: &str) -> Result<Self> {
        let parse = || {
            let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let level = u8::try_from(decimal(level)?).ok()?;
            let (index, width) = parse_index_path(rest)?;
            Self::new(level, index, width).ok()
        };
        parse().ok_or_else(|| Error::invalid("not the path of a tile"))
    }

    /// Reads what [`entries_path`](Self::entries_path) writes, and nothing else.
    ///
    /// # Errors
    /// [`Kind::Invalid`].
    pub fn parse_entries_path(path: &str) -> Result<Self> {
        let parse = || {
            let (index, width) = parse_index_path(path.strip_prefix("tile/entries/")?)?;
            Self::new(0, index, width).ok()
        };
        parse().ok_or_else(|| Error::invalid("not the path of an entry bundle"))
    }

    /// The hashes in the bytes of this tile. A wider tile will do: the partial tile may have been removed after
    /// the full one was made.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] if there are too few bytes, too many, or no whole number of hashes.
    pub fn hashes(self, bytes: &[u8]) -> Result<&[Hash]> {
        let (hashes, rest) = bytes.as_chunks::<HASH_LEN>();
        hashes
            .get(..usize::from(self.width))
            .filter(|_| rest.is_empty() && bytes.len() <= FULL_LEN)
            .ok_or_else(|| {
                Error::corrupt(format!(
                    "{} has {} bytes, not {}",
                    self.path(),
                    bytes.len(),
                    self.byte_len()
                ))
            })
    }
}

/// The tile that holds a node, and the place of the node in it; `None` for the nodes between the tiles' levels, which
/// are not stored.
#[must_use]
pub fn place(node: Node) -> Option<(u8, u64, u16)> {
    let offset = u16::try_from(node.index % u64::from(WIDTH)).ok()?;
    (node.height.is_multiple_of(HEIGHT)).then_some((
        node.height / HEIGHT,
        node.index / u64::from(WIDTH),
        offset,
    ))
}

/// The tiles that a tree of `new` leaves has and a tree of `old` leaves has not, from the lowest level up.
/// Level 0 gives the entry bundles too. Lazy: nothing is kept.
pub fn grown(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let width = u64::from(WIDTH);
    (0..=LEVEL_MAX).flat_map(move |level| {
        let (before, after) = (hashes(old, level), hashes(new, level));
        let indices = if before < after {
            before / width..after.div_ceil(width)
        } else {
            0..0
        };
        indices.filter_map(move |index| Tile::in_tree(new, level, index))
    })
}

/// Appends an entry to a bundle: its length as two bytes, big-endian, then the entry.
///
/// # Errors
/// [`Kind::TooLarge`] above [`ENTRY_MAX`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<()> {
    let len = u16::try_from(entry.len()).map_err(|_| {
        Error::new(
            Kind::TooLarge,
            "EntryTooLarge",
            format!("a log entry has at most {ENTRY_MAX} bytes, not {}", entry.len()),
        )
    })?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The first `width` entries of a bundle, which must hold at least so many and at most [`WIDTH`].
///
/// # Errors
/// [`Kind::Corrupt`] if the bundle is anything else.
pub fn entries(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>> {
    let corrupt = || Error::corrupt("an entry bundle is malformed");
    let (mut rest, mut out) = (bundle, Vec::new());
    while let Some((len, tail)) = rest.split_first_chunk::<2>() {
        let (entry, tail) = tail
            .split_at_checked(usize::from(u16::from_be_bytes(*len)))
            .ok_or_else(corrupt)?;
        if out.len() == usize::from(WIDTH) {
            return Err(corrupt());
        }
        out.push(entry);
        rest = tail;
    }
    if !rest.is_empty() || out.len() < usize::from(width) {
        return Err(corrupt());
    }
    out.truncate(usize::from(width));
    Ok(out)
}

/// How many complete hashes of a tile level a tree has.
fn hashes(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(HEIGHT))
        .unwrap_or(0)
}

/// `x001/x234/067`, and `.p/<W>` for a partial tile.
fn index_path(index: u64, width: u16) -> String {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    let mut out = String::new();
    for (left, group) in groups.iter().enumerate().rev() {
        // Writing to a string does not fail.
        let _ = match left {
            0 => write!(out, "{group:03}"),
            _ => write!(out, "x{group:03}/"),
        };
    }
    if width < WIDTH {
        let _ = write!(out, ".p/{width}");
    }
    out
}

fn parse_index_path(path: &str) -> Option<(u64, u16)> {
    let (groups, width) = match path.split_once(".p/") {
        Some((groups, width)) => (
            groups,
            u16::try_from(decimal(width)?).ok().filter(|w| *w < WIDTH)?,
        ),
        None => (path, WIDTH),
    };
    let mut index: u64 = 0;
    let mut parts = groups.split('/').take(GROUPS_MAX + 1).peekable();
    while let Some(part) = parts.next() {
        let digits = if parts.peek().is_some() {
            part.strip_prefix('x')?
        } else {
            part
        };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    // One number, one path: leading groups of zeros and longer forms are refused here.
    (index_path(index, width) == path).then_some((index, width))
}

/// A decimal number without sign or leading zeros.
fn decimal(digits: &str) -> Option<u64> {
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
