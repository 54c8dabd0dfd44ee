//! Finding versions in the table of rows: one seek for a key, and walks over the names of a span.
//!
//! A name may have many versions. A walk steps over the first few that it does not want and then seeks past
//! the rest, so that a page costs a bounded number of steps per name, in both directions.
//!
//! Deliberately absent: transactions, commits, the trait's types beyond spans.

use std::ops::Bound;

use craton_base::{Result, Sequence};
use redb::{AccessGuard, Cursor, ReadableTable};

use super::{
    super::{Direction, Flow, Key, Seen, Span, Visitor, encoding},
    engine,
};

/// Versions of one name that a walk steps over before it seeks: a seek costs about as much as this many steps.
const STEPS_MAX: u32 = 8;

type Guard<'t> = AccessGuard<'t, &'static [u8]>;

/// A row as it lies in the table.
pub(super) struct Raw<'t> {
    key: Guard<'t>,
    row: Guard<'t>,
}

impl Raw<'_> {
    /// The row, checked.
    pub(super) fn open(&self) -> Result<encoding::Row<'_>> {
        encoding::open_row(self.key.value(), self.row.value())
    }

    /// The key it is a version of.
    pub(super) fn key(&self) -> Result<Key> {
        encoding::parse_stem(self.stem()?)
    }

    fn stem(&self) -> Result<&[u8]> {
        Ok(encoding::split(self.key.value())?.0)
    }

    /// Shows the row to a visitor.
    pub(super) fn show(&self, visitor: &mut Visitor<'_>) -> Result<Flow> {
        let row = self.open()?;
        visitor(Seen {
            name: &encoding::name(self.stem()?)?,
            sequence: row.sequence,
            revision: row.revision,
            says: row.says,
        })
    }
}

/// Shows every row in `[from, end)` of a span, in order.
pub(super) fn visit_versions<T>(
    table: &T,
    span: &Span,
    from: Bound<&[u8]>,
    end: &[u8],
    visitor: &mut Visitor<'_>,
) -> Result<()>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    let mut cursor = table.lower_bound(from).map_err(engine)?;
    while let Some((key, row)) = cursor.next().map_err(engine)? {
        if key.value() >= end {
            break;
        }
        match (Raw { key, row }).show(visitor)? {
            Flow::Next => {}
            Flow::Stop => break,
            Flow::Skip(name) => {
                let target = encoding::before(span, &name);
                cursor = table
                    .lower_bound(Bound::Included(target.as_slice()))
                    .map_err(engine)?;
            }
        }
    }
    Ok(())
}

/// The newest version of `key` that is not later than `at`; it may be a deletion.
pub(super) fn newest<'t, T>(table: &'t T, key: &Key, at: Sequence) -> Result<Option<Raw<'t>>>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    if key.kind.keeps_history() {
        return version_at(table, &encoding::stem(key), at);
    }
    let row_key = encoding::row_key(key, at);
    let found = version_at(table, encoding::split(&row_key)?.0, Sequence(0))?;
    Ok(match found {
        Some(raw) if raw.open()?.sequence <= at => Some(raw),
        _ => None,
    })
}

fn version_at<'t, T>(table: &'t T, stem: &[u8], at: Sequence) -> Result<Option<Raw<'t>>>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    let from = encoding::with_version(stem, at);
    let mut cursor = table
        .lower_bound(Bound::Included(from.as_slice()))
        .map_err(engine)?;
    match cursor.next().map_err(engine)? {
        Some((key, row)) if encoding::split(key.value())?.0 == stem => Ok(Some(Raw { key, row })),
        _ => Ok(None),
    }
}

/// A walk over a span: for each name, the newest version that is not later than `at`.
pub(super) struct Walk<'t, T> {
    table: &'t T,
    cursor: Cursor<'t, &'static [u8], &'static [u8]>,
    start: Vec<u8>,
    end: Vec<u8>,
    at: Sequence,
    history: bool,
    direction: Direction,
    /// The stem of the last name, going forward: its further versions are stepped over.
    last: Vec<u8>,
}

impl<'t, T> Walk<'t, T>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    pub(super) fn new(table: &'t T, span: &Span, at: Sequence, direction: Direction) -> Result<Self> {
        let (start, end) = encoding::range(span);
        let cursor = match direction {
            Direction::Forward => table.lower_bound(Bound::Included(start.as_slice())),
            Direction::Backward => table.upper_bound(Bound::Excluded(end.as_slice())),
        };
        Ok(Self {
            table,
            cursor: cursor.map_err(engine)?,
            start,
            end,
            at,
            history: span.kind.keeps_history(),
            direction,
            last: Vec::new(),
        })
    }

    /// The next name's entry, deleted names left out.
    pub(super) fn next_existing(&mut self) -> Result<Option<Raw<'t>>> {
        loop {
            let Some(raw) = self.next_any()? else {
                return Ok(None);
            };
            if raw.open()?.says.value().is_some() {
                return Ok(Some(raw));
            }
        }
    }

    /// Shows each name's version, whatever it says, going forward.
    pub(super) fn visit(&mut self, span: &Span, visitor: &mut Visitor<'_>) -> Result<()> {
        while let Some(raw) = self.next_any()? {
            match raw.show(visitor)? {
                Flow::Next => {}
                Flow::Stop => break,
                Flow::Skip(name) => {
                    let target = encoding::before(span, &name);
                    let bound = Bound::Included(target.as_slice());
                    self.cursor = self.table.lower_bound(bound).map_err(engine)?;
                }
            }
        }
        Ok(())
    }

    /// The next name's version, whatever it says.
    pub(super) fn next_any(&mut self) -> Result<Option<Raw<'t>>> {
        match self.direction {
            Direction::Forward => self.next_name(),
            Direction::Backward => self.prev_name(),
        }
    }

    fn in_span(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && key < self.end.as_slice()
    }

    /// Whether the read sees this version.
    fn seen(&self, raw: &Raw<'_>) -> Result<bool> {
        let sequence = if self.history {
            encoding::split(raw.key.value())?.1
        } else {
            raw.open()?.sequence
        };
        Ok(sequence <= self.at)
    }

    fn next_name(&mut self) -> Result<Option<Raw<'t>>> {
        let mut steps = 0;
        while let Some((key, row)) = self.cursor.next().map_err(engine)? {
            if !self.in_span(key.value()) {
                break;
            }
            let raw = Raw { key, row };
            let stem = raw.stem()?;
            let done = self.last == stem;
            if !done && self.seen(&raw)? {
                self.last.clear();
                self.last.extend_from_slice(stem);
                return Ok(Some(raw));
            }
            steps += 1;
            if self.history && steps >= STEPS_MAX {
                self.seek_ahead(stem, done)?;
                steps = 0;
            }
        }
        Ok(None)
    }

    /// Past the oldest version of a name that is done; else to the newest version that the read sees.
    fn seek_ahead(&mut self, stem: &[u8], done: bool) -> Result<()> {
        let target = encoding::with_version(stem, if done { Sequence(0) } else { self.at });
        let bound = if done {
            Bound::Excluded(target.as_slice())
        } else {
            Bound::Included(target.as_slice())
        };
        self.cursor = self.table.lower_bound(bound).map_err(engine)?;
        Ok(())
    }

    /// Going backward a name's oldest version comes first: the last one seen before the name ends, or
    /// before a version that is too new, is the wanted one.
    fn prev_name(&mut self) -> Result<Option<Raw<'t>>> {
        while let Some(first) = self.step_back()? {
            let stem = first.stem()?.to_vec();
            let mut best = self.seen(&first)?.then_some(first);
            let mut steps = 1;
            while self.prev_is(&stem)? {
                if steps >= STEPS_MAX {
                    best = version_at(self.table, &stem, self.at)?;
                    self.seek_before(&stem)?;
                    break;
                }
                let Some(raw) = self.step_back()? else { break };
                if self.seen(&raw)? {
                    best = Some(raw);
                }
                steps += 1;
            }
            if best.is_some() {
                return Ok(best);
            }
        }
        Ok(None)
    }

    fn step_back(&mut self) -> Result<Option<Raw<'t>>> {
        Ok(match self.cursor.prev().map_err(engine)? {
            Some((key, row)) if self.in_span(key.value()) => Some(Raw { key, row }),
            _ => None,
        })
    }

    fn prev_is(&mut self, stem: &[u8]) -> Result<bool> {
        match self.cursor.peek_prev().map_err(engine)? {
            Some((key, _)) => Ok(encoding::split(key.value())?.0 == stem),
            None => Ok(false),
        }
    }

    /// Before the newest version of a name.
    fn seek_before(&mut self, stem: &[u8]) -> Result<()> {
        let newest = encoding::with_version(stem, Sequence::MAX);
        let bound = Bound::Excluded(newest.as_slice());
        self.cursor = self.table.upper_bound(bound).map_err(engine)?;
        Ok(())
    }
}
