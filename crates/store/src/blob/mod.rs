//! Blobs: immutable sealed files, each named by a random id.
