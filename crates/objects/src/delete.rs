//! Deleting an object. Deleting what does not exist succeeds, as in S3.

use craton_base::{Kind as ErrorKind, ObjectKey};
use craton_gate::{Changes, Kind, WritePermit};

use crate::{
    Result,
    condition::WriteConditions,
    put::{conflict, expected},
};

/// How often a conditional delete that lost a race is tried again.
const COMMIT_TRIES_MAX: usize = 32;

/// The most keys in one multi-delete.
pub const DELETE_KEYS_MAX: usize = 1000;

/// Deletes the object that `permit` is for.
///
/// # Errors
/// The conditions' faults; the gate's own.
pub async fn delete(permit: &WritePermit, key: &ObjectKey, conditions: &WriteConditions) -> Result<()> {
    let name = key.as_str().as_bytes();
    permit.bucket()?;
    for _ in 0..COMMIT_TRIES_MAX {
        let expected = expected(permit, name, conditions)?;
        let changes = match permit.entry(Kind::Object, name)? {
            Some(_) => expected.apply(Changes::new().delete(Kind::Object, name.to_vec()), name),
            // Nothing to change; the commit carries the record that it was asked and allowed.
            None => Changes::new(),
        };
        match permit.commit(changes).await {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Precondition && !conditions.is_empty() => {}
            Err(e) if e.kind() == ErrorKind::Precondition => return Err(conflict()),
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
}
