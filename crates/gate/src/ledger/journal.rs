//! What the ledger needs of a journal, so that its tests can take the disk away.

use craton_base::{Error, Kind, Result};
use craton_store::journal::{Journal, Position};

/// An append-only file of records. A record's position is its number, counted from the journal's first record.
pub trait RecordJournal: Send + Sync + 'static {
    /// Writes records, in order, with one write. When it returns, they have left the process.
    /// Gives the position of the first.
    ///
    /// # Errors
    /// The disk's own.
    fn append(&self, records: &[&[u8]]) -> Result<u64>;

    /// Makes everything appended before durable.
    ///
    /// # Errors
    /// The disk's own.
    fn sync(&self) -> Result<()>;

    /// Gives `each` the records from position `from` up to `end`, about `bytes` of them but at least one if there
    /// is one. Returns the position after the last.
    ///
    /// # Errors
    /// `Corrupt` if what stands there does not verify; what `each` returns.
    fn read(
        &self,
        from: u64,
        end: u64,
        bytes: usize,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64>;

    /// The position that the next record will have.
    fn end(&self) -> u64;

    /// The records before `upto` are not needed any more.
    ///
    /// # Errors
    /// The disk's own.
    fn release(&self, upto: u64) -> Result<()>;

    /// Whether its end was found cut when it was opened.
    fn torn(&self) -> bool;
}

/// Stops a replay that has given enough; never leaves this module.
const ENOUGH: &str = "LedgerEnough";

impl RecordJournal for Journal {
    fn append(&self, records: &[&[u8]]) -> Result<u64> {
        Ok(Self::append(self, records)?.0)
    }

    fn sync(&self) -> Result<()> {
        Self::sync(self).map(drop)
    }

    fn read(
        &self,
        from: u64,
        end: u64,
        bytes: usize,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64> {
        let mut next = from;
        let mut taken = 0usize;
        let replayed = self.replay(Position(from), &mut |position, record| {
            if position.0 >= end || taken >= bytes {
                return Err(Error::new(Kind::Internal, ENOUGH, "enough"));
            }
            if position.0 != next {
                return Err(Error::corrupt(format!(
                    "the journal has no record {next} any more"
                )));
            }
            taken = taken.saturating_add(record.len());
            next = next.saturating_add(1);
            each(record)
        });
        match replayed {
            Err(e) if e.reason() != ENOUGH => Err(e),
            _ => Ok(next),
        }
    }

    fn end(&self) -> u64 {
        self.next().0
    }

    fn release(&self, upto: u64) -> Result<()> {
        Self::release(self, Position(upto))
    }

    fn torn(&self) -> bool {
        self.recovered().torn
    }
}
