//! Access key secrets at rest: sealed under a key of the system, bound to the access key's id.

use bytes::Bytes;
use craton_base::{Error, Random, Result, Secret};
use craton_crypto::{keys::SealKey, seal};

fn context(id: &str) -> Vec<u8> {
    let mut out = b"craton/access-key-secret/1\0".to_vec();
    out.extend_from_slice(id.as_bytes());
    out
}

pub(super) fn seal(key: &SealKey, id: &str, secret: &Secret, random: &dyn Random) -> Result<Bytes> {
    Ok(seal::seal(key, &context(id), secret.expose(), random)?.into())
}

pub(super) fn open(key: &SealKey, id: &str, sealed: &[u8]) -> Result<Secret> {
    let plain = seal::open(key, &context(id), sealed)
        .map_err(|e| Error::corrupt(format!("the secret of access key {id} does not open")).with_source(e))?;
    Ok(Secret::new(plain))
}
