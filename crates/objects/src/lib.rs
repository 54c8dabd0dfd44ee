//! S3 semantics without the protocol.
