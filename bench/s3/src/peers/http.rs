//! What all peers that speak HTTP have in common: requests are signed the same for each, whether or not it
//! looks at signatures.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use super::{content, expiry, keys, rights};
use crate::{
    clock,
    http::Connection,
    load::{Answer, Load, Operation, Outcome, Request},
    options::Options,
    plan::{Bound, EPOCH_BYTES, MIXED_WRITES_OF_TEN, PART_BYTES, Row, Verb},
    process::Server,
    sign::{self, Key, Signer},
};

/// The bucket of all objects.
pub(super) const BUCKET: &str = "bench";

/// The bucket of objects with locks.
const HELD: &str = "bench-held";

/// Runs that requests are of in turn.
const RUNS: u64 = 16;

/// Ranges that a row reads in turn.
const RANGES: usize = 2000;

/// Clients that store the objects which GET reads.
const PREPARE_CLIENTS: usize = 8;

/// How long storing them may take.
const PREPARE_TIME: Duration = Duration::from_secs(300);

/// A server that has been started.
pub(crate) struct HttpPeer {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    pub(super) key: Key,
    /// Where objects are put as files, if the server has no PUT.
    pub(super) files: Option<PathBuf>,
    /// What only Craton has.
    pub(super) own: Option<Own>,
    pub(super) stored: Stored,
}

/// Craton's program, to ask a server of it for something, and the server's folder.
pub(super) struct Own {
    pub(super) binary: PathBuf,
    pub(super) data: PathBuf,
}

/// What was done for rows before they run.
#[derive(Default)]
pub(super) struct Stored {
    /// Objects for rows that read: for which kind, of which size.
    pub(super) objects: BTreeSet<(Verb, u64)>,
    /// The user whose rights policies say.
    pub(super) user: Option<Key>,
    /// A session of that user.
    pub(super) session: Option<Key>,
    /// Uploads that have begun.
    uploads: Vec<String>,
    /// The tag of each of their parts.
    etag: String,
}

impl HttpPeer {
    /// Makes the bucket.
    pub(super) fn make_bucket(&self) -> Result<()> {
        self.make_bucket_of(BUCKET, &[])
    }

    pub(super) fn make_bucket_of(&self, name: &str, headers: &[(&str, &str)]) -> Result<()> {
        let head = self
            .signer()?
            .head_with("PUT", &format!("/{name}"), 0, None, headers);
        self.all(vec![Operation::one(head, Bytes::new(), Answer::Length(0), 0)], 1)
    }

    /// Writes as many small objects at once as a row does at most, outside of any row.
    pub(super) fn put_first(&self) -> Result<()> {
        let body = content(4 << 10)?;
        let signer = self.signer()?;
        let put = |n| {
            let size = body.len() as u64;
            let head = signer.head("PUT", &format!("/{BUCKET}/first-{n}"), size, None);
            Operation::one(head, body.clone(), Answer::Length(0), size)
        };
        self.all((0..64).map(put).collect(), 16)
    }

    pub(super) fn prepare(&mut self, row: &Row, options: &Options) -> Result<bool> {
        match row.verb {
            Verb::Put => {}
            Verb::HeldPut => self.make_held()?,
            Verb::Get | Verb::RunGet | Verb::Mixed | Verb::Epoch | Verb::Ranges | Verb::Calm => {
                self.store(row, options)?;
            }
            Verb::HeldGet => {
                self.make_held()?;
                self.store(row, options)?;
            }
            Verb::UserGet | Verb::Revoke => {
                self.make_user()?;
                self.store(row, options)?;
                if row.verb == Verb::Revoke {
                    self.begin_session()?;
                }
            }
            Verb::Multipart => self.begin_uploads(row, row.bound(options).requests)?,
            Verb::List | Verb::Prefix | Verb::Deep | Verb::Group | Verb::Versions => {
                return self.store_keys(row);
            }
            Verb::Expiry => {
                let beside = expiry::beside(row);
                self.store(&beside, options)?;
                let stored = self.store_keys(row)?;
                self.begin_expiry(row)?;
                return Ok(stored);
            }
        }
        Ok(false)
    }

    /// Makes the bucket of objects with locks, once.
    fn make_held(&mut self) -> Result<()> {
        if !self.stored.objects.insert((Verb::HeldPut, 0)) {
            return Ok(());
        }
        self.make_bucket_of(HELD, &[("x-amz-bucket-object-lock-enabled", "true")])
    }

    /// Stores the objects that a row reads, and reads all of them once: they must be what was stored.
    fn store(&mut self, row: &Row, options: &Options) -> Result<()> {
        let kind = match row.verb {
            Verb::Epoch | Verb::HeldGet => row.verb,
            Verb::UserGet | Verb::Revoke => Verb::UserGet,
            _ => Verb::Get,
        };
        if !self.stored.objects.insert((kind, row.size)) {
            return Ok(());
        }
        let body = content(row.size)?;
        let signer = self.signer()?;
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        for (path, size) in objects(row, options) {
            let body = body.slice(..usize::try_from(size)?);
            if let Some(folder) = &self.files {
                fs::write(folder.join(path.trim_start_matches('/')), &body)?;
            } else {
                let head = match row.verb {
                    Verb::HeldGet => held_head(&signer, &path, &body),
                    _ => signer.head("PUT", &path, size, None),
                };
                writes.push(Operation::one(head, body.clone(), Answer::Length(0), size));
            }
            let head = signer.head("GET", &path, 0, None);
            reads.push(Operation::one(head, Bytes::new(), Answer::Exactly(body), size));
        }
        self.all(writes, PREPARE_CLIENTS)?;
        self.all(reads, PREPARE_CLIENTS)
    }

    /// Begins the uploads whose parts a row sends, and learns the tag of a part.
    fn begin_uploads(&mut self, row: &Row, count: u64) -> Result<()> {
        let part = content(PART_BYTES)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let signer = self.signer()?;
        let begun = runtime.block_on(async {
            let mut connection = Connection::open(self.address).await?;
            let (mut ids, mut etag) = (Vec::new(), String::new());
            for n in 0..count {
                let path = upload_path(row, n);
                let head = signer.head("POST", &format!("{path}?uploads="), 0, None);
                let answer = String::from_utf8(connection.fetch(&head, b"").await?.body)?;
                let id = answer
                    .split("<UploadId>")
                    .nth(1)
                    .and_then(|rest| rest.split('<').next());
                let id = id.context("no id of an upload in an answer")?.to_owned();
                if n == 0 {
                    let target = format!("{path}?partNumber=1&uploadId={id}");
                    let head = signer.head("PUT", &target, PART_BYTES, None);
                    etag = connection
                        .fetch(&head, &part)
                        .await?
                        .etag
                        .context("a part without a tag")?;
                }
                ids.push(id);
            }
            anyhow::Ok((ids, etag))
        });
        (self.stored.uploads, self.stored.etag) = begun?;
        Ok(())
    }

    pub(super) fn run(&self, row: &Row, options: &Options) -> Result<Outcome> {
        let bound = row.bound(options);
        if row.verb == Verb::Revoke {
            let operations = self.operations(row, options, bound.requests)?;
            return self.revoke_beside(operations, row.clients, bound.time);
        }
        Load {
            address: self.address,
            operations: self.operations(row, options, bound.requests)?,
            clients: row.clients,
            bound,
        }
        .run()
    }

    fn operations(&self, row: &Row, options: &Options, count: u64) -> Result<Vec<Operation>> {
        let signer = match row.verb {
            Verb::UserGet => self.signer_of(self.stored.user.as_ref())?,
            Verb::Revoke => self.signer_of(self.stored.session.as_ref())?,
            _ => self.signer()?,
        };
        let read = |(path, size): (String, u64)| {
            let head = signer.head("GET", &path, 0, None);
            Operation::one(head, Bytes::new(), Answer::Length(size), size)
        };
        let body = match row.verb {
            Verb::Put | Verb::HeldPut | Verb::Mixed | Verb::Calm => content(row.size)?,
            _ => Bytes::new(),
        };
        let write = |n: u64| {
            let Row { verb, size, clients } = row;
            let bucket = if *verb == Verb::HeldPut { HELD } else { BUCKET };
            let path = format!("/{bucket}/{}-{size}-{clients}-{n:06}", verb.name());
            let head = match verb {
                Verb::HeldPut => held_head(&signer, &path, &body),
                _ => signer.head("PUT", &path, *size, None),
            };
            Operation::one(head, body.clone(), Answer::Length(0), *size)
        };
        let mut dice = Dice(row.size | 1);
        Ok(match row.verb {
            Verb::Get | Verb::HeldGet | Verb::UserGet | Verb::Revoke => {
                objects(row, options).map(read).collect()
            }
            Verb::RunGet => reads_in_runs(&signer, objects(row, options)),
            Verb::Put | Verb::HeldPut => (0..count).map(write).collect(),
            Verb::Calm => {
                let reads = objects(row, options).map(read);
                reads.zip(0..).flat_map(|(read, n)| [read, write(n)]).collect()
            }
            Verb::Expiry => self.operations(&expiry::beside(row), options, count)?,
            Verb::Mixed => {
                let stored: Vec<_> = objects(row, options).collect();
                let mut stored = stored.iter().cycle();
                let mut one = |n| match stored.next() {
                    Some(object) if n % 10 >= MIXED_WRITES_OF_TEN => read(object.clone()),
                    _ => write(n),
                };
                (0..count).map(&mut one).collect()
            }
            Verb::Epoch => {
                let mut stored: Vec<_> = objects(row, options).collect();
                stored.sort_by_cached_key(|_| dice.next());
                stored.into_iter().map(read).collect()
            }
            Verb::Ranges => {
                let [least, most] = EPOCH_BYTES;
                let stored: Vec<_> = objects(row, options).collect();
                let one = |(path, size): &(String, u64)| {
                    let length = least + dice.next() % (most - least);
                    let from = dice.next() % (size - length);
                    let range = format!("bytes={from}-{}", from + length - 1);
                    let head = signer.head_with("GET", path, 0, None, &[("range", &range)]);
                    Operation::one(head, Bytes::new(), Answer::Length(length), length)
                };
                stored.iter().cycle().take(RANGES).map(one).collect()
            }
            Verb::Multipart => self.uploads_in_parts(row, &signer)?,
            Verb::List | Verb::Prefix | Verb::Deep | Verb::Group | Verb::Versions => {
                keys::pages(row, &signer, &mut dice)
            }
        })
    }

    /// All parts of each upload and its completion.
    fn uploads_in_parts(&self, row: &Row, signer: &Signer) -> Result<Vec<Operation>> {
        let body = content(PART_BYTES)?;
        let Stored {
            uploads: ids, etag, ..
        } = &self.stored;
        let parts = row.size / PART_BYTES;
        let listed: String = (1..=parts)
            .map(|n| format!("<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>"))
            .collect();
        let complete = Bytes::from(format!(
            "<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
        ));
        let operation = |(n, id): (u64, &String)| {
            let path = upload_path(row, n);
            let part = |part| Request {
                head: signer.head(
                    "PUT",
                    &format!("{path}?partNumber={part}&uploadId={id}"),
                    PART_BYTES,
                    None,
                ),
                body: body.clone(),
                answer: Answer::Length(0),
            };
            let mut requests: Vec<Request> = (1..=parts).map(part).collect();
            requests.push(Request {
                head: signer.head(
                    "POST",
                    &format!("{path}?uploadId={id}"),
                    complete.len() as u64,
                    None,
                ),
                body: complete.clone(),
                answer: Answer::Document("<ETag>", 1),
            });
            Operation {
                requests,
                bytes: row.size,
            }
        };
        Ok((0..).zip(ids).map(operation).collect())
    }

    /// Does all of them; any failure is an error.
    pub(super) fn all(&self, operations: Vec<Operation>, clients: usize) -> Result<()> {
        if operations.is_empty() {
            return Ok(());
        }
        let bound = Bound {
            time: PREPARE_TIME,
            requests: operations.len() as u64,
        };
        let outcome = Load {
            address: self.address,
            operations,
            clients,
            bound,
        }
        .run()?;
        if outcome.failed > 0 || outcome.requests < bound.requests {
            bail!("{} of {} requests succeeded", outcome.requests, bound.requests);
        }
        Ok(())
    }

    /// Sends one request on a connection of its own; what the answer says.
    pub(super) fn ask(&self, head: &str, body: &[u8]) -> Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut connection = Connection::open(self.address).await?;
            Ok(String::from_utf8(connection.fetch(head, body).await?.body)?)
        })
    }

    fn signer_of(&self, key: Option<&Key>) -> Result<Signer> {
        let key = key.context("nobody was prepared for the row")?;
        Ok(Signer::new(key, &self.address.to_string(), &clock::amz_date()?))
    }

    pub(super) fn signer(&self) -> Result<Signer> {
        self.signer_of(Some(&self.key))
    }
}

/// The objects that a row reads, with their sizes.
fn objects(row: &Row, options: &Options) -> impl Iterator<Item = (String, u64)> {
    let (verb, size) = (row.verb, row.size);
    let [least, most] = EPOCH_BYTES;
    let mut dice = Dice(size | 1);
    (0..row.objects(options)).map(move |n| match verb {
        Verb::Epoch => (
            format!("/{BUCKET}/epoch-{n:05}"),
            least + dice.next() % (most - least),
        ),
        Verb::HeldGet => (format!("/{HELD}/get-{size}-{n:05}"), size),
        Verb::UserGet | Verb::Revoke => (format!("/{}/get-{size}-{n:05}", rights::BUCKET), size),
        _ => (format!("/{BUCKET}/get-{size}-{n:05}"), size),
    })
}

/// GETs that say of which run they are.
fn reads_in_runs(signer: &Signer, objects: impl Iterator<Item = (String, u64)>) -> Vec<Operation> {
    let read = |((path, size), n): ((String, u64), u64)| {
        let run = format!("bench-{}", n % RUNS);
        let head = signer.head_with("GET", &path, 0, None, &[("x-craton-run", &run)]);
        Operation::one(head, Bytes::new(), Answer::Length(size), size)
    };
    objects.zip(0..).map(read).collect()
}

/// The head of a PUT that states a lock, a legal hold and a key of the key service.
fn held_head(signer: &Signer, path: &str, body: &[u8]) -> String {
    let sum = sign::sha256_base64(body);
    let headers = [
        ("x-amz-checksum-sha256", sum.as_str()),
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", "2099-01-01T00:00:00Z"),
        ("x-amz-server-side-encryption", "aws:kms"),
    ];
    signer.head_with("PUT", path, body.len() as u64, None, &headers)
}

fn upload_path(row: &Row, n: u64) -> String {
    format!("/{BUCKET}/upload-{}-{}-{n:05}", row.size, row.clients)
}

/// Numbers that are the same in every run: Marsaglia's xorshift64.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
