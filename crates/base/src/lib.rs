//! Words that every crate shares: names, identifiers, resource paths, sizes, error kinds,
//! the clock and randomness traits, secrets, and the escaping of XML.
//!
//! Invariants: nothing here does I/O, spawns, or knows a protocol; a name that exists as a
//! type here has been validated, so nobody downstream validates it again.
//!
//! Deliberately absent: HTTP, S3, storage formats, policy.

pub mod clock;
pub mod error;
pub mod id;
pub mod name;
pub mod path;
pub mod random;
pub mod secret;
pub mod size;
pub mod xml;

pub use clock::{Clock, Timestamp};
pub use error::{Error, Kind, Result};
pub use id::{BlobId, BranchId, BucketId, Sequence};
pub use name::{BucketName, GraphName, ObjectKey, PrincipalName};
pub use path::{FactPath, ResourcePath};
pub use random::Random;
pub use secret::Secret;
pub use size::ByteSize;
