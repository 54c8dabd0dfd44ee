//! The memory budget.
