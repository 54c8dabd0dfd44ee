//! The versions of a manifest: each found by a permit of its own, with its digest.
//!
//! Deliberately absent: which versions there are, formats.

use std::collections::HashMap;

use craton_base::{BucketName, Error, FactPath, GraphName, Kind, ObjectKey, ResourcePath, Result, Sequence};
use craton_gate::{Ask, Digest, Edge, Permit, ReadPermit, Session, labels, tables};
use craton_graph::{Limits, engine::Share, export};
use craton_objects::{
    checksum::{self, Algorithm, Hasher},
    digest::{self, Past, Place},
};

use crate::{api::Call, s3};

/// The largest object whose content is read for a digest, in bytes.
const CONTENT_BYTES_MAX: u64 = 16 << 30;

/// The tags that say under which licence something is, in any case.
const LICENCE_TAGS: [&str; 2] = ["license", "licence"];

/// The tag that says an object's labels.
const LABELS_TAG: &str = "craton:labels";

/// The operation that the ledger has for reading a version for its digest.
const OPERATION: &str = "DigestVersion";

/// How a version stands now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It is the newest.
    Current,
    /// It is not the newest, and can be read.
    Older,
    /// Nothing reads it any more, and it is there until it is collected.
    Replaced,
    /// It is not there any more.
    Gone,
}

impl Standing {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Older => "older",
            Self::Replaced => "replaced",
            Self::Gone => "gone",
        }
    }
}

/// What a version is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Object,
    Table {
        /// Its namespace and name.
        called: Option<String>,
        /// The snapshot that was current in that version.
        current: Option<i64>,
    },
    Graph,
}

impl What {
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Table { .. } => "table",
            Self::Graph => "graph",
        }
    }
}

/// A version of a manifest.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// How the run touched it.
    pub(super) edge: Edge,
    pub(super) what: What,
    pub(super) standing: Standing,
    pub(super) digest: Option<Digest>,
    /// Why there is no digest, though it is there.
    pub(super) why: Option<String>,
    /// Where the bytes are that the digest is of.
    pub(super) url: String,
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) version_id: Option<String>,
    /// The licence, and what says it: `object` or `bucket`.
    pub(super) licence: Option<(String, &'static str)>,
    pub(super) labels: Vec<String>,
    /// Tags that the caller may not read: a licence may be among them.
    pub(super) untold: bool,
}

/// Finds versions.
pub(super) struct Items<'a> {
    call: &'a Call<'a>,
    session: Session,
    /// How many bytes may still be read for digests.
    left: u64,
    /// Versions that the caller may not see.
    pub(super) hidden: u64,
    /// What the buckets' tags say; `None`: not to be told.
    buckets: HashMap<String, Option<Option<String>>>,
}

/// What an edge is about.
enum Subject {
    Object(BucketName, ObjectKey),
    Table(BucketName, String),
    Graph(ResourcePath),
}

impl Subject {
    /// From the text of records. What it is taken for is decided, whatever was written there.
    fn of(edge: &Edge) -> Option<Self> {
        let bucket = BucketName::new(&edge.bucket).ok()?;
        let rest = edge.resource.strip_prefix('/')?.strip_prefix(&edge.bucket)?;
        if let Some(rest) = rest.strip_prefix("/graphs/") {
            let (graph, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let path = FactPath::new(GraphName::new(graph).ok()?, prefix).ok()?;
            return Some(Self::Graph(ResourcePath::Facts(bucket, path)));
        }
        let key = rest.strip_prefix("/objects/")?;
        let id = key
            .strip_prefix(tables::FOLDER)
            .and_then(|rest| rest.strip_suffix("/*"));
        if let Some(id) = id.filter(|id| tables::is_id(id)) {
            return Some(Self::Table(bucket, id.to_owned()));
        }
        Some(Self::Object(bucket, ObjectKey::new(key).ok()?))
    }
}

impl<'a> Items<'a> {
    pub(super) fn new(call: &'a Call<'a>, session: Session, bytes: u64) -> Self {
        Self {
            call,
            session,
            left: bytes,
            hidden: 0,
            buckets: HashMap::new(),
        }
    }

    /// Whether as much was read as may be.
    pub(super) const fn is_enough(&self) -> bool {
        self.left == 0
    }

    /// A version; `None`, and counted, if the caller may not see it.
    ///
    /// # Errors
    /// `Busy` for a session past its budget; the store's own.
    pub(super) async fn find(&mut self, edge: Edge) -> Result<Option<Item>> {
        let gone = Item::gone(edge);
        let found = match Subject::of(&gone.edge) {
            Some(Subject::Object(bucket, key)) => self.object(gone.clone(), bucket, key).await,
            Some(Subject::Table(bucket, id)) => self.table(gone.clone(), bucket, &id).await,
            Some(Subject::Graph(path)) => self.graph(gone.clone(), path).await,
            None => Ok(gone.clone()),
        };
        match found {
            Ok(item) => Ok(Some(item)),
            Err(error) => match error.kind() {
                Kind::Denied => {
                    self.hidden = self.hidden.saturating_add(1);
                    Ok(None)
                }
                // Its bucket.
                Kind::NotFound => Ok(Some(gone)),
                _ => Err(error),
            },
        }
    }

    async fn object(&mut self, mut item: Item, bucket: BucketName, key: ObjectKey) -> Result<Item> {
        let path = ResourcePath::Object(bucket, key.clone());
        let ask = Ask::new(OPERATION, "s3:GetObject", path.clone());
        let permit = self.call.gate.read_once(&self.session, ask).await?;
        let version = Sequence(item.edge.version);
        item.digest = permit.digest(version)?;
        let Some(past) = digest::at(&permit, &key, version).map_err(|e| e.to_base())? else {
            permit.ending().tell()?;
            return Ok(item);
        };
        if past.place == Place::Older && !permit.also("s3:GetObjectVersion", &path) {
            permit.failed(Kind::Denied, "AccessDenied");
            return Err(Error::new(Kind::Denied, "AccessDenied", "an older version"));
        }
        item.standing = match past.place {
            Place::Current => Standing::Current,
            Place::Older => Standing::Older,
            Place::Replaced => Standing::Replaced,
        };
        if let Some(id) = past.version_id() {
            let id = id.to_text();
            item.url.push_str(&format!("?versionId={id}"));
            item.version_id = Some(id);
        }
        let kind = past.meta.attributes.headers.content_type.clone();
        item.media_type = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
        self.tags_of(&mut item, &permit, (&path, &past))?;
        let read = self.object_digest(&permit, &past, item.digest).await;
        item.had(read, &permit)?;
        permit.ending().tell()?;
        if let Some(digest) = item.digest {
            permit.keep_digest(version, digest);
        }
        Ok(item)
    }

    /// What the object's tags say, and its bucket's where those say nothing.
    fn tags_of(
        &mut self,
        item: &mut Item,
        permit: &ReadPermit,
        (path, past): (&ResourcePath, &Past),
    ) -> Result<()> {
        let action = match past.place {
            Place::Older => "s3:GetObjectVersionTagging",
            _ => "s3:GetObjectTagging",
        };
        let tags = past.meta.tag_pairs();
        if !tags.is_empty() && !permit.also(action, path) {
            item.untold = true;
        } else {
            let found = tags.iter().filter(|(key, _)| key == LABELS_TAG);
            let words: Vec<&str> = found.map(|(_, value)| value.as_str()).collect();
            item.labels = labels(&words.join(" "));
            item.licence = licence(&tags).map(|licence| (licence, "object"));
        }
        self.licence_of_bucket(item, permit)
    }

    fn licence_of_bucket(&mut self, item: &mut Item, permit: &Permit) -> Result<()> {
        let known = match self.buckets.get(&item.edge.bucket) {
            Some(known) => known.clone(),
            None => {
                let found = s3::tags_of_bucket(permit)?.map(|tags| licence(&tags));
                self.buckets.insert(item.edge.bucket.clone(), found.clone());
                found
            }
        };
        match known {
            None => item.untold = true,
            Some(found) if item.licence.is_none() => item.licence = found.map(|licence| (licence, "bucket")),
            Some(_) => {}
        }
        Ok(())
    }

    async fn object_digest(
        &mut self,
        permit: &ReadPermit,
        past: &Past,
        kept: Option<Digest>,
    ) -> Result<Digest> {
        if let Some(stored) = digest::stored(past).map_err(|e| e.to_base())? {
            return Ok(stored);
        }
        if let Some(kept) = kept.filter(|kept| kept.size == past.meta.size) {
            return Ok(kept);
        }
        if past.meta.size > CONTENT_BYTES_MAX {
            let text = format!(
                "content of more than {CONTENT_BYTES_MAX} bytes is not read for a digest; store it with its SHA-256 (x-amz-checksum-sha256)"
            );
            return Err(Error::new(Kind::TooLarge, "ContentTooLarge", text));
        }
        self.left = self.left.saturating_sub(past.meta.size.max(1));
        digest::computed(permit, past).await.map_err(|e| e.to_base())
    }

    async fn table(&mut self, mut item: Item, bucket: BucketName, id: &str) -> Result<Item> {
        let path = tables::table(bucket.clone(), id);
        let ask = Ask::new(OPERATION, "s3tables:GetTableMetadataLocation", path)
            .and_action("s3tables:GetTableData")
            // Metadata tells no rows.
            .of_columns(Vec::new());
        let permit = self.call.gate.read_once(&self.session, ask).await?;
        let version = Sequence(item.edge.version);
        item.digest = permit.digest(version)?;
        let found = self.call.engines.tables.at(&permit, version).await;
        let found = found.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        permit.ending().tell()?;
        let Some(found) = found else {
            return Ok(item);
        };
        item.standing = match found.is_newest {
            true => Standing::Current,
            false => Standing::Older,
        };
        item.name = format!("{}.{}", found.namespace.join("."), found.name);
        item.url = format!("s3://{bucket}/{}", found.key);
        item.media_type = "application/json".to_owned();
        item.labels = found.labels;
        item.what = What::Table {
            called: Some(item.name.clone()),
            current: found.snapshot,
        };
        self.licence_of_bucket(&mut item, &permit)?;
        let digest = Digest {
            sha256: sha256(checksum::of(Algorithm::Sha256, &found.metadata))?,
            size: found.metadata.len() as u64,
        };
        item.digest = Some(digest);
        permit.keep_digest(version, digest);
        Ok(item)
    }

    async fn graph(&mut self, mut item: Item, path: ResourcePath) -> Result<Item> {
        let ask = Ask::new(OPERATION, "craton:ReadGraph", path.clone());
        let permit = self.call.gate.read(&self.session, ask).await?;
        let version = Sequence(item.edge.version);
        item.labels = permit.bucket_access()?.graph_labels(&path).to_vec();
        item.digest = permit.digest(version)?;
        self.licence_of_bucket(&mut item, &permit)?;
        let newest = permit.newest(craton_gate::Kind::Graph, graph_of(&path))?;
        item.standing = match newest {
            Some(newest) if newest.stored.sequence == version => Standing::Current,
            _ => Standing::Older,
        };
        if item.digest.is_some() {
            permit.reads(version);
            return Ok(item);
        }
        let ending = permit.ending();
        let graphs = self.call.engines.graphs;
        let memory = graphs.reserve(Share::Reader).await?;
        let (graphs, limits) = (graphs.clone(), Limits::default());
        let hashed = tokio::task::spawn_blocking(move || {
            let _memory = memory;
            let opened = graphs.snapshot(&permit, graphs.control(limits))?.at(version)?;
            let (mut hash, mut size) = (Hasher::new(Algorithm::Sha256), 0_u64);
            export::export(&opened, &mut |piece| {
                hash.update(&piece);
                size = size.saturating_add(piece.len() as u64);
                Ok(())
            })?;
            let digest = Digest {
                sha256: sha256(hash.finish())?,
                size,
            };
            permit.keep_digest(version, digest);
            Ok(digest)
        });
        let hashed = hashed
            .await
            .map_err(|e| Error::internal("hashing a graph did not end").with_source(e))?;
        let hashed = hashed.inspect_err(|e: &Error| ending.failed(e.kind(), e.reason()));
        match hashed {
            Ok(digest) => {
                self.left = self.left.saturating_sub(digest.size.max(1));
                item.digest = Some(digest);
            }
            // Its runs were merged into others, or it was collected.
            Err(error) if error.kind() == Kind::NotFound => item.standing = Standing::Gone,
            Err(error) => item.why = Some(why(error)?),
        }
        Ok(item)
    }
}

impl Item {
    /// What is known of a version that may not be there any more.
    fn gone(edge: Edge) -> Self {
        let rest = edge
            .resource
            .strip_prefix('/')
            .and_then(|rest| rest.strip_prefix(&edge.bucket));
        let rest = rest.unwrap_or(&edge.resource);
        let (what, name, url) = match (rest.strip_prefix("/objects/"), rest.strip_prefix("/graphs/")) {
            (Some(key), _) if key.starts_with(tables::FOLDER) && key.ends_with("/*") => {
                let table = What::Table {
                    called: None,
                    current: None,
                };
                let url = format!("craton://{}/objects/{key}", edge.bucket);
                (table, key, url)
            }
            (Some(key), _) => (What::Object, key, format!("s3://{}/{key}", edge.bucket)),
            (_, Some(graph)) => {
                let url = format!(
                    "craton://{}/graphs/{graph}?snapshot={}",
                    edge.bucket, edge.version
                );
                (What::Graph, graph, url)
            }
            (None, None) => (What::Object, rest, format!("craton:/{}", edge.resource)),
        };
        let media_type = match what {
            What::Graph => "text/plain",
            _ => "application/octet-stream",
        };
        Self {
            name: name.to_owned(),
            url,
            what,
            standing: Standing::Gone,
            digest: None,
            why: None,
            media_type: media_type.to_owned(),
            version_id: None,
            licence: None,
            labels: Vec::new(),
            untold: false,
            edge,
        }
    }

    /// Takes a digest, or why there is none.
    fn had(&mut self, read: Result<Digest>, permit: &ReadPermit) -> Result<()> {
        match read {
            Ok(digest) => self.digest = Some(digest),
            Err(error) => {
                permit.failed(error.kind(), error.reason());
                self.digest = None;
                self.why = Some(why(error)?);
            }
        }
        Ok(())
    }
}

/// Why content can not be read, as far as that is the content's own matter.
///
/// # Errors
/// The error, where trying again may help.
fn why(error: Error) -> Result<String> {
    match error.kind() {
        Kind::Busy | Kind::Unavailable | Kind::Internal => Err(error),
        _ => Ok(format!("{}: {}", error.reason(), error.message())),
    }
}

/// The licence that tags say.
fn licence(tags: &[(String, String)]) -> Option<String> {
    let is_licence = |key: &str| LICENCE_TAGS.iter().any(|name| key.eq_ignore_ascii_case(name));
    let found = tags
        .iter()
        .find(|(key, value)| is_licence(key) && !value.is_empty());
    found.map(|(_, value)| value.clone())
}

fn graph_of(path: &ResourcePath) -> &[u8] {
    match path {
        ResourcePath::Facts(_, facts) => facts.graph().as_str().as_bytes(),
        _ => b"",
    }
}

fn sha256(value: Vec<u8>) -> Result<[u8; 32]> {
    let exact = <[u8; 32]>::try_from(value);
    exact.map_err(|_| Error::internal("a SHA-256 has the wrong length"))
}
