//! Changing who exists.
