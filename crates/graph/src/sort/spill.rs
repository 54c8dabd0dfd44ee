//! What does not fit in memory: pieces of bytes that are written once, in order, and read once, in order.
//!
//! Invariants: what one `write` was given, one `read` gives back; a spill that is dropped leaves nothing behind.
//!
//! Deliberately absent: where the pieces lie and how they are sealed. The engine's implementation goes through a
//! permit; the one here keeps them in memory and serves tests and work that may not spill.

use std::collections::VecDeque;

use craton_base::{Error, Kind, Result};

/// Makes places for what does not fit in memory.
pub trait Spill: Send + Sync {
    /// A new, empty place.
    ///
    /// # Errors
    /// The store's own; `TooLarge` if no more may be spilled.
    fn create(&self) -> Result<Box<dyn SpillWriter>>;
}

/// A place being written.
pub trait SpillWriter: Send {
    /// Appends a piece.
    ///
    /// # Errors
    /// The store's own; `TooLarge` if no more may be spilled.
    fn write(&mut self, piece: &[u8]) -> Result<()>;

    /// Ends writing.
    ///
    /// # Errors
    /// The store's own.
    fn finish(self: Box<Self>) -> Result<Box<dyn SpillReader>>;
}

/// A place being read, from its first piece.
pub trait SpillReader: Send {
    /// Puts the next piece into `piece`, in place of what is there; `false` after the last.
    ///
    /// # Errors
    /// `Corrupt`; the store's own.
    fn read(&mut self, piece: &mut Vec<u8>) -> Result<bool>;
}

/// Refuses to spill: for work that has to fit in its memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSpill;

impl Spill for NoSpill {
    fn create(&self) -> Result<Box<dyn SpillWriter>> {
        Err(Error::new(
            Kind::TooLarge,
            "GraphMemory",
            "this work does not fit in the memory that it may use, and it may not use the disk",
        ))
    }
}

/// Spills to memory, for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemorySpill;

impl Spill for MemorySpill {
    fn create(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(MemoryPieces::default()))
    }
}

#[derive(Default)]
struct MemoryPieces(VecDeque<Vec<u8>>);

impl SpillWriter for MemoryPieces {
    fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.0.push_back(piece.to_vec());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Box<dyn SpillReader>> {
        Ok(self)
    }
}

impl SpillReader for MemoryPieces {
    fn read(&mut self, piece: &mut Vec<u8>) -> Result<bool> {
        match self.0.pop_front() {
            Some(next) => {
                *piece = next;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
