//! A bucket of another machine: what replication asks of it.
//!
//! Invariant: content goes as it is read, and in the parts that it was uploaded in: a copy has its source's entity tag,
//! and no more of it is in memory than is on its way.
//!
//! Deliberately absent: when, and what for.

use std::ops::Range;

use craton_base::{Error, ObjectKey, Result, Timestamp};
use craton_gate::{Content, ReadPermit, Stored, tags::Tags};
use craton_objects::{
    checksum::{Algorithm, Scope},
    lock::LockRecord,
    meta::ObjectMeta,
};
use http::{HeaderMap, Method, StatusCode};

pub(crate) use super::describe::As;
use super::{Answer, Call, Client, Sent, describe};

/// A bucket.
pub(crate) struct Bucket<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
}

/// An object that is to be copied.
pub(crate) struct Source<'a> {
    pub(crate) permit: &'a ReadPermit,
    pub(crate) stored: &'a Stored,
    pub(crate) meta: &'a ObjectMeta,
}

/// What a bucket is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Likeness {
    /// Whether it keeps versions.
    pub(crate) keeps_versions: bool,
    /// Whether it has object lock.
    pub(crate) locks: bool,
}

impl Source<'_> {
    fn content(&self, range: Range<u64>) -> Result<Sent> {
        let len = range.end.saturating_sub(range.start);
        if len == 0 {
            return Ok(Sent::NOTHING);
        }
        let content: Content = self.permit.content(self.stored, range)?;
        Ok(Sent::Content(content, len))
    }
}

impl Bucket<'_> {
    async fn call(
        &self,
        method: Method,
        key: &str,
        query: Vec<(&'static str, String)>,
        headers: HeaderMap,
        body: Sent,
    ) -> Result<Answer> {
        let call = Call {
            method,
            bucket: self.name,
            key,
            query,
            headers,
            body,
        };
        self.client.call(call).await
    }

    async fn ask(&self, what: &'static str) -> Result<Answer> {
        let query = vec![(what, String::new())];
        self.call(Method::GET, "", query, HeaderMap::new(), Sent::NOTHING)
            .await
    }

    /// What the bucket is like.
    ///
    /// # Errors
    /// What the other machine says.
    pub(crate) async fn likeness(&self) -> Result<Likeness> {
        let versioning = self.ask("versioning").await?.done()?;
        let lock = self.ask("object-lock").await?;
        let locks = match lock.status {
            status if status.is_success() => lock.text("ObjectLockEnabled").as_deref() == Some("Enabled"),
            // That there is none, that it is not known, or that this is not shown to us.
            status if status.is_client_error() => false,
            _ => return Err(lock.error()),
        };
        Ok(Likeness {
            keeps_versions: versioning.text("Status").as_deref() == Some("Enabled"),
            locks,
        })
    }

    /// Whether an earlier attempt has made this copy, as far as can be told, and the copy's name: the newest of its key
    /// says so itself, or it looks like it and is not older than it.
    ///
    /// # Errors
    /// What the other machine says.
    pub(crate) async fn has(
        &self,
        key: &ObjectKey,
        source: &str,
        meta: &ObjectMeta,
    ) -> Result<Option<Option<String>>> {
        let answer = self
            .call(
                Method::HEAD,
                key.as_str(),
                Vec::new(),
                HeaderMap::new(),
                Sent::NOTHING,
            )
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.done()?;
        let is_it = match answer.header("x-craton-source-version-id") {
            Some(stated) => stated == source,
            None => looks_like(&answer, meta),
        };
        Ok(is_it.then(|| version(&answer)))
    }

    /// Whether the newest of the key is a delete marker.
    ///
    /// # Errors
    /// What the other machine says.
    pub(crate) async fn has_marker(&self, key: &ObjectKey) -> Result<bool> {
        let answer = self
            .call(
                Method::HEAD,
                key.as_str(),
                Vec::new(),
                HeaderMap::new(),
                Sent::NOTHING,
            )
            .await?;
        Ok(answer.header("x-amz-delete-marker") == Some("true"))
    }

    /// Writes a copy. Its name there, if it has one.
    ///
    /// # Errors
    /// What reading meets; what the other machine says.
    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        source: &Source<'_>,
        wanted: &As,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let headers = describe::object(source.meta, wanted, now)?;
        if !source.meta.parts.is_empty() {
            return self.put_in_parts(key, source, headers).await;
        }
        let mut headers = headers;
        describe::digests(&mut headers, source.meta)?;
        let body = source.content(0..source.meta.size)?;
        let answer = self
            .call(Method::PUT, key.as_str(), Vec::new(), headers, body)
            .await?
            .done()?;
        Ok(version(&answer))
    }

    async fn put_in_parts(
        &self,
        key: &ObjectKey,
        source: &Source<'_>,
        mut headers: HeaderMap,
    ) -> Result<Option<String>> {
        let stated = chosen_checksum(source.meta);
        if let Some((algorithm, scope)) = stated {
            describe::checksum_kind(&mut headers, algorithm, scope);
        }
        let query = vec![("uploads", String::new())];
        let begun = self
            .call(Method::POST, key.as_str(), query, headers, Sent::NOTHING)
            .await?
            .done()?;
        let id = begun
            .text("UploadId")
            .ok_or_else(|| Error::invalid("the remote names no upload"))?;
        let done = self.parts(key, source, &id).await;
        if done.is_err() {
            let query = vec![("uploadId", id)];
            // What can not be taken back is the other bucket's lifecycle rules' to remove.
            let aborted = self.call(
                Method::DELETE,
                key.as_str(),
                query,
                HeaderMap::new(),
                Sent::NOTHING,
            );
            if let Err(error) = aborted.await {
                tracing::debug!(%error, "an upload to a remote stays behind");
            }
        }
        done
    }

    async fn parts(&self, key: &ObjectKey, source: &Source<'_>, id: &str) -> Result<Option<String>> {
        let algorithm = source.meta.checksum().map(|sum| sum.algorithm);
        let stated = chosen_checksum(source.meta);
        let (mut start, mut list) = (0u64, String::new());
        for (at, part) in source.meta.parts.iter().enumerate() {
            let number = at.saturating_add(1);
            let end = start.saturating_add(part.size);
            let mut headers = HeaderMap::new();
            if let Some(algorithm) = algorithm.filter(|_| !part.checksum.is_empty()) {
                describe::checksum(&mut headers, algorithm, &part.checksum)?;
            }
            let query = vec![("partNumber", number.to_string()), ("uploadId", id.to_owned())];
            let body = source.content(start..end)?;
            let answer = self
                .call(Method::PUT, key.as_str(), query, headers, body)
                .await?
                .done()?;
            let tag = answer.header("etag").unwrap_or_default();
            let sum = stated.map(|(algorithm, _)| (algorithm, &*part.checksum));
            list.push_str(&describe::part(number, tag, sum));
            start = end;
        }
        let document = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        let query = vec![("uploadId", id.to_owned())];
        let answer = self
            .call(
                Method::POST,
                key.as_str(),
                query,
                HeaderMap::new(),
                Sent::Bytes(document.into()),
            )
            .await?
            .done()?;
        Ok(version(&answer))
    }

    /// Makes a delete marker. Its name there.
    ///
    /// # Errors
    /// What the other machine says.
    pub(crate) async fn mark(
        &self,
        key: &ObjectKey,
        source: &str,
        modified: Timestamp,
    ) -> Result<Option<String>> {
        let headers = describe::replica(source, modified)?;
        let answer = self
            .call(Method::DELETE, key.as_str(), Vec::new(), headers, Sent::NOTHING)
            .await?
            .done()?;
        Ok(version(&answer))
    }

    /// Gives a version the tags that its source has.
    ///
    /// # Errors
    /// What the other machine says.
    pub(crate) async fn tag(&self, key: &ObjectKey, of: &str, tags: Option<&Tags>) -> Result<()> {
        let query = versioned("tagging", of);
        let headers = describe::replica("", Timestamp(0))?;
        let answer = match tags.filter(|tags| !tags.is_empty()) {
            None => {
                self.call(Method::DELETE, key.as_str(), query, headers, Sent::NOTHING)
                    .await?
            }
            Some(tags) => {
                self.document(key, query, headers, describe::tagging(tags))
                    .await?
            }
        };
        answer.done().map(drop)
    }

    /// Gives a version the lock that its source has, as far as that lasts.
    ///
    /// # Errors
    /// What the other machine says.
    pub(crate) async fn lock(
        &self,
        key: &ObjectKey,
        of: &str,
        lock: LockRecord,
        now: Timestamp,
    ) -> Result<()> {
        if let Some(retention) = lock.retention().filter(|retention| retention.until > now) {
            let headers = describe::replica("", Timestamp(0))?;
            let document = describe::retention(retention);
            let answer = self
                .document(key, versioned("retention", of), headers, document)
                .await?;
            // A lock that protects more stays: that is not for replication to change.
            if answer.status != StatusCode::FORBIDDEN
                || answer.text("Code").as_deref() != Some("AccessDenied")
            {
                answer.done()?;
            }
        }
        let Some(held) = lock.legal_hold else {
            return Ok(());
        };
        let headers = describe::replica("", Timestamp(0))?;
        let document = describe::legal_hold(held);
        let answer = self
            .document(key, versioned("legal-hold", of), headers, document)
            .await?;
        answer.done().map(drop)
    }

    async fn document(
        &self,
        key: &ObjectKey,
        query: Vec<(&'static str, String)>,
        mut headers: HeaderMap,
        document: String,
    ) -> Result<Answer> {
        describe::content_md5(&mut headers, &document)?;
        let body = Sent::Bytes(document.into());
        self.call(Method::PUT, key.as_str(), query, headers, body).await
    }
}

/// The checksum that the uploader chose, which the copy is to have too.
fn chosen_checksum(meta: &ObjectMeta) -> Option<(Algorithm, Scope)> {
    let chosen = meta.checksum.as_ref().is_some_and(|sum| !sum.unchosen);
    meta.checksum()
        .filter(|_| chosen)
        .map(|sum| (sum.algorithm, sum.scope))
}

fn versioned(what: &'static str, of: &str) -> Vec<(&'static str, String)> {
    vec![(what, String::new()), ("versionId", of.to_owned())]
}

/// The version that an answer names.
fn version(answer: &Answer) -> Option<String> {
    let id = answer.header("x-amz-version-id")?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// Whether an object of a store that does not say of what it is a copy may be a copy of this one.
fn looks_like(answer: &Answer, meta: &ObjectMeta) -> bool {
    let tag = answer.header("etag").unwrap_or_default().trim_matches('"');
    let type_ = answer.header("content-type");
    let written = answer.header("last-modified").and_then(http_date);
    let same_type = meta
        .attributes
        .headers
        .content_type
        .as_deref()
        .is_none_or(|t| type_ == Some(t));
    let same_user = meta.attributes.user.iter().all(|(name, value)| {
        let stated = answer.headers.get(format!("x-amz-meta-{name}"));
        stated.is_some_and(|stated| stated.as_bytes() == value.as_bytes())
    });
    tag == meta.etag() && same_type && same_user && written.is_some_and(|at| at >= meta.modified().seconds())
}

/// Seconds since the epoch of an HTTP date.
fn http_date(text: &str) -> Option<u64> {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let at = time::PrimitiveDateTime::parse(text, format).ok()?;
    u64::try_from(at.assume_utc().unix_timestamp()).ok()
}
