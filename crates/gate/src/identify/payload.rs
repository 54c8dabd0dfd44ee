//! What a signature says about the body: its hash, nothing, or that it comes in chunks.

use std::fmt;

use craton_base::Result;
use craton_crypto::hash;
use http::{HeaderName, request::Parts};

use super::{canonical::one_header, chain::Chain, refuse};

/// Where the payload's mode stands.
pub(super) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// The length of the data inside the chunks.
pub(super) const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
/// The names of the trailers that will follow.
pub(super) const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The most trailers after a chunked body.
pub const TRAILERS_MAX: usize = 8;

/// How the body is tied to the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The SHA-256 of the whole body is signed.
    Sha256([u8; 32]),
    /// The body is not signed.
    Unsigned,
    /// The body is cut into chunks (`aws-chunked`).
    Chunked {
        /// Whether each chunk, and the trailer, carry a signature that continues the request's.
        signed: bool,
        /// Whether trailers follow the last chunk.
        trailer: bool,
    },
}

const MODES: [(&str, Mode); 4] = [
    (UNSIGNED, Mode::Unsigned),
    (
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        Mode::Chunked {
            signed: true,
            trailer: false,
        },
    ),
    (
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        Mode::Chunked {
            signed: true,
            trailer: true,
        },
    ),
    (
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        Mode::Chunked {
            signed: false,
            trailer: true,
        },
    ),
];

impl Mode {
    /// Reads the value of `x-amz-content-sha256`.
    ///
    /// # Errors
    /// `NotImplemented` for the asymmetric signatures of SigV4A, else `InvalidArgument`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == text) {
            return Ok(*mode);
        }
        if text.starts_with("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") {
            let message = "signature version 4A (ECDSA) is not supported; use AWS4-HMAC-SHA256";
            return Err(refuse::invalid("NotImplemented", message));
        }
        let mut sha256 = [0; 32];
        hex::decode_to_slice(text, &mut sha256).map_err(|_| {
            refuse::invalid(
                "InvalidArgument",
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, one of the STREAMING values, or a SHA-256 in hex",
            )
        })?;
        Ok(Self::Sha256(sha256))
    }

    /// As it stands in `x-amz-content-sha256`.
    pub(super) fn text(self) -> String {
        if let Self::Sha256(sha256) = self {
            return hex::encode(sha256);
        }
        let found = MODES.iter().find(|(_, mode)| *mode == self);
        found.map_or_else(|| UNSIGNED.to_owned(), |(name, _)| (*name).to_owned())
    }
}

/// How to read a request's body. Give it to
/// [`VerifiedBody::new`](super::body::VerifiedBody::new).
pub struct Payload {
    pub(super) mode: Mode,
    pub(super) decoded_len: u64,
    pub(super) trailers: Vec<HeaderName>,
    /// Where the signatures of the chunks continue; present exactly if the chunks are signed.
    pub(super) chain: Option<Chain>,
}

impl Payload {
    /// A body that is not signed and not in chunks.
    #[must_use]
    pub const fn unsigned() -> Self {
        Self {
            mode: Mode::Unsigned,
            decoded_len: 0,
            trailers: Vec::new(),
            chain: None,
        }
    }

    /// Reads the lengths and trailers that `mode` needs from the headers.
    /// Of a request whose signature covers no body.
    pub(crate) fn of_bearer(parts: &Parts) -> Result<Self> {
        Self::from_parts(Mode::Unsigned, parts, None)
    }

    pub(super) fn from_parts(mode: Mode, parts: &Parts, chain: Option<Chain>) -> Result<Self> {
        let trailers = declared_trailers(parts)?;
        let Mode::Chunked { signed, trailer } = mode else {
            if !trailers.is_empty() {
                let message = "x-amz-trailer needs a payload with a trailer (x-amz-content-sha256)";
                return Err(refuse::invalid("InvalidRequest", message));
            }
            return Ok(Self {
                mode,
                decoded_len: 0,
                trailers,
                chain: None,
            });
        };
        if signed != chain.is_some() {
            let message = "signed chunks need a signed request";
            return Err(refuse::denied("AccessDenied", message));
        }
        if !trailer && !trailers.is_empty() {
            let message = "x-amz-trailer needs a payload with a trailer (x-amz-content-sha256)";
            return Err(refuse::invalid("InvalidRequest", message));
        }
        Ok(Self {
            mode,
            decoded_len: decoded_length(parts)?,
            trailers,
            chain,
        })
    }

    /// How the body is tied to the signature.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The length of the data in bytes if the body is in chunks; else `content-length` says it.
    #[must_use]
    pub const fn decoded_length(&self) -> Option<u64> {
        match self.mode {
            Mode::Chunked { .. } => Some(self.decoded_len),
            Mode::Sha256(_) | Mode::Unsigned => None,
        }
    }

    /// The checksum trailers that the request announces.
    #[must_use]
    pub fn trailers(&self) -> &[HeaderName] {
        &self.trailers
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("mode", &self.mode)
            .field("decoded_length", &self.decoded_length())
            .field("trailers", &self.trailers)
            .finish_non_exhaustive()
    }
}

fn decoded_length(parts: &Parts) -> Result<u64> {
    let missing = || {
        let message = "a chunked body needs one x-amz-decoded-content-length";
        refuse::invalid("MissingContentLength", message)
    };
    let text = one_header(&parts.headers, &DECODED_LENGTH)
        .ok()
        .flatten()
        .ok_or_else(missing)?;
    let number = text
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten();
    number.ok_or_else(|| {
        refuse::invalid(
            "InvalidArgument",
            "x-amz-decoded-content-length must be a number of bytes",
        )
    })
}

fn declared_trailers(parts: &Parts) -> Result<Vec<HeaderName>> {
    let bad = |message: String| refuse::invalid("InvalidRequest", message);
    let mut out: Vec<HeaderName> = Vec::new();
    for value in parts.headers.get_all(&TRAILER) {
        let value = value
            .to_str()
            .map_err(|_| bad("x-amz-trailer is not readable".into()))?;
        for name in value.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let name = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .filter(|n| n.as_str().starts_with("x-amz-checksum-"))
                .ok_or_else(|| bad("x-amz-trailer may only name x-amz-checksum headers".into()))?;
            if out.len() == TRAILERS_MAX || out.contains(&name) {
                return Err(bad(format!(
                    "x-amz-trailer names more than {TRAILERS_MAX}, or one of them twice"
                )));
            }
            out.push(name);
        }
    }
    Ok(out)
}

/// The hash of nothing.
pub(super) fn empty_sha256() -> [u8; 32] {
    hash::sha256(b"")
}
