//! An append-only file of records.
