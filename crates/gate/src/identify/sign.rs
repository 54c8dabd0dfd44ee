//! The other side: signing requests, for the command line's client and for tests. The canonical
//! form comes from the code that verifies.

use std::sync::Arc;

use base64::Engine as _;
use craton_base::{Error, Result, Secret, Timestamp};
use craton_crypto::hash::sha256;
use http::{
    HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, HOST},
    request::Parts,
};

use super::{
    canonical::{self, Canonical, Query, SignedHeaders, to_sign},
    chain::{Chain, parse_signature},
    claim::{ALGORITHM, AMZ_DATE, QUERY_AUTH, TOKEN},
    encoding::{self, Part},
    key::SigningKey,
    payload::{CONTENT_SHA256, DECODED_LENGTH, Mode, TRAILER, UNSIGNED},
    scope::{AmzDate, Scope, Service},
};

/// Headers that proxies and HTTP libraries add or change on the way.
const NOT_SIGNED: [&str; 7] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// Signs requests with one access key.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The token of a session's key.
    pub session_token: Option<Secret>,
    /// The region to sign for.
    pub region: String,
    /// The service to sign for.
    pub service: Service,
}

/// What to sign about the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The hash of the whole body.
    Sha256([u8; 32]),
    /// Nothing.
    Unsigned,
    /// The body follows in chunks, made by a [`ChunkWriter`].
    Chunked {
        /// Whether to sign the chunks.
        signed: bool,
        /// The length of the data in bytes.
        decoded_length: u64,
        /// The `x-amz-checksum-*` trailers that follow, in the order they will come.
        trailers: Vec<HeaderName>,
    },
}

impl Body {
    /// The hash of a body that is at hand.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self::Sha256(sha256(body))
    }

    const fn mode(&self) -> Mode {
        match self {
            Self::Sha256(sha256) => Mode::Sha256(*sha256),
            Self::Unsigned => Mode::Unsigned,
            Self::Chunked { signed, trailers, .. } => Mode::Chunked {
                signed: *signed,
                trailer: !*signed || !trailers.is_empty(),
            },
        }
    }
}

impl Signer {
    /// Signs with an `Authorization` header: the host and all headers but those that change on
    /// the way. Needs the `Host` header or an absolute address. Returns the writer of the chunks,
    /// if the body is in chunks.
    ///
    /// # Errors
    /// The request has no host, or its address or a header cannot be signed.
    pub fn sign(&self, parts: &mut Parts, body: &Body, at: Timestamp) -> Result<Option<ChunkWriter>> {
        let date = AmzDate::from_timestamp(at);
        let mode = body.mode();
        parts.headers.remove(AUTHORIZATION);
        parts.headers.insert(AMZ_DATE, header_value(&date.text)?);
        if let Some(token) = &self.session_token {
            parts.headers.insert(TOKEN, secret_value(token)?);
        }
        if self.service == Service::S3 {
            parts.headers.insert(CONTENT_SHA256, header_value(&mode.text())?);
        }
        if let Body::Chunked {
            decoded_length,
            trailers,
            ..
        } = body
        {
            parts
                .headers
                .insert(DECODED_LENGTH, HeaderValue::from(*decoded_length));
            parts.headers.remove(TRAILER);
            for name in trailers {
                parts
                    .headers
                    .append(TRAILER, HeaderValue::from_name(name.clone()));
            }
        }
        let mut names: Vec<_> = parts
            .headers
            .keys()
            .filter(|n| !NOT_SIGNED.contains(&n.as_str()))
            .cloned()
            .collect();
        if !names.contains(&HOST) {
            names.push(HOST);
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let signed = SignedHeaders(names);
        let query = Query::parse(parts.uri.query())?.canonical(None);
        let (key, scope, signature) = self.signature(parts, &query, &signed, &mode.text(), &date)?;
        let value = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            signed.text()
        );
        parts.headers.insert(AUTHORIZATION, header_value(&value)?);
        let Mode::Chunked { signed, trailer } = mode else {
            return Ok(None);
        };
        let seed = parse_signature(&signature).unwrap_or_default();
        let chain = signed.then(|| Chain::new(Arc::new(key), &date.text, &scope, seed));
        Ok(Some(ChunkWriter { chain, trailer }))
    }

    /// Signs into the query: an address that is good for `expires_seconds` from `at`. The body is
    /// not signed; the host and the `x-amz-*` headers that `parts` has are.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn presign(&self, parts: &mut Parts, expires_seconds: u64, at: Timestamp) -> Result<()> {
        let date = AmzDate::from_timestamp(at);
        let scope = self.scope(&date);
        let amz = parts
            .headers
            .keys()
            .filter(|n| n.as_str().starts_with("x-amz-"))
            .cloned();
        let mut names: Vec<_> = amz.chain([HOST]).collect();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let signed = SignedHeaders(names);
        let mut query = Query::parse(parts.uri.query())?;
        let [algorithm, credential, on, expires, headers, _, token] = QUERY_AUTH;
        query.push(algorithm, ALGORITHM);
        query.push(credential, &format!("{}/{}", self.access_key_id, scope.text()));
        query.push(on, &date.text);
        query.push(expires, &expires_seconds.to_string());
        query.push(headers, &signed.text());
        if let Some(secret) = &self.session_token {
            query.push(token, secret_text(secret)?);
        }
        let query = query.canonical(None);
        let (_, _, signature) = self.signature(parts, &query, &signed, UNSIGNED, &date)?;
        let address = format!("{}?{query}&X-Amz-Signature={signature}", parts.uri.path());
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        let address = address
            .parse()
            .map_err(|_| Error::invalid("the presigned address is too long"))?;
        uri.path_and_query = Some(address);
        parts.uri = Uri::from_parts(uri).map_err(|_| Error::invalid("the address is not valid"))?;
        Ok(())
    }

    /// Signs a form upload: the fields that it needs besides its own. `conditions` are those of the policy,
    /// as JSON; those on the signature's own fields are added.
    ///
    /// # Errors
    /// The session token is not text.
    pub fn sign_form(
        &self,
        conditions: &[serde_json::Value],
        expires: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<(&'static str, String)>> {
        let date = AmzDate::from_timestamp(at);
        let scope = self.scope(&date);
        let mut fields = vec![
            ("x-amz-algorithm", ALGORITHM.to_owned()),
            (
                "x-amz-credential",
                format!("{}/{}", self.access_key_id, scope.text()),
            ),
            ("x-amz-date", date.text.clone()),
        ];
        if let Some(token) = &self.session_token {
            fields.push(("x-amz-security-token", secret_text(token)?.to_owned()));
        }
        let own = fields
            .iter()
            .map(|(name, value)| serde_json::json!(["eq", format!("${name}"), value]));
        let conditions: Vec<_> = conditions.iter().cloned().chain(own).collect();
        let expiration = expires
            .to_utc()
            .format(&time::format_description::well_known::Rfc3339)
            .map_err(|e| Error::internal("a time can not be written").with_source(e))?;
        let policy = serde_json::json!({ "expiration": expiration, "conditions": conditions }).to_string();
        let policy = base64::engine::general_purpose::STANDARD.encode(policy);
        let key = SigningKey::derive(&self.secret, &scope);
        let signature = hex::encode(key.sign(&[policy.as_bytes()]));
        fields.extend([("policy", policy), ("x-amz-signature", signature)]);
        Ok(fields)
    }

    fn scope(&self, date: &AmzDate) -> Scope {
        Scope {
            date: date.day().to_owned(),
            region: self.region.clone(),
            service: self.service.as_str().to_owned(),
        }
    }

    fn signature(
        &self,
        parts: &Parts,
        query: &str,
        signed: &SignedHeaders,
        payload: &str,
        date: &AmzDate,
    ) -> Result<(SigningKey, String, String)> {
        let scope = self.scope(date);
        let canonical = Canonical {
            method: parts.method.as_str(),
            path: &canonical::path(parts.uri.path(), self.service)?,
            query,
            headers: &parts.headers,
            host: canonical::host(parts)?,
            signed,
            payload,
        };
        let key = SigningKey::derive(&self.secret, &scope);
        let signature = hex::encode(key.sign(&to_sign(&date.text, &scope, &canonical.hash()?)));
        Ok((key, scope.text(), signature))
    }
}

/// The path of an object in an address: every byte but unreserved ones and `/` encoded.
#[must_use]
pub fn encode_path(path: &str) -> String {
    let mut out = String::new();
    encoding::encode_into(&mut out, path.as_bytes(), Part::Path);
    out
}

/// A name or value in a query: every byte but unreserved ones encoded.
#[must_use]
pub fn encode_query(text: &str) -> String {
    let mut out = String::new();
    encoding::encode_into(&mut out, text.as_bytes(), Part::Query);
    out
}

fn header_value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| Error::invalid("a header to be signed is not visible ASCII"))
}

fn secret_value(secret: &Secret) -> Result<HeaderValue> {
    let mut value = header_value(secret_text(secret)?)?;
    value.set_sensitive(true);
    Ok(value)
}

fn secret_text(secret: &Secret) -> Result<&str> {
    std::str::from_utf8(secret.expose()).map_err(|_| Error::invalid("the session token is not text"))
}

/// Writes a body in chunks that continue a request's signature.
#[derive(Debug)]
pub struct ChunkWriter {
    chain: Option<Chain>,
    trailer: bool,
}

impl ChunkWriter {
    /// Appends a chunk. Signed chunks, the last excepted, need at least
    /// [`SIGNED_CHUNK_BYTES_MIN`](super::body::SIGNED_CHUNK_BYTES_MIN) bytes. An empty one would
    /// end the body and is skipped.
    pub fn chunk(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if !data.is_empty() {
            self.head(data, out);
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Appends the end, with the trailers that the request announced.
    pub fn finish(mut self, trailers: &[(HeaderName, &str)], out: &mut Vec<u8>) {
        self.head(b"", out);
        if self.trailer {
            let mut signed = String::new();
            for (name, value) in trailers {
                signed.extend([name.as_str(), ":", value, "\n"]);
                out.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            }
            if let Some(chain) = &mut self.chain {
                let signature = hex::encode(chain.trailer(sha256(signed.as_bytes())));
                out.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    fn head(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let signature = self
            .chain
            .as_mut()
            .map(|chain| hex::encode(chain.chunk(sha256(data))));
        let signature = signature
            .map(|s| format!(";chunk-signature={s}"))
            .unwrap_or_default();
        out.extend_from_slice(format!("{:x}{signature}\r\n", data.len()).as_bytes());
    }
}
