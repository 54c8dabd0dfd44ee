//! The functions there are: DataFusion's, without those that make much of little.
//!
//! `repeat('x', 2000000000)` is a few bytes of a statement and gigabytes of one value, and no pool counts what a function makes of one batch. Such
//! functions are left out until they have limits.

use datafusion::execution::{FunctionRegistry as _, SessionState};

/// What makes values of any length from a number.
const UNBOUNDED: [&str; 8] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "array_resize",
    "range",
    "generate_series",
    "space",
];

/// Takes them out, under all their names.
pub(crate) fn without_unbounded(mut state: SessionState) -> SessionState {
    for name in UNBOUNDED {
        // One that is not there is not there.
        drop(state.deregister_udf(name));
    }
    state
}
