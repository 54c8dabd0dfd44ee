//! A TCP connection to a target, with TLS if it is asked for, read in bounded pieces.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use craton_base::Result;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{ANSWER_BYTES_MAX, unavailable};

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// A connection.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    host: String,
}

impl Connection {
    /// Connects to `host:port`.
    pub(super) async fn open(address: &str, tls: bool) -> Result<Self> {
        let stream = TcpStream::connect(address).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let mut out = Self {
            stream: BufReader::new(Box::new(stream)),
            host: host.trim_matches(['[', ']']).to_owned(),
        };
        if tls {
            out = out.start_tls().await?;
        }
        Ok(out)
    }

    /// Goes on with TLS, trusting the machine's certificates. Nothing may have been received beyond what was read.
    pub(super) async fn start_tls(self) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // A certificate that rustls can not use vouches for nobody.
            let _ = roots.add(certificate);
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.host.clone())
            .map_err(|e| unavailable(format!("{:?} is no name for TLS", self.host)).with_source(e))?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector
            .connect(name, self.stream.into_inner())
            .await
            .map_err(lost)?;
        Ok(Self {
            stream: BufReader::new(Box::new(stream)),
            host: self.host,
        })
    }

    /// Sends all of it.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    /// The next `len` bytes.
    pub(super) async fn read(&mut self, len: usize) -> Result<Bytes> {
        if len > ANSWER_BYTES_MAX {
            return Err(unavailable(format!("an answer of {len} bytes is too long")));
        }
        let mut out = BytesMut::zeroed(len);
        self.stream.read_exact(&mut out).await.map_err(lost)?;
        Ok(out.freeze())
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<String> {
        let mut out = Vec::new();
        let mut limited = (&mut self.stream).take(ANSWER_BYTES_MAX as u64);
        limited.read_until(b'\n', &mut out).await.map_err(lost)?;
        if out.pop() != Some(b'\n') {
            return Err(unavailable("the target's line breaks off"));
        }
        if out.last() == Some(&b'\r') {
            out.pop();
        }
        String::from_utf8(out).map_err(|e| unavailable("the target's line is not text").with_source(e))
    }
}

fn lost(error: io::Error) -> craton_base::Error {
    unavailable(format!("the connection to the target: {error}")).with_source(error)
}
