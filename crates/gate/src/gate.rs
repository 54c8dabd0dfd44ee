//! The gate: identify, decide, borrow, record — and only then a permit.
//!
//! [`Gate::read`] and [`Gate::write`] are the whole way; there is no other maker of permits. A request
//! that is refused, at whatever step, leaves one denial in the ledger.
//!
//! Worked example. User `ana` GETs `/data/objects/a.csv` with a policy that allows `s3:GetObject` on
//! `arn:aws:s3:::data/*`: [`Gate::identify`] checks the signature and yields ana's [`Session`];
//! [`Gate::read`] evaluates the policy, writes the decision with the statement's name to the journal, and
//! returns a [`ReadPermit`] for that one object as of the newest commit; the engine reads the entry and
//! its content through the permit; when the last byte has left the permit is dropped and the outcome,
//! with version and byte count, follows the decision into the ledger.
//!
//! Deliberately absent: protocols, what entries mean.

use std::{
    sync::{Arc, OnceLock, Weak, atomic::AtomicBool},
    time::Duration,
};

use craton_base::{BranchId, BucketId, BucketName, Clock, Error, Random, ResourcePath, Result, Sequence};
use craton_guard::Restrictions;
use craton_store::{
    Store,
    budget::Budget,
    namespace::{Direction, Kind, Span},
};
use parking_lot::Mutex;

use crate::{
    admit::Keys,
    ask::Ask,
    bucket::BucketInfo,
    configuration::{cache::BucketCache, state::BucketState},
    directory::Directory,
    guards::GuardPlane,
    identify::{self, Regions, Verifier},
    kms::{self, DataKeys, KeyService, LocalKeys},
    ledger::{Follower, Ledger, LedgerParts, Record, RecordId, RecordKind, Verdict, Workers},
    lending::Lending,
    lineage::Lineage,
    notice::Notices,
    permit::{ClassTier, Grant, Mode, ReadPermit, Told, WritePermit},
    replication::{Copies, RemoteBuckets},
    runs::Runs,
    session::{Origin, Session},
    sessions::{Attempts, Issuers, Tokens, Vended},
    shield::ShieldPlane,
    switches, tables,
};

/// What an administrator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region that signatures are scoped to and buckets are made in.
    pub region: String,
    /// How long superseded versions stay in an unversioned bucket.
    pub undo_window: Duration,
    /// How long runs, and which versions they touched, are kept after they were last touched; `None`: always.
    pub lineage_retention: Option<Duration>,
    /// The names of the targets that events may be addressed to.
    pub targets: Vec<String>,
    /// Places of other machines that versions may be copied to.
    pub remotes: Vec<RemoteBuckets>,
    /// The storage classes whose content lies at tiers.
    pub tiers: Vec<ClassTier>,
    /// Whether somebody is told of runs of clients ([`crate::Due`]); `None`: as it was the last time.
    pub tells_of_runs: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            undo_window: Duration::from_hours(24),
            lineage_retention: None,
            targets: Vec::new(),
            remotes: Vec::new(),
            tiers: Vec::new(),
            tells_of_runs: None,
        }
    }
}

/// The gate. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) ledger: Ledger,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) issuers: Issuers,
    pub(crate) attempts: Attempts,
    pub(crate) vended: Vended,
    pub(crate) verifier: Verifier<Keys>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) buckets: BucketCache,
    pub(crate) guards: GuardPlane,
    pub(crate) local_keys: Arc<LocalKeys>,
    data_keys: OnceLock<DataKeys>,
    pub(crate) lending: Arc<Lending>,
    pub(crate) background: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    pub(crate) workers: Mutex<Option<Workers>>,
    pub(crate) notices: Notices,
    pub(crate) copies: Copies,
    pub(crate) runs: Runs,
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) workers_taken: AtomicBool,
    pub(crate) shield: ShieldPlane,
}

/// A decision, with what made it.
pub(crate) struct Verdicts {
    pub(crate) allowed: bool,
    pub(crate) verdict: Verdict,
    pub(crate) statements: Vec<String>,
    /// What guard policies leave, to who applies it; what they refuse.
    pub(crate) restrictions: Restrictions,
}

impl Gate {
    /// Takes a store over: from here on, only permits reach it.
    ///
    /// `kernel_boot_id` tells a restart of the machine from a restart of the process.
    ///
    /// # Errors
    /// If the ledger or the directory can not be opened.
    pub fn open(store: Store, settings: Settings, kernel_boot_id: &str) -> Result<Self> {
        let parts = store.parts();
        let ledger = Ledger::open(LedgerParts {
            namespace: parts.namespace.clone(),
            committer: parts.committer.clone(),
            journal: parts.journal.clone(),
            key: store.system_key("ledger")?,
            clock: parts.clock.clone(),
            random: parts.random.clone(),
            kernel_boot_id: kernel_boot_id.to_owned(),
        })?;
        let (clock, random) = (parts.clock.clone(), parts.random.clone());
        let (namespace, committer) = (parts.namespace.clone(), parts.committer.clone());
        let lineage = Arc::new(Lineage::open(
            namespace,
            committer,
            ledger.clone(),
            (clock.clone(), settings.tells_of_runs),
        )?);
        let follower: Weak<dyn Follower> = Arc::<Lineage>::downgrade(&lineage);
        if !switches::left_out("lineage") {
            ledger.follow(follower);
        }
        let directory = Arc::new(Directory::open(&store)?);
        let store = Arc::new(store);
        let tokens = Arc::new(Tokens::open(&store)?);
        let keys = Keys {
            store: store.clone(),
            directory: directory.clone(),
            tokens: tokens.clone(),
            clock: clock.clone(),
        };
        let accepted = identify::Settings {
            regions: Regions::Only(vec![settings.region.clone()]),
        };
        let local_keys = Arc::new(LocalKeys::open(&store, &settings.region)?);
        let inner = Inner {
            local_keys,
            data_keys: OnceLock::new(),
            ledger,
            directory,
            tokens,
            issuers: Issuers::new(),
            attempts: Attempts::default(),
            vended: Vended::default(),
            verifier: Verifier::new(keys, clock.clone(), accepted),
            settings,
            clock,
            random,
            buckets: BucketCache::new(),
            guards: GuardPlane::default(),
            lending: Arc::default(),
            background: Mutex::default(),
            workers: Mutex::default(),
            notices: Notices::default(),
            copies: Copies::default(),
            runs: Runs::default(),
            lineage,
            workers_taken: AtomicBool::new(false),
            shield: ShieldPlane::default(),
            store,
        };
        inner.guards.load(&inner.store)?;
        inner.load_leases()?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Uses this key service for SSE-KMS instead of the local one. To be said before anything is served.
    pub fn use_key_service(&self, service: Arc<dyn KeyService>) {
        let keys = || DataKeys::new(service, self.inner.clock.clone());
        self.inner.data_keys.get_or_init(keys);
    }

    /// The memory that the graph engine works in.
    #[must_use]
    pub fn graph_memory(&self) -> Budget {
        self.inner.store.parts().graph.clone()
    }

    /// What an administrator set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Whether content of some storage classes lies at tiers.
    #[must_use]
    pub fn has_tiers(&self) -> bool {
        !self.inner.settings.tiers.is_empty()
    }

    /// A permit to read.
    ///
    /// # Errors
    /// `Denied`, `AccessDenied`; `NotFound`, `NoSuchBucket`; `Unavailable` if it can not be recorded.
    pub async fn read(&self, session: &Session, ask: Ask) -> Result<ReadPermit> {
        self.read_recorded(session, ask, false).await
    }

    /// A permit to read one thing and answer: what was decided and how it ended become one record if all of the content is in
    /// memory. [`crate::Ending::tell`] must be called before anything is answered; content is handed out only once it is recorded.
    ///
    /// # Errors
    /// As [`Gate::read`].
    pub async fn read_once(&self, session: &Session, ask: Ask) -> Result<ReadPermit> {
        self.read_recorded(session, ask, true).await
    }

    /// `at_its_end`: the record may wait until it is known how the read ended.
    async fn read_recorded(&self, session: &Session, ask: Ask, at_its_end: bool) -> Result<ReadPermit> {
        let bucket = self.inner.bucket_of(&ask.resource)?;
        let (mut record, restrictions) = self.decide(session, &ask, bucket.as_deref())?;
        self.pick_up_labels(session, &ask, bucket.as_deref())
            .await
            .inspect_err(|e| self.note_failure(&record, None, e))?;
        record.kind = RecordKind::Decision.into();
        if at_its_end && bucket.as_ref().is_some_and(|b| !b.info.strict) {
            let grant = self.grant(session, ask, record, Told::Nothing, bucket, Mode::Read);
            return Ok(ReadPermit::restricted(self.inner.clone(), grant, restrictions));
        }
        let decision = self.inner.ledger.append_decision(&mut record)?;
        self.require_bucket(&ask.resource, bucket.is_some())
            .inspect_err(|e| self.note_failure(&record, Some(decision), e))?;
        if bucket.as_ref().is_some_and(|b| b.info.strict) {
            self.inner.ledger.sync().await?;
        }
        let grant = self.grant(session, ask, record, Told::Decision(decision), bucket, Mode::Read);
        Ok(ReadPermit::restricted(self.inner.clone(), grant, restrictions))
    }

    /// A permit to change.
    ///
    /// # Errors
    /// As [`Gate::read`]; `Busy` if a lease of another covers the path.
    pub async fn write(&self, session: &Session, mut ask: Ask) -> Result<WritePermit> {
        // Who changes something changes all of it.
        ask.columns = None;
        let bucket = self.inner.bucket_of(&ask.resource)?;
        let (record, _) = self.decide(session, &ask, bucket.as_deref())?;
        self.pick_up_labels(session, &ask, bucket.as_deref())
            .await
            .inspect_err(|e| self.note_failure(&record, None, e))?;
        // Refuse early what would be refused at the commit; the claim itself is taken there, for its short time.
        self.inner
            .lending
            .check(session, &ask.resource, self.inner.clock.now())
            .inspect_err(|e| self.note_failure(&record, None, e))?;
        // Who makes a bucket asks for one that is not there.
        if !matches!(ask.resource, ResourcePath::Bucket(_)) {
            self.require_bucket(&ask.resource, bucket.is_some())
                .inspect_err(|e| self.note_failure(&record, None, e))?;
        }
        Ok(WritePermit::new(
            self.inner.clone(),
            self.grant(session, ask, record, Told::ByCommit, bucket, Mode::Write),
        ))
    }

    pub(crate) fn grant(
        &self,
        session: &Session,
        ask: Ask,
        record: Record,
        told: Told,
        bucket: Option<Arc<BucketState>>,
        mode: Mode,
    ) -> Grant {
        Grant {
            session: session.clone(),
            operation: ask.operation,
            resource: ask.resource,
            record,
            told,
            bucket,
            mode,
        }
    }

    pub(crate) fn require_bucket(&self, resource: &ResourcePath, exists: bool) -> Result<()> {
        match resource.bucket() {
            Some(name) if !exists => Err(crate::permit::no_such_bucket(Some(name))),
            _ => Ok(()),
        }
    }

    /// Records that an allowed access ended before a permit was made.
    pub(crate) fn note_failure(&self, record: &Record, decision: Option<RecordId>, error: &Error) {
        let mut record = record.clone();
        record.kind = RecordKind::Outcome.into();
        record.result = error.kind().as_str().to_owned();
        record.reason = error.reason().to_owned();
        if let Some(decision) = decision {
            record.refer_to(decision);
        }
        self.inner.record_outcome(record);
    }

    /// Records a request that was refused before it had an identity, or whose body did not verify.
    ///
    /// # Errors
    /// `Unavailable` if it can not be recorded.
    pub fn refuse(
        &self,
        origin: &Origin,
        claimed_key: Option<&str>,
        operation: &str,
        path: &str,
        error: &Error,
    ) -> Result<()> {
        let mut record = origin_record(origin);
        record.kind = RecordKind::Denial.into();
        record.verdict = Verdict::Unauthenticated.into();
        record.access_key_id = cut(claimed_key.unwrap_or_default(), 128);
        record.operation = cut(operation, 64);
        record.resource = cut(path, 1300);
        record.result = error.kind().as_str().to_owned();
        record.reason = error.reason().to_owned();
        self.inner.ledger.append_denial(&mut record).map(drop)
    }

    pub(crate) fn record_of(&self, session: &Session, ask: &Ask) -> Record {
        let mut record = origin_record(session.origin());
        record.principal = session.principal().to_owned();
        record.access_key_id = session.access_key_id().unwrap_or_default().to_owned();
        session.describe(&mut record);
        record.operation = ask.operation.to_owned();
        record.action = ask.actions.join(" ");
        record.resource = ask.resource.to_string();
        record.bucket = ask.resource.bucket().map(ToString::to_string).unwrap_or_default();
        record.auth_type = session.proof().auth_type().unwrap_or_default().to_owned();
        let columns = ask
            .columns
            .as_ref()
            .map(|names| serde_json::json!(names).to_string());
        let columns = columns.as_deref().map(|names| (tables::COLUMNS_FACT, names));
        let facts = ask.context.iter().map(|(key, value)| (&**key, &**value));
        record.note_facts(facts.chain(columns));
        record
    }

    /// The ledger, to verify, list and prove.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }
}

impl Inner {
    /// The key service and what it gave.
    pub(crate) fn data_keys(&self) -> &DataKeys {
        self.data_keys
            .get_or_init(|| DataKeys::new(self.local_keys.clone(), self.clock.clone()))
    }

    /// Whether `session` may use a key of the key service.
    pub(crate) fn may_use_key(&self, session: &Session, action: &'static str, arn: &str) -> bool {
        self.would_allow(session, &[action], &kms::path(arn))
    }

    /// The bucket that a path lies in, with what is configured of it, as every request that begins now must
    /// see it.
    pub(crate) fn bucket_of(&self, resource: &ResourcePath) -> Result<Option<Arc<BucketState>>> {
        resource.bucket().map_or(Ok(None), |name| self.bucket(name))
    }

    /// A bucket by name.
    pub(crate) fn bucket(&self, name: &BucketName) -> Result<Option<Arc<BucketState>>> {
        let since = match self.buckets.get(name) {
            Ok(known) => return Ok(Some(known)),
            Err(since) => since,
        };
        let Some(state) = BucketState::load(&self.store, name)? else {
            return Ok(None);
        };
        let state = Arc::new(state);
        self.buckets.keep(since, name, &state);
        Ok(Some(state))
    }

    pub(crate) fn list_buckets(
        &self,
        after: Option<&BucketName>,
        at: Sequence,
        limit: usize,
    ) -> Result<Vec<BucketInfo>> {
        let mut start = after.map(|b| b.as_str().as_bytes().to_vec()).unwrap_or_default();
        if after.is_some() {
            start.push(0);
        }
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::Bucket,
            start: start.into(),
            end: None,
        };
        let page = self.store.scan(&span, at, Direction::Forward, limit)?;
        page.entries.iter().map(BucketInfo::from_stored).collect()
    }

    /// Outcomes that can not be recorded stop the gate: the ledger refuses from then on.
    pub(crate) fn record_outcome(&self, mut record: Record) {
        if let Err(error) = self.ledger.append_outcome(&mut record) {
            tracing::error!(reason = error.reason(), %error, "an outcome could not be recorded");
        }
    }
}

pub(crate) fn origin_record(origin: &Origin) -> Record {
    let mut record = Record::of(RecordKind::Decision);
    record.source_ip = origin.source_ip.to_string();
    record.door = origin.door.to_owned();
    record.secure = origin.is_secure();
    record.request_id = origin.request_id.to_string();
    record
}

/// At most `max` bytes of `text`, cut at a character.
fn cut(text: &str, max: usize) -> String {
    text.get(..text.floor_char_boundary(max))
        .unwrap_or_default()
        .to_owned()
}
