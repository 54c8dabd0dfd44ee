//! The guard plane of the gate: the guard policies in force, and a session's question put to them.
//!
//! Invariants
//! - it is asked after the access plane has allowed something, and can only take that back;
//! - a change is in force for every request that begins after the change has returned;
//! - a stored document that can not be read forbids everything until it is replaced or deleted;
//! - root can always read, replace and delete guard policies: else a mistake in one could not be undone.
//!
//! Without guard policies a request costs one look at an atomic number. Workers of the system are not asked about:
//! what they do was configured by someone who was.
//!
//! Deliberately absent: the language of the policies (`craton-guard`), who may change them ([`manage`]).

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use craton_base::{BranchId, BucketId, Error, ResourcePath, Result};
use craton_guard::{
    Asker, AskerType, BucketFacts, Circumstances, Document, Language, Needs, Question, Restrictions, Rules,
    Ruling, SessionFacts,
};
use craton_store::{
    Store,
    namespace::{Direction, Key, Kind, Span},
    value::Stored,
};
use prost::Message;

use crate::{
    access,
    ask::Fact,
    bucket::BucketInfo,
    directory::Actor,
    gate::Verdicts,
    ledger::Verdict,
    session::{PrincipalKind, Session},
    tables::{self, Shown},
    tags::Tags,
};

mod labels;
mod manage;
mod named;
mod tally;

pub use manage::{Checked, GUARD_DOCUMENTS_MAX, GuardDocument};
pub(crate) use tally::{Moved, Tally, WRITE_EVERY};

/// What marks a guard policy among the statements that decided.
pub(crate) const GUARD: &str = "guard:";

/// What root may always do, whatever guard policies say.
const ALWAYS_ROOTS: [&str; 4] = [
    "craton:DeleteGuardPolicy",
    "craton:GetGuardPolicy",
    "craton:ListGuardPolicies",
    "craton:PutGuardPolicy",
];

/// A document as it is stored (`Kind::Guard`, by name).
#[derive(Clone, PartialEq, Message)]
struct GuardRecord {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint64, tag = "2")]
    set_micros: u64,
    #[prost(string, tag = "3")]
    set_by: String,
}

/// The guard policies in force.
#[derive(Default)]
pub(crate) struct GuardPlane {
    /// Whether there are any: looked at first, by every request.
    active: AtomicBool,
    state: ArcSwap<State>,
    language: OnceLock<Language>,
    /// Held while documents change, so that what is in force is what was committed last.
    changing: Arc<tokio::sync::Mutex<()>>,
    /// What sessions have moved so far, whether or not a policy looks at it yet.
    pub(crate) tally: Tally,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) rules: Rules,
    /// Names of stored documents that can not be read.
    broken: Vec<String>,
}

/// A question of a session, with what the guard plane needs beyond the access plane's.
pub(crate) struct Asked<'a> {
    pub(crate) session: &'a Session,
    pub(crate) actions: &'a [&'a str],
    pub(crate) resource: &'a ResourcePath,
    pub(crate) extra: &'a [Fact],
    pub(crate) bucket: Option<&'a BucketInfo>,
    pub(crate) table: Option<&'a Shown>,
    /// The labels of the graph that it is about.
    pub(crate) labels: &'a [String],
    pub(crate) object_tags: &'a dyn Fn() -> Option<Tags>,
}

impl GuardPlane {
    /// Puts what is stored in force.
    pub(crate) fn load(&self, store: &Store) -> Result<()> {
        let mut documents = Vec::new();
        let mut broken = Vec::new();
        for (name, record) in stored(store)? {
            match Document::load(&name, &record.text) {
                Ok(document) => documents.push(Arc::new(document)),
                Err(error) => {
                    tracing::error!(%error, name, "a guard policy can not be read: everything is refused until it is replaced or deleted");
                    broken.push(name);
                }
            }
        }
        if documents.is_empty() && broken.is_empty() {
            return Ok(());
        }
        let rules = Rules::new(self.language()?, documents);
        self.put_in_force(State { rules, broken });
        Ok(())
    }

    fn put_in_force(&self, state: State) {
        let active = !state.rules.is_empty() || !state.broken.is_empty();
        self.state.store(Arc::new(state));
        // After the state: who sees the sign sees what it is about.
        self.active.store(active, Ordering::SeqCst);
    }

    /// What is in force.
    pub(crate) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// The language, made when it is first needed.
    pub(crate) fn language(&self) -> Result<&Language> {
        if let Some(made) = self.language.get() {
            return Ok(made);
        }
        let made = Language::new()?;
        Ok(self.language.get_or_init(|| made))
    }

    /// Whether a policy in force looks at the labels of sessions.
    fn looks_at_labels(&self) -> bool {
        self.active.load(Ordering::SeqCst) && {
            let state = self.state.load();
            let needs = state.rules.needs();
            needs.circumstance("labels") || needs.says.sessions
        }
    }

    /// Whether a policy in force looks at a circumstance.
    fn looks_at(&self, circumstance: &str) -> bool {
        self.active.load(Ordering::SeqCst) && self.state.load().rules.needs().circumstance(circumstance)
    }

    /// Takes back what guard policies forbid of what the access plane allowed.
    pub(crate) fn restrict(&self, store: &Store, verdicts: Verdicts, asked: &Asked<'_>) -> Verdicts {
        if !verdicts.allowed || !self.active.load(Ordering::SeqCst) {
            return verdicts;
        }
        self.restrict_by(store, &self.state.load(), verdicts, asked)
    }

    /// Takes back what these guard policies would forbid.
    pub(crate) fn restrict_by(
        &self,
        store: &Store,
        state: &State,
        verdicts: Verdicts,
        asked: &Asked<'_>,
    ) -> Verdicts {
        if !verdicts.allowed {
            return verdicts;
        }
        let (forbidden, restrictions) = self.forbids(store, state, asked);
        match forbidden.is_empty() {
            true => allowed(verdicts, restrictions),
            false => denied(forbidden, restrictions),
        }
    }

    /// The names of what forbids it, with [`GUARD`] before each, and what is left of it.
    fn forbids(&self, store: &Store, state: &State, asked: &Asked<'_>) -> (Vec<String>, Restrictions) {
        let kind = asked.session.kind();
        let is_always_roots = || asked.actions.iter().all(|a| ALWAYS_ROOTS.contains(a));
        if kind == PrincipalKind::System || (kind == PrincipalKind::Root && is_always_roots()) {
            return Default::default();
        }
        if !state.broken.is_empty() {
            let named = state.broken.iter().map(|n| format!("{GUARD}{n}!unreadable"));
            return (named.collect(), Restrictions::default());
        }
        let Ok(rulings) = self.rulings(store, state, asked) else {
            return (vec![format!("{GUARD}!language")], Restrictions::default());
        };
        let (mut names, mut restrictions, mut as_a_whole) = (Vec::new(), Restrictions::default(), false);
        for ruling in rulings {
            names.extend(ruling.forbidden_by);
            restrictions.join(ruling.restrictions);
            as_a_whole |= ruling.as_a_whole;
        }
        // Who may not read a table at all is not told its columns, and who says no columns is not told which.
        if as_a_whole || asked.table.is_none_or(|table| table.reads.is_none()) {
            restrictions.refused.clear();
        }
        names.sort_unstable();
        names.dedup();
        let names = names.into_iter().map(|name| format!("{GUARD}{name}"));
        (names.collect(), restrictions)
    }

    fn rulings(&self, store: &Store, state: &State, asked: &Asked<'_>) -> Result<Vec<Ruling>> {
        let language = self.language()?;
        let moved = self.tally.of(store, asked.session).bytes();
        let judge = |action| {
            asking(asked, action, moved, |question| {
                state.rules.judge(language, question)
            })
        };
        Ok(asked.all_actions().map(judge).collect())
    }

    /// What the policies that forbid it advise.
    pub(crate) fn advice(&self, store: &Store, asked: &Asked<'_>) -> Vec<String> {
        let rulings = self.rulings(store, &self.state.load(), asked).unwrap_or_default();
        rulings.into_iter().flat_map(|ruling| ruling.advice).collect()
    }
}

impl<'a> Asked<'a> {
    /// The actions, and what those of S3 on a table's files do to the table.
    fn all_actions(&self) -> impl Iterator<Item = &'a str> {
        let files = self.table.filter(|t| t.folder.is_some());
        let on_files = self.actions.iter().filter(move |_| files.is_some());
        let of_table = on_files.filter_map(|action| tables::data_action(action));
        let mut of_table: Vec<&str> = of_table.collect();
        of_table.sort_unstable();
        of_table.dedup();
        self.actions.iter().copied().chain(of_table)
    }
}

impl State {
    /// Policies that are not in force, to be tried.
    pub(crate) const fn of(rules: Rules) -> Self {
        Self {
            rules,
            broken: Vec::new(),
        }
    }
}

/// What the policies that would be evaluated look at.
pub(crate) fn looks_at(rules: &Rules, language: &Language, asked: &Asked<'_>) -> Needs {
    let mut out = Needs::default();
    for action in asked.all_actions() {
        out.join(&asking(asked, action, 0, |question| {
            rules.looks_at(language, question)
        }));
    }
    out
}

/// Puts a session's question. `bytes`: what it has moved so far.
fn asking<T>(asked: &Asked<'_>, action: &str, bytes: u64, put: impl FnOnce(&Question<'_>) -> T) -> T {
    let session = asked.session;
    let origin = session.origin();
    let identity = session.identity();
    let askers: Vec<_> = identity.actors().map(asker).collect();
    let chain: Vec<String> = session.chain().map(str::to_owned).collect();
    let prefix = asked.extra.iter().find(|(key, _)| key == "s3:prefix");
    let circumstances = Circumstances {
        door: origin.door,
        secure: origin.is_secure(),
        source: origin.source_ip,
        time: origin.time,
        chain: &chain,
        labels: session.labels(),
        bytes,
        purpose: session.purpose(),
        run: session.run(),
        session: session.session_name().or_else(|| session.session_id()),
        access_key: session.access_key_id(),
        user_agent: origin.user_agent.as_deref(),
        prefix: prefix.map(|(_, value)| value.as_str()),
    };
    let tags = || {
        let tags = (asked.object_tags)().unwrap_or_default();
        tags.list.into_iter().map(|t| (t.key, t.value)).collect()
    };
    let columns = || asked.table.map(Shown::columns).unwrap_or_default();
    put(&Question {
        askers: &askers,
        session: session.facts().map(|facts| SessionFacts {
            id: &facts.id,
            issued: facts.issued,
            expires: facts.expires,
        }),
        table: asked.table.map(|shown| shown.facts(&columns)),
        labels: asked.labels,
        action,
        resource: asked.resource,
        bucket: BucketFacts {
            owner: asked.bucket.map_or("", |b| &b.owner),
        },
        circumstances: &circumstances,
        tags: &tags,
    })
}

fn asker(actor: &Actor) -> Asker<'_> {
    let (asker_type, kind) = match actor.principal.kind {
        PrincipalKind::Root => (AskerType::User, "root"),
        PrincipalKind::User => (AskerType::User, "user"),
        PrincipalKind::Role => (AskerType::Role, "role"),
        PrincipalKind::Anonymous => (AskerType::User, "anonymous"),
        PrincipalKind::System => (AskerType::User, "system"),
    };
    Asker {
        asker_type,
        name: &actor.principal.name,
        kind,
        groups: &actor.principal.groups,
        tags: &actor.all_tags,
    }
}

fn denied(statements: Vec<String>, restrictions: Restrictions) -> Verdicts {
    Verdicts {
        allowed: false,
        verdict: Verdict::ExplicitDeny,
        statements,
        restrictions,
    }
}

/// What the access plane allowed, less what is kept back; the policies that do are named with those that allow.
fn allowed(mut verdicts: Verdicts, restrictions: Restrictions) -> Verdicts {
    let mut names: Vec<String> = restrictions
        .policies()
        .map(|name| format!("{GUARD}{name}"))
        .collect();
    names.sort_unstable();
    names.dedup();
    verdicts.statements.extend(names);
    verdicts.restrictions = restrictions;
    verdicts
}

fn key(name: &str) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Guard,
        name: bytes::Bytes::copy_from_slice(name.as_bytes()),
    }
}

/// Every stored document, by name.
fn stored(store: &Store) -> Result<Vec<(String, GuardRecord)>> {
    let span = Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Guard,
        start: bytes::Bytes::new(),
        end: None,
    };
    let most = GUARD_DOCUMENTS_MAX.saturating_add(1);
    let page = store.scan(&span, store.latest(), Direction::Forward, most)?;
    page.entries.iter().map(named_record).collect()
}

fn named_record(stored: &Stored) -> Result<(String, GuardRecord)> {
    let corrupt = || Error::corrupt("a guard policy's entry does not parse");
    let name = std::str::from_utf8(&stored.key.name).map_err(|e| corrupt().with_source(e))?;
    let record = GuardRecord::decode(stored.value.meta.clone()).map_err(|e| corrupt().with_source(e))?;
    Ok((name.to_owned(), record))
}

/// The question of the access plane, as the guard plane needs it.
pub(crate) fn asked<'a>(question: &access::Question<'a>, bucket: Option<&'a BucketInfo>) -> Asked<'a> {
    Asked {
        session: question.session,
        actions: question.guarded,
        resource: question.resource,
        extra: question.extra,
        bucket,
        table: question.table,
        labels: question.bucket.map_or(&[], |b| b.graph_labels(question.resource)),
        object_tags: question.object_tags,
    }
}
