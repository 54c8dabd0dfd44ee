//! Downloading what begins with a prefix as one archive: `GET /bucket?archive=zip&prefix=photos/`, or `tar`. An
//! extension: S3 has no such request.
//!
//! Each object is read by a permit of its own, so each is decided and recorded. What the caller may not read, what is in
//! an archive class and not restored, what is under a client's own key, and what has a name that leads elsewhere where
//! it is unpacked is left out; a last file, `OMITTED.txt`, says so.
//!
//! Invariants
//! - one object is on its way at a time, within the memory for downloads; of the list one page is held;
//! - an error in the middle ends the connection: an archive that came to its end is whole.
//!
//! Deliberately absent: compression; the archive's form ([`craton_objects::pack`]).

use std::collections::VecDeque;

use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, ObjectKey, ResourcePath, Result};
use craton_gate::{Ask, Content, ContentBody, ReadPermit};
use craton_objects::{
    get::{self, ReadRequest},
    list::{Listed, Listing, PAGE_KEYS_MAX, list},
    pack::{Form, Packer},
};
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use http_body::Frame;
use http_body_util::StreamBody;
use percent_encoding::percent_decode_str;
use s3s::Body;

use super::call::Call;
use crate::http::Response;

/// The name of the file that says what was left out.
const OMITTED: &str = "OMITTED.txt";

/// How many objects it names; others are counted.
const OMITTED_MAX: usize = 1000;

/// Whether a request wants an archive.
pub(super) fn is_download(parts: &Parts) -> bool {
    let names = || parts.uri.query().unwrap_or_default().split('&');
    parts.method == Method::GET && names().any(|pair| pair.starts_with("archive="))
}

/// Begins to send one.
///
/// # Errors
/// `InvalidArgument`; `Denied`; `NoSuchBucket`.
pub(super) async fn answer(parts: &Parts, call: &Call) -> Result<Response> {
    let bucket = BucketName::new(parts.uri.path().trim_matches('/'))?;
    let (form, prefix) = wanted(parts.uri.query().unwrap_or_default())?;
    let path = ResourcePath::Objects(bucket.clone(), prefix.clone());
    let ask = Ask::new("DownloadArchive", "s3:ListBucket", path).with("s3:prefix", prefix.clone());
    let permit = call.read(ask).await?;
    permit.bucket()?;
    let mut response = headers(&bucket, form)?;
    let packing = Packing {
        call: call.clone(),
        permit,
        bucket,
        listing: Listing {
            // Names begin after the prefix's last folder.
            prefix,
            limit: PAGE_KEYS_MAX,
            ..Listing::default()
        },
        page: VecDeque::new(),
        listed: false,
        now: None,
        ready: VecDeque::new(),
        packer: Some(Packer::new(form)),
        omitted: Vec::new(),
        omitted_count: 0,
    };
    *response.body_mut() = Body::http_body_unsync(StreamBody::new(frames(packing)));
    Ok(response)
}

fn headers(bucket: &BucketName, form: Form) -> Result<Response> {
    let (kind, ending) = match form {
        Form::Tar => ("application/x-tar", "tar"),
        Form::Zip => ("application/zip", "zip"),
    };
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{bucket}.{ending}\""))
        .map_err(|e| Error::internal("a bucket's name is no header").with_source(e))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// Which archive, of what.
fn wanted(query: &str) -> Result<(Form, String)> {
    let (mut form, mut prefix) = (None, String::new());
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value)
            .decode_utf8()
            .map_err(|e| Error::invalid("the query is not UTF-8").with_source(e))?;
        match (name, &*value) {
            ("archive", "tar") => form = Some(Form::Tar),
            ("archive", "zip") => form = Some(Form::Zip),
            ("prefix", prefix_of) => prefix_of.clone_into(&mut prefix),
            _ => {}
        }
    }
    let wrong = || Error::new(Kind::Invalid, "InvalidArgument", "archive is tar or zip");
    Ok((form.ok_or_else(wrong)?, prefix))
}

struct Packing {
    call: Call,
    /// The access to the list goes on to the end, at one moment of the bucket, and is recorded then.
    permit: ReadPermit,
    bucket: BucketName,
    listing: Listing,
    page: VecDeque<Listed>,
    /// Whether that page was the last.
    listed: bool,
    /// The content on its way.
    now: Option<ContentBody>,
    /// What goes before it.
    ready: VecDeque<Bytes>,
    /// `None` after the end.
    packer: Option<Packer>,
    omitted: Vec<String>,
    omitted_count: u64,
}

fn frames(packing: Packing) -> impl Stream<Item = Result<Frame<Bytes>>> + Send + 'static {
    futures::stream::unfold(Some(packing), |packing| async move {
        let mut packing = packing?;
        match packing.next().await {
            Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some(packing))),
            Ok(None) => None,
            Err(e) => {
                packing.permit.failed(e.kind(), e.reason());
                Some((Err(e), None))
            }
        }
    })
}

impl Packing {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                if bytes.is_empty() {
                    continue;
                }
                return Ok(Some(bytes));
            }
            let Some(packer) = &mut self.packer else {
                return Ok(None);
            };
            if let Some(content) = &mut self.now {
                match content.next().await.transpose()? {
                    Some(piece) => {
                        packer.content(&piece).map_err(|e| e.to_base())?;
                        return Ok(Some(piece));
                    }
                    None => {
                        self.now = None;
                        self.ready.push_back(packer.end().map_err(|e| e.to_base())?);
                    }
                }
            } else if let Some(listed) = self.page.pop_front() {
                self.open(listed).await?;
            } else if self.listed {
                self.finish()?;
            } else {
                self.turn().await?;
            }
        }
    }

    /// The next page of the list.
    async fn turn(&mut self) -> Result<()> {
        let page = list(&self.permit, &self.listing).await.map_err(|e| e.to_base())?;
        self.page.extend(page.entries);
        self.listing.after = page.next;
        self.listed = self.listing.after.is_none();
        Ok(())
    }

    async fn open(&mut self, listed: Listed) -> Result<()> {
        let Some(name) = inner_name(&self.listing.prefix, &listed.key) else {
            self.omit(&listed.key, "UnsafeName");
            return Ok(());
        };
        let key = ObjectKey::new(&listed.key)?;
        let path = ResourcePath::Object(self.bucket.clone(), key.clone());
        let ask = Ask::new("DownloadArchive", "s3:GetObject", path);
        let permit = match self.call.gate().read(self.call.session(), ask).await {
            Err(e) if e.kind() == Kind::Denied => {
                self.omit(&listed.key, "AccessDenied");
                return Ok(());
            }
            other => other?,
        };
        let name = name.to_owned();
        match get::get(&permit, &key, &ReadRequest::default(), None).await {
            Ok((found, content)) => self.begin(&name, &found, content),
            // What S3 would refuse to this caller; what is broken ends the archive.
            Err(e @ (craton_objects::Error::Fault(..) | craton_objects::Error::DeleteMarker { .. })) => {
                permit.failed(e.kind(), e.code());
                self.omit(&listed.key, e.code());
                Ok(())
            }
            Err(e) => {
                permit.failed(e.kind(), e.code());
                Err(e.to_base())
            }
        }
    }

    fn begin(&mut self, name: &str, found: &get::Found, content: Content) -> Result<()> {
        let Some(packer) = &mut self.packer else {
            return Ok(());
        };
        let head = packer.begin(name, found.meta.size, found.meta.modified());
        self.ready.push_back(head.map_err(|e| e.to_base())?);
        match content {
            Content::Stream(stream) => self.now = Some(stream),
            Content::Whole(bytes) => {
                packer.content(&bytes).map_err(|e| e.to_base())?;
                self.ready.push_back(bytes);
                self.ready.push_back(packer.end().map_err(|e| e.to_base())?);
            }
        }
        Ok(())
    }

    fn omit(&mut self, key: &str, reason: &str) {
        self.omitted_count = self.omitted_count.saturating_add(1);
        if self.omitted.len() < OMITTED_MAX {
            self.omitted.push(format!("{reason} {key:?}\n"));
        }
    }

    fn finish(&mut self) -> Result<()> {
        let Some(mut packer) = self.packer.take() else {
            return Ok(());
        };
        if self.omitted_count > 0 {
            let mut text = self.omitted.concat();
            let more = self.omitted_count.saturating_sub(self.omitted.len() as u64);
            if more > 0 {
                text.push_str(&format!("and {more} more\n"));
            }
            let text = Bytes::from(text);
            let head = packer.begin(OMITTED, text.len() as u64, self.permit.now());
            self.ready.push_back(head.map_err(|e| e.to_base())?);
            packer.content(&text).map_err(|e| e.to_base())?;
            self.ready.push_back(text);
            self.ready.push_back(packer.end().map_err(|e| e.to_base())?);
        }
        self.ready.push_back(packer.finish());
        Ok(())
    }
}

/// A key's name in the archive: from the prefix's last folder on. `None` for one that leads elsewhere where it is
/// unpacked, or that is no file's.
fn inner_name<'k>(prefix: &str, key: &'k str) -> Option<&'k str> {
    let folder = prefix.rfind('/').map_or(0, |at| at.saturating_add(1));
    let name = key.get(folder..).filter(|name| !name.is_empty())?;
    let file = name.strip_suffix('/').unwrap_or(name);
    let safe = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', ':']);
    file.split('/').all(safe).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_wanted() {
        assert_eq!(
            wanted("archive=zip&prefix=a%2Fb+c").unwrap(),
            (Form::Zip, "a/b c".to_owned())
        );
        assert_eq!(wanted("archive=tar").unwrap(), (Form::Tar, String::new()));
        assert!(wanted("archive=rar").is_err() && wanted("prefix=a").is_err());
    }

    #[test]
    fn names_lead_nowhere_else() {
        assert_eq!(inner_name("photos/2024/", "photos/2024/a/b.jpg"), Some("a/b.jpg"));
        assert_eq!(inner_name("photos/20", "photos/2024/a"), Some("2024/a"));
        assert_eq!(inner_name("", "a/"), Some("a/"));
        for key in [
            "/etc/passwd",
            "../a",
            "a/../../b",
            "a//b",
            "c:\\x",
            "a\\..\\b",
            "a/./b",
            "//",
        ] {
            assert_eq!(inner_name("", key), None, "{key}");
        }
        assert_eq!(inner_name("a/", "a/"), None, "the folder itself");
    }
}
