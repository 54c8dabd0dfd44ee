//! Files as DataFusion reads them: each by a permit of its own, in ranges, in process.
//!
//! Invariants
//! - every file is decided and recorded as the S3 door would, when it is opened; what is read of it is counted in its outcome;
//! - nothing is written; what lies in a folder is listed by a permit, as S3 would list it;
//! - bytes between reading and decoding are counted in the statement's memory until they are dropped.
//!
//! The store's own work is done where the doors work, not on the threads of SQL, which may panic.

use std::{fmt, num::NonZeroUsize, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use craton_base::{BucketName, Error, Kind, ObjectKey, ResourcePath, Result};
use craton_gate::{Ask, Content, Gate, ReadPermit, Restrictions, Session};
use craton_objects::{
    get::{ReadRequest, get, head},
    list::{After, Listing, PAGE_KEYS_MAX, list},
    range::{ByteRange, Selection},
};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use lru::LruCache;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, path::Path,
};
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::OnceCell};
use tokio_util::task::AbortOnDropHandle;

/// Files that a statement has open at once; one that is opened again is decided again.
const OPEN_MAX: NonZeroUsize = match NonZeroUsize::new(256) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};

/// A file that is read from its beginning to its end comes in such pieces, in bytes.
const PIECE_BYTES: u64 = 4 << 20;

/// The longest range that is read at once, in bytes.
const RANGE_BYTES_MAX: u64 = 512 << 20;

/// The files that one statement reads. Clones are the same.
#[derive(Clone)]
pub(crate) struct Files {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    session: Session,
    reads: Reads,
    /// Where the store's work is done.
    doors: Handle,
    pool: Arc<dyn MemoryPool>,
    open: Mutex<LruCache<Path, Arc<OnceCell<Arc<Opened>>>>>,
}

/// What is read of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    /// The columns, as [`Ask::of_columns`]; `None`: all of them, as they are.
    pub(crate) columns: Option<Vec<String>>,
    /// What is applied to what is read.
    pub(crate) restrictions: Restrictions,
}

/// A file, and the permit to read it.
struct Opened {
    permit: ReadPermit,
    key: ObjectKey,
    size: u64,
}

/// Bytes, and the memory that is counted for them.
struct Counted {
    bytes: Bytes,
    _memory: MemoryReservation,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The name of a file among all.
///
/// # Errors
/// `Invalid` for a key that has no such name.
pub(crate) fn path_of(bucket: &BucketName, key: &str) -> Result<Path> {
    Path::parse(format!("{bucket}/{key}"))
        .map_err(|e| Error::invalid(format!("the key {key:?} can not be read by SQL")).with_source(e))
}

impl Files {
    /// Files read as a whole.
    pub(crate) fn new(gate: Gate, session: Session, doors: Handle, pool: Arc<dyn MemoryPool>) -> Self {
        let inner = Inner {
            gate,
            session,
            reads: Reads::default(),
            doors,
            pool,
            open: Mutex::new(LruCache::new(OPEN_MAX)),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The same files for a scan that reads this of them.
    pub(crate) fn reading(&self, reads: Reads) -> Self {
        let inner = Inner {
            gate: self.inner.gate.clone(),
            session: self.inner.session.clone(),
            reads,
            doors: self.inner.doors.clone(),
            pool: self.inner.pool.clone(),
            open: Mutex::new(LruCache::new(OPEN_MAX)),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A file's size.
    pub(crate) async fn size(&self, path: &Path) -> Result<u64> {
        Ok(self.opened(path).await?.size)
    }

    /// All of a file, of at most `most` bytes.
    pub(crate) async fn whole(&self, path: &Path, most: u64) -> Result<Bytes> {
        let size = self.size(path).await?;
        if size > most {
            let text = format!("the file {path} has {size} bytes; at most {most} are read at once");
            return Err(Error::new(Kind::TooLarge, "FileTooLarge", text));
        }
        self.range(path, 0..size).await
    }

    async fn opened(&self, path: &Path) -> Result<Arc<Opened>> {
        let cell = self
            .inner
            .open
            .lock()
            .get_or_insert(path.clone(), Arc::default)
            .clone();
        cell.get_or_try_init(|| self.begin(path)).await.cloned()
    }

    async fn begin(&self, path: &Path) -> Result<Arc<Opened>> {
        let (bucket, key) = path.as_ref().split_once('/').unwrap_or_default();
        let (bucket, key) = (BucketName::new(bucket)?, ObjectKey::new(key)?);
        let resource = ResourcePath::Object(bucket, key.clone());
        let (gate, session) = (self.inner.gate.clone(), self.inner.session.clone());
        let reads = self.inner.reads.clone();
        self.at_the_doors(async move {
            let mut ask = Ask::new("GetObject", "s3:GetObject", resource);
            ask.columns = reads.columns;
            let permit = gate.read(&session, ask).await?;
            if !reads.restrictions.covers(permit.restrictions()) {
                let changed = policies_changed();
                permit.failed(changed.kind(), changed.reason());
                return Err(changed);
            }
            let found = head(&permit, &key, &ReadRequest::default(), None).map_err(|e| e.to_base());
            let found = noted(&permit, found)?;
            let size = found.meta.size;
            Ok(Arc::new(Opened { permit, key, size }))
        })
        .await
    }

    /// A part of a file; what lies behind its end is left out.
    pub(crate) async fn range(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        let opened = self.opened(path).await?;
        let (start, end) = (range.start, range.end.min(opened.size));
        let bytes = end.saturating_sub(start);
        if bytes == 0 {
            return Ok(Bytes::new());
        }
        if bytes > RANGE_BYTES_MAX {
            let text =
                format!("a piece of {path} has {bytes} bytes; at most {RANGE_BYTES_MAX} are read at once");
            return Err(Error::new(Kind::TooLarge, "FileTooLarge", text));
        }
        let memory = MemoryConsumer::new("bytes of files").register(&self.inner.pool);
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        memory.try_grow(wanted).map_err(|e| crate::error::own(&e))?;
        let request = ReadRequest {
            selection: Selection::Range(ByteRange::From(start, Some(end.saturating_sub(1)))),
            ..ReadRequest::default()
        };
        let read = self.at_the_doors(async move {
            let got = get(&opened.permit, &opened.key, &request, None).await;
            let read = match got.map_err(|e| e.to_base()) {
                Ok((_, content)) => collected(content, wanted).await,
                Err(e) => Err(e),
            };
            noted(&opened.permit, read)
        });
        Ok(Bytes::from_owner(Counted {
            bytes: read.await?,
            _memory: memory,
        }))
    }

    /// A page of the objects in `bucket/folder`, and after what the next begins.
    async fn listed(&self, folder: &str, after: Option<After>) -> Result<(Vec<ObjectMeta>, Option<After>)> {
        let (bucket, folder) = folder.split_once('/').unwrap_or((folder, ""));
        let (bucket, prefix) = (
            BucketName::new(bucket)?,
            match folder {
                "" => String::new(),
                folder => format!("{folder}/"),
            },
        );
        let (gate, session) = (self.inner.gate.clone(), self.inner.session.clone());
        self.at_the_doors(async move {
            let path = ResourcePath::Objects(bucket.clone(), prefix.clone());
            let ask = Ask::new("ListObjectsV2", "s3:ListBucket", path).with("s3:prefix", prefix.clone());
            let permit = gate.read(&session, ask).await?;
            let listing = Listing {
                prefix,
                after,
                limit: PAGE_KEYS_MAX,
                ..Listing::default()
            };
            let page = noted(&permit, list(&permit, &listing).await.map_err(|e| e.to_base()))?;
            let objects = page.entries.into_iter().map(|object| {
                Ok(ObjectMeta {
                    location: path_of(&bucket, &object.key)?,
                    last_modified: Default::default(),
                    size: object.meta.size,
                    e_tag: None,
                    version: None,
                })
            });
            Ok((objects.collect::<Result<_>>()?, page.next))
        })
        .await
    }

    /// All of a file, piece by piece.
    fn pieces(&self, path: Path, size: u64) -> BoxStream<'static, object_store::Result<Bytes>> {
        let files = self.clone();
        let step = usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX);
        let pieces = stream::iter((0..size).step_by(step));
        pieces
            .then(move |start| {
                let (files, path) = (files.clone(), path.clone());
                async move {
                    let end = start.saturating_add(PIECE_BYTES).min(size);
                    files.range(&path, start..end).await.map_err(failed)
                }
            })
            .boxed()
    }

    /// Does what the store and the gate do.
    pub(crate) async fn at_the_doors<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let done = AbortOnDropHandle::new(self.inner.doors.spawn(work)).await;
        done.map_err(|e| Error::internal("the work at the doors was given up").with_source(e))?
    }
}

/// Notes how a read ended.
fn noted<T>(permit: &ReadPermit, done: Result<T>) -> Result<T> {
    done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
}

async fn collected(content: Content, size: usize) -> Result<Bytes> {
    match content {
        Content::Whole(bytes) => Ok(bytes),
        Content::Stream(mut stream) => {
            let mut out = BytesMut::with_capacity(size);
            while let Some(piece) = stream.next().await {
                out.extend_from_slice(&piece?);
            }
            Ok(out.freeze())
        }
    }
}

/// What a file's permit keeps back and its scan does not.
fn policies_changed() -> Error {
    let text = "the policies on a file keep back more than those on its table did when the statement began; try again";
    Error::new(Kind::Denied, "AccessDenied", text)
}

fn failed(error: Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "craton",
        source: Box::new(error),
    }
}

fn never() -> object_store::Error {
    failed(Error::internal("SQL reads files and does nothing else with them"))
}

#[async_trait]
impl ObjectStore for Files {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let size = self.size(location).await.map_err(failed)?;
        let range = match &options.range {
            Some(range) => range
                .as_range(size)
                .map_err(|e| failed(Error::invalid(e.to_string())))?,
            None => 0..size,
        };
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: Default::default(),
            size,
            e_tag: None,
            version: None,
        };
        let payload = match (options.head, &options.range) {
            (true, _) => stream::empty().boxed(),
            // What can not be read is an error, and no stream.
            (false, Some(_)) => {
                let bytes = self.range(location, range.clone()).await.map_err(failed)?;
                stream::once(async { Ok(bytes) }).boxed()
            }
            (false, None) => self.pieces(location.clone(), size),
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta,
            range,
            attributes: object_store::Attributes::default(),
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        Err(never())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(never())
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        stream::once(async { Err(never()) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let folder = prefix.map(ToString::to_string).unwrap_or_default();
        let pages = stream::try_unfold(
            (self.clone(), folder, Some(None)),
            |(files, folder, at)| async move {
                let Some(after) = at else {
                    return Ok::<_, object_store::Error>(None);
                };
                let (found, next) = files.listed(&folder, after).await.map_err(failed)?;
                let found = stream::iter(found.into_iter().map(Ok::<_, object_store::Error>));
                Ok(Some((found, (files, folder, next.map(Some)))))
            },
        );
        pages.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> object_store::Result<ListResult> {
        Err(never())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> object_store::Result<()> {
        Err(never())
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("craton")
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}
