//! Root keys, and the file that holds them.
