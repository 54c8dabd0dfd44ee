//! Tests only: a simulated disk, clock and source of randomness. All of them are repeatable from a seed.
//!
//! Deliberately absent: anything that the product links.

pub mod clock;
pub mod disk;
pub mod random;

pub use clock::SimClock;
pub use disk::SimDisk;
pub use random::SimRandom;
