//! Documents from outside: the configuration and keys of identity providers.
//!
//! Invariants
//! - only addresses of the public internet are reached, unless the administrator named others
//!   (`--fetch-private`): a name is resolved once, what it resolves to is checked, and the connection goes to one of the
//!   addresses that were checked, so a name that changes its mind reaches nothing else;
//! - no redirect is followed, no proxy of the environment is asked, an answer has a limit of bytes and of time;
//! - without TLS only what the administrator named is reached.
//!
//! Deliberately absent: what the documents say.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use craton_base::{Error, Kind, Result};
use craton_doors::http::Network;
use craton_gate::Fetch;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

/// How long fetching one document may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;

/// Fetches documents from where it may.
pub(super) struct GuardedFetch {
    client: Client,
    private: Arc<[Network]>,
}

/// Resolves names, and drops the addresses that are not to be reached.
struct Guard(Arc<[Network]>);

impl GuardedFetch {
    /// Reaches the public internet, and `private` besides.
    ///
    /// # Errors
    /// `Internal` if the HTTP client does not start.
    pub(super) fn new(private: &[Network]) -> Result<Self> {
        let private: Arc<[Network]> = private.into();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .dns_resolver(Arc::new(Guard(private.clone())))
            .build()
            .map_err(|e| {
                Error::internal("the client for documents from outside does not start").with_source(e)
            })?;
        Ok(Self { client, private })
    }

    /// The address, if it may be reached as it stands.
    fn check(&self, url: &str) -> Result<Url> {
        let refused = |message: &'static str| Error::new(Kind::Denied, "AddressRefused", message);
        let url = Url::parse(url).map_err(|_| refused("the address of a document is not a URL"))?;
        let host = url
            .host_str()
            .ok_or_else(|| refused("the address of a document has no host"))?;
        // A resolver is not asked about an address: it is checked here.
        let literal = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .ok();
        if literal.is_some_and(|address| !may_reach(address, &self.private)) {
            return Err(refused(
                "the address of a document is not one of the public internet",
            ));
        }
        let plain =
            url.scheme() == "http" && (literal.is_some() || host == "localhost") && !self.private.is_empty();
        if url.scheme() != "https" && !plain {
            return Err(refused("documents are fetched over https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("the address of a document holds credentials"));
        }
        Ok(url)
    }
}

#[async_trait]
impl Fetch for GuardedFetch {
    async fn get(&self, url: &str) -> Result<Bytes> {
        let failed = || {
            Error::new(
                Kind::Unavailable,
                "IDPCommunicationError",
                "a document of an identity provider can not be had",
            )
        };
        let url = self.check(url)?;
        let answer = self
            .client
            .get(url)
            .header("accept", "application/json")
            .send()
            .await;
        let mut answer = answer.map_err(|e| failed().with_source(e.without_url()))?;
        if answer.status() != http::StatusCode::OK {
            return Err(failed());
        }
        let mut out = BytesMut::new();
        while let Some(piece) = answer
            .chunk()
            .await
            .map_err(|e| failed().with_source(e.without_url()))?
        {
            if out.len().saturating_add(piece.len()) > DOCUMENT_BYTES_MAX {
                return Err(failed());
            }
            out.extend_from_slice(&piece);
        }
        Ok(out.freeze())
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|at| may_reach(at.ip(), &private)).collect();
            if good.is_empty() {
                return Err("the name does not resolve to an address that may be reached".into());
            }
            let addrs: Addrs = Box::new(good.into_iter());
            Ok(addrs)
        })
    }
}

fn may_reach(address: IpAddr, private: &[Network]) -> bool {
    let address = address.to_canonical();
    is_public(address) || private.iter().any(|network| network.contains(address))
}

/// Whether an address is one of the public internet (IANA's registries of special addresses).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _) | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _)
    ) || matches!(
        (a, b, c),
        (192, 168, _) | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113)
    );
    !special && a < 224
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast, without documentation, the ranges that hold IPv4 addresses, and protocol assignments.
    (a & 0xe000) == 0x2000 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x2002 && a != 0x3fff
}

#[cfg(test)]
mod tests;
