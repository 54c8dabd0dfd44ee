//! How a request of a door with small requests ends: the API's, the graph's.
//!
//! Invariant: a request that ends in an error has left a denial or a failed outcome in the ledger, whoever found the error.

use craton_base::Result;
use craton_gate::{Gate, Session};

/// What a request came to. If the gate was not asked and it failed all the same (a name or a body that is wrong), the
/// gate has recorded nothing, so this leaves a denial.
///
/// # Errors
/// The request's own; `Unavailable` if it can not be recorded.
pub(crate) fn settle<T>(
    gate: &Gate,
    session: &Session,
    operation: &str,
    path: &str,
    done: Result<T>,
) -> Result<T> {
    if let Err(error) = &done
        && !session.has_asked()
    {
        gate.refuse(session.origin(), session.access_key_id(), operation, path, error)?;
    }
    done
}
