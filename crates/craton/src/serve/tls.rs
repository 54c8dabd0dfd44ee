//! TLS: certificates from PEM files, `rustls` on `aws-lc-rs`.

use std::{path::Path, sync::Arc};

use craton_base::{Error, Result};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

use crate::files;

/// The most bytes of a PEM file.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Makes `aws-lc-rs` the provider for everything in this process that speaks TLS.
pub(crate) fn install_provider() {
    // Fails only if there is one already: then this was called before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// An acceptor with the certificates and key of two PEM files.
///
/// # Errors
/// `Invalid`, naming the file; the operating system's own.
pub(crate) fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor> {
    let wrong = |path: &Path, what: &str| Error::invalid(format!("the file {} {what}", path.display()));
    let pem = files::read(cert, PEM_BYTES_MAX)?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|e| wrong(cert, "has no PEM certificates").with_source(e))?;
    let pem = zeroize_on_drop(files::read(key, PEM_BYTES_MAX)?);
    let private = PrivateKeyDer::from_pem_slice(pem.expose())
        .map_err(|e| wrong(key, "has no PEM private key").with_source(e))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|e| wrong(cert, "does not fit the key").with_source(e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The version of a connection, as `s3:TlsVersion` has it. The acceptor takes no older one.
pub(super) fn version(connection: &rustls::ServerConnection) -> &'static str {
    match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "1.2",
        _ => "1.3",
    }
}

fn zeroize_on_drop(bytes: Vec<u8>) -> craton_base::Secret {
    craton_base::Secret::new(bytes)
}
