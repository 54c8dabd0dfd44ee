//! AWS Signature Version 4 in the `Authorization` header, for requests whose head is made before the
//! measurement: a signature over an unsigned payload is good for every request with the same method, path
//! and date.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What `x-amz-content-sha256` says when the body is not signed, as SDKs do over TLS.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// An access key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Of a session.
    pub(crate) token: Option<String>,
}

/// Signs for one server on one day.
#[derive(Clone)]
pub(crate) struct Signer {
    id: String,
    host: String,
    date: String,
    scope: String,
    token: Option<String>,
    key: Vec<u8>,
}

impl Signer {
    /// For S3. `date` is as of [`crate::clock::amz_date`].
    pub(crate) fn new(key: &Key, host: &str, date: &str) -> Self {
        Self::of_service("s3", key, host, date)
    }

    /// For another service of AWS's.
    pub(crate) fn of_service(service: &str, key: &Key, host: &str, date: &str) -> Self {
        let day = date.split('T').next().unwrap_or_default();
        let mut signing = format!("AWS4{}", key.secret).into_bytes();
        for part in [day, "us-east-1", service, "aws4_request"] {
            signing = hmac(&signing, part.as_bytes());
        }
        Self {
            id: key.id.clone(),
            host: host.to_owned(),
            date: date.to_owned(),
            scope: format!("{day}/us-east-1/{service}/aws4_request"),
            token: key.token.clone(),
            key: signing,
        }
    }

    /// The head of an HTTP/1.1 request. `payload_sha256` is `None` for an unsigned payload. The target's path must
    /// need no encoding, and its query must be in its canonical form.
    pub(crate) fn head(
        &self,
        method: &str,
        target: &str,
        length: u64,
        payload_sha256: Option<&str>,
    ) -> String {
        self.head_with(method, target, length, payload_sha256, &[])
    }

    /// The same with more headers, by names in lower case; all are signed.
    pub(crate) fn head_with(
        &self,
        method: &str,
        target: &str,
        length: u64,
        payload_sha256: Option<&str>,
        more: &[(&str, &str)],
    ) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Self {
            id,
            host,
            date,
            scope,
            token,
            ..
        } = self;
        let payload = payload_sha256.unwrap_or(UNSIGNED);
        let mut headers = vec![
            ("host", host.as_str()),
            ("x-amz-content-sha256", payload),
            ("x-amz-date", date),
        ];
        headers.extend_from_slice(more);
        headers.extend(token.as_deref().map(|token| ("x-amz-security-token", token)));
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let listed: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("{method}\n{path}\n{query}\n{listed}\n{names}\n{payload}");
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            sha256_hex(canonical.as_bytes())
        );
        let signature = hex::encode(hmac(&self.key, text.as_bytes()));
        let content_length = match method {
            "GET" => String::new(),
            _ => format!("content-length: {length}\r\n"),
        };
        let sent: String = headers
            .iter()
            .filter(|(name, _)| *name != "host")
            .map(|(n, v)| format!("{n}: {v}\r\n"))
            .collect();
        format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\n{content_length}{sent}\
             authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, \
             SignedHeaders={names}, Signature={signature}\r\n\r\n"
        )
    }
}

/// SHA-256 in base 64, as checksum headers have it.
pub(crate) fn sha256_base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |n: u32| char::from(DIGITS[(n & 63) as usize]);
    let mut out = String::new();
    for three in Sha256::digest(data).chunks(3) {
        let all = three
            .iter()
            .chain([&0, &0])
            .take(3)
            .fold(0u32, |all, byte| all << 8 | u32::from(*byte));
        for place in 0..4 {
            let shown = place <= three.len();
            out.push(if shown {
                digit(all >> (18 - 6 * place))
            } else {
                '='
            });
        }
    }
    out
}

pub(crate) fn sha256_hex(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length: the error is that of a trait shared with fixed-length functions.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{Key, Signer, sha256_base64};

    #[test]
    fn sums_are_in_base_64() {
        // SHA-256 of nothing, in base 64 as others write it.
        assert_eq!(sha256_base64(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    /// The signing key of AWS's documentation, and a head whose parts are in place.
    #[test]
    fn the_key_is_that_of_the_documentation() {
        let key = Key {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let mut signing = format!("AWS4{}", key.secret).into_bytes();
        for part in ["20120215", "us-east-1", "iam", "aws4_request"] {
            signing = super::hmac(&signing, part.as_bytes());
        }
        let documented = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
        assert_eq!(hex::encode(signing), documented);
        let head = Signer::new(&key, "127.0.0.1:9000", "20261122T213000Z").head("PUT", "/b/k", 7, None);
        assert!(head.starts_with("PUT /b/k HTTP/1.1\r\nhost: 127.0.0.1:9000\r\ncontent-length: 7\r\n"));
        assert!(head.contains("Credential=AKIDEXAMPLE/20261122/us-east-1/s3/aws4_request, "));
    }
}
