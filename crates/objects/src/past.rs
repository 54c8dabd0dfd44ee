//! An object as it was: what undoing a run, or going back to a moment, makes of its name.
//!
//! Every row of a name is a version, and what was superseded stays, unseen, for the undo window. So what the name was is found among its
//! rows, and it is had back by a new version that says the same: history is only added to.
//!
//! ```text
//! rows of "a", newest first       12 run   11 run   9 other   7 other      before the run: 9 is brought back as 13
//!                                 12 other 11 run   9 other                somebody wrote later: 12 stands
//! ```
//!
//! Invariants
//! - nothing is changed that anybody else wrote later: the commit expects that the newest row is still the one that was looked at;
//! - a row is trusted to be what came before only if nothing between may have been collected ([`Era::whole`]);
//! - twice is once: what brings a version back says which, and is not brought back over itself.
//!
//! Deliberately absent: which versions are a run's (who asks says), who may; versions that were deleted by their name, which are gone.

use craton_base::{ObjectKey, Sequence, Timestamp};
use craton_gate::{Head, Kind, Permit, ReadPermit, Standing, Stored, StoredVersion, Whose, WritePermit};

use crate::{
    Error, Fault, Result,
    body::{self, Claims},
    checksum::Algorithm,
    copy::body_of,
    delete::delete_over,
    encryption::{self, EncryptionRecord, Method, Wanted, WantedKms},
    get::content,
    lock::LockRequest,
    meta::{MarkerMeta, ObjectMeta},
    put::{Draft, commit_over},
    tiering,
};

/// Rows that are looked at together.
const AT_ONCE: usize = 128;

/// The most rows of one name that are looked at.
const ROWS_MAX: usize = 65_536;

/// The most content that is brought back: as much as an object can have.
const BYTES_MAX: u64 = 50 << 40;

/// From when on history is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Era {
    /// The newest commit of before that.
    pub whole: Sequence,
}

impl Era {
    /// That of the bucket of a permit.
    ///
    /// # Errors
    /// The gate's own.
    pub fn of(permit: &Permit) -> Result<Self> {
        let since = permit.undo_window()?.since;
        Ok(Self {
            whole: permit.commit_at(since)?,
        })
    }
}

/// A moment to go back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// When it was.
    pub time: Timestamp,
    /// The newest commit then, if history is whole since.
    pub commit: Sequence,
    /// Whether it is.
    pub whole: bool,
}

impl Moment {
    /// The moment of a time, in the bucket of a permit.
    ///
    /// # Errors
    /// `InvalidArgument` for a time to come, or from before the bucket was made; `UndoWindowPassed` in a bucket that never kept versions,
    /// before its undo window.
    pub fn at(permit: &Permit, time: Timestamp) -> Result<Self> {
        let (bucket, window) = (permit.bucket()?, permit.undo_window()?);
        if time > permit.now() || time < bucket.created {
            let text = format!(
                "The bucket {} was not there then, or it is a time to come.",
                bucket.name
            );
            return Err(craton_base::Error::new(craton_base::Kind::Invalid, "InvalidTime", text).into());
        }
        let whole = time >= window.since;
        if !whole && bucket.versioning == craton_gate::Versioning::Unversioned {
            let text = format!(
                "The undo window of bucket {} begins at {:?}.",
                bucket.name, window.since
            );
            return Err(
                craton_base::Error::new(craton_base::Kind::NotFound, "UndoWindowPassed", text).into(),
            );
        }
        Ok(Self {
            time,
            commit: permit.commit_at(time)?,
            whole,
        })
    }
}

/// A version that is told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The commit that made it.
    pub sequence: Sequence,
    /// Whether it is a deletion.
    pub deletion: bool,
    /// When it was written; a plain deletion does not say.
    pub modified: Option<Timestamp>,
    /// Who wrote it; a plain deletion does not say.
    pub owner: Option<String>,
}

/// What can be made of a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It is as it would become.
    Same,
    /// It was done before.
    Done(Told),
    /// Somebody wrote later.
    Later(Told),
    /// What is to be undone is not there any more: it was deleted by its version, or the window has passed over it.
    Gone,
    /// What was there before may have been collected.
    Passed,
    /// This is to be done.
    Step(Step),
}

/// What is to be done with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The newest row, which must still be that; 0 if there is none.
    pub newest: Sequence,
    /// The version that is brought back; `None`: the name is deleted.
    pub back: Option<Stored>,
}

/// A row in brief.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Row {
    sequence: Sequence,
    standing: Standing,
    kept: bool,
    /// When it was written, by its own account.
    modified: Timestamp,
    brought_back: Sequence,
}

impl Row {
    fn of(head: &Head<'_>) -> Result<Self> {
        let (modified, brought_back) = match head.standing {
            Standing::Exists => {
                let meta = ObjectMeta::read(head.meta)?;
                (meta.modified(), meta.brought_back)
            }
            Standing::Marked => (Timestamp(MarkerMeta::read(head.meta)?.modified_micros), 0),
            Standing::Deleted => (Timestamp(0), 0),
        };
        Ok(Self {
            sequence: head.sequence,
            standing: head.standing,
            kept: head.kept,
            modified,
            brought_back: Sequence(brought_back),
        })
    }

    fn is_deletion(&self) -> bool {
        self.standing != Standing::Exists
    }
}

/// The rows of a name, newest first, as far as one looks.
struct Rows<'a> {
    permit: &'a Permit,
    name: &'a [u8],
    held: std::collections::VecDeque<Row>,
    after: Option<Sequence>,
    looked: usize,
}

impl<'a> Rows<'a> {
    fn new(permit: &'a Permit, name: &'a [u8]) -> Self {
        Self {
            permit,
            name,
            held: std::collections::VecDeque::new(),
            after: None,
            looked: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Row>> {
        if self.held.is_empty() {
            self.fill()?;
        }
        Ok(self.held.pop_front())
    }

    fn fill(&mut self) -> Result<()> {
        if self.looked >= ROWS_MAX {
            let text = format!("An object of more than {ROWS_MAX} versions since then is not had back.");
            return Err(Error::fault(Fault::InvalidRequest, text));
        }
        let end = [self.name, &[0]].concat();
        let after = self.after.map(|sequence| (self.name, sequence));
        let held = &mut self.held;
        self.permit
            .visit_versions(Kind::Object, (self.name, Some(&end)), after, |head| {
                held.push_back(Row::of(&head)?);
                Ok::<_, Error>(match held.len() >= AT_ONCE {
                    true => craton_gate::Flow::Stop,
                    false => craton_gate::Flow::Next,
                })
            })?;
        self.looked = self.looked.saturating_add(self.held.len());
        self.after = self.held.back().map(|row| row.sequence).or(self.after);
        Ok(())
    }
}

/// What undoing a run makes of an object: what was its newest version before those of the run that are the newest now. `versions` are
/// some that the run made or deleted, the newest first.
///
/// # Errors
/// Those of `whose`; the gate's own; `InvalidRequest` for more versions than are looked at.
pub fn before_run(
    permit: &Permit,
    key: &ObjectKey,
    era: Era,
    versions: &[u64],
    whose: impl Fn(Sequence) -> craton_base::Result<Whose>,
) -> Result<Finding> {
    let name = key.as_str().as_bytes();
    let mut rows = Rows::new(permit, name);
    let Some(newest) = rows.next()? else {
        return Ok(Finding::Gone);
    };
    match whose(newest.sequence)? {
        Whose::Run => {}
        Whose::Undoing => return Ok(Finding::Done(told(permit, name, newest.sequence)?)),
        Whose::Another => {
            // What the run did may not stand any more, and then nobody wrote over it.
            for version in versions {
                let sequence = Sequence(*version);
                if sequence < newest.sequence && permit.version(Kind::Object, name, sequence)?.is_some() {
                    return Ok(Finding::Later(told(permit, name, newest.sequence)?));
                }
            }
            return Ok(Finding::Gone);
        }
    }
    let mut of_run = newest;
    let before = loop {
        // What it superseded may be gone.
        if !of_run.kept && of_run.sequence <= era.whole {
            return Ok(Finding::Passed);
        }
        match rows.next()? {
            None => break None,
            Some(row) if whose(row.sequence)? == Whose::Run => of_run = row,
            Some(row) => break Some(row),
        }
    };
    step(permit, name, newest, before)
}

/// What going back to a moment makes of an object.
///
/// # Errors
/// The gate's own; `InvalidRequest` for more versions than are looked at.
pub fn as_of(permit: &Permit, key: &ObjectKey, moment: Moment) -> Result<Finding> {
    let name = key.as_str().as_bytes();
    let mut rows = Rows::new(permit, name);
    let Some(newest) = rows.next()? else {
        return Ok(Finding::Same);
    };
    let mut row = newest;
    let then = loop {
        // Older than that only the versions themselves say when they were, and only those that are kept are all there.
        let was = match moment.whole {
            true => row.sequence <= moment.commit,
            false => row.standing != Standing::Deleted && row.modified <= moment.time,
        };
        if was {
            break Some(row);
        }
        if !moment.whole && !row.kept {
            return Ok(Finding::Passed);
        }
        match rows.next()? {
            None => break None,
            Some(older) => row = older,
        }
    };
    step(permit, name, newest, then)
}

/// From what is to what was.
fn step(permit: &Permit, name: &[u8], newest: Row, was: Option<Row>) -> Result<Finding> {
    let step = |back| {
        Finding::Step(Step {
            newest: newest.sequence,
            back,
        })
    };
    let Some(was) = was.filter(|was| !was.is_deletion()) else {
        return Ok(match newest.is_deletion() {
            true => Finding::Same,
            false => step(None),
        });
    };
    let is_it = newest.sequence == was.sequence || newest.brought_back == was.sequence;
    if is_it && !newest.is_deletion() {
        return Ok(Finding::Same);
    }
    let found = permit.version(Kind::Object, name, was.sequence)?;
    Ok(match found.and_then(StoredVersion::existing) {
        Some(stored) => step(Some(stored)),
        None => Finding::Passed,
    })
}

/// What is told of a version.
fn told(permit: &Permit, name: &[u8], sequence: Sequence) -> Result<Told> {
    let mut out = Told {
        sequence,
        deletion: false,
        modified: None,
        owner: None,
    };
    let Some(StoredVersion { stored, standing }) = permit.version(Kind::Object, name, sequence)? else {
        return Ok(out);
    };
    out.deletion = standing != Standing::Exists;
    let (modified, owner) = match standing {
        Standing::Exists => {
            let meta = ObjectMeta::read(&stored.value.meta)?;
            (meta.modified_micros, meta.owner)
        }
        Standing::Marked => {
            let meta = MarkerMeta::read(&stored.value.meta)?;
            (meta.modified_micros, meta.owner)
        }
        Standing::Deleted => return Ok(out),
    };
    out.modified = Some(Timestamp(modified));
    out.owner = Some(owner);
    Ok(out)
}

impl Step {
    /// What else one needs to be allowed besides writing the object: for what is said of the version that is brought back.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn actions(&self) -> Result<Vec<&'static str>> {
        let Some(back) = &self.back else {
            return Ok(vec!["s3:DeleteObject"]);
        };
        let meta = ObjectMeta::read(&back.value.meta)?;
        let mut actions = vec!["s3:PutObject"];
        if meta.tag_count() > 0 {
            actions.push("s3:PutObjectTagging");
        }
        if meta.acl.is_some() {
            actions.push("s3:PutObjectAcl");
        }
        Ok(actions)
    }

    /// Does it: `read` is a permit for the object's past, `write` one for the object. The commit.
    ///
    /// # Errors
    /// `Precondition` if somebody wrote meanwhile; `InvalidObjectState` for content that is to be restored from an archive first;
    /// `InvalidRequest` for content that is encrypted with a client's own key; the key service's own; the gate's own.
    pub async fn take(&self, read: &ReadPermit, write: &WritePermit, key: &ObjectKey) -> Result<Sequence> {
        let name = key.as_str().as_bytes();
        let Some(back) = &self.back else {
            return delete_over(write, name, self.newest).await;
        };
        let draft = again(read, write, key, back).await?;
        commit_over(write, name, self.newest, &draft).await
    }
}

/// A version as a new one: the same bytes, sealed anew, and the same said of it, but for its lock.
async fn again(read: &ReadPermit, write: &WritePermit, key: &ObjectKey, back: &Stored) -> Result<Draft> {
    let meta = ObjectMeta::of(&back.value)?;
    tiering::check_readable(read, &meta)?;
    encryption::open(read, meta.encryption.as_ref(), None).await?;
    let wanted = wanted(meta.encryption.as_ref())?;
    let encryption = encryption::seal(write, key, &wanted).await?;
    let body = body_of(content(read, back, 0..meta.size)?, meta.size);
    let name = key.as_str().as_bytes();
    let (algorithm, claims) = (Algorithm::Crc64Nvme, Claims::default());
    let received = body::receive(write, name, body, algorithm, &claims, BYTES_MAX).await?;
    Ok(Draft {
        meta: ObjectMeta {
            modified_micros: write.now().micros(),
            encryption,
            lock: None,
            replication: None,
            restored_until_micros: 0,
            restore_days: 0,
            tier: String::new(),
            brought_back: back.sequence.0,
            ..meta
        },
        content: received.content,
        lock: LockRequest::default(),
    })
}

/// The encryption that a version has, to be asked for again.
fn wanted(record: Option<&EncryptionRecord>) -> Result<Wanted> {
    let Some(record) = record else {
        return Ok(Wanted::Managed);
    };
    Ok(match record.method()? {
        Method::Managed | Method::Customer => Wanted::Managed,
        method @ (Method::Kms | Method::KmsDual) => Wanted::Kms(WantedKms {
            key: (!record.managed_key).then(|| record.key_arn.clone()),
            context: record.context.clone(),
            bucket_key: record.bucket_key,
            dual: method == Method::KmsDual,
        }),
    })
}
