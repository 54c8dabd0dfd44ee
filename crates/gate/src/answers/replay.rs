//! A proposed policy, tried on what the ledger holds: every decision that would come out otherwise, both ways.
//!
//! A record holds who asked, for what, from where, when, and the condition keys of the request; the policies are today's with the
//! proposed one among them. What a record does not hold (the `User-Agent`, the `Referer`, a signature's age, the payload's hash,
//! the tags that an object had) is not guessed: a decision that looks at it is listed as unknown. What a session was limited
//! to is known while the session's entry is; after that, too, it is unknown.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BucketName, PrincipalName, ResourcePath, Result, Timestamp};
use craton_guard::Rules;

use super::{
    place,
    stand_in::{Said, tls_if},
};
use crate::{
    ask::{Ask, Fact},
    configuration::state::BucketState,
    decide::Put,
    gate::{Gate, Inner, Verdicts},
    guards,
    ledger::{Entry, Filter, Record, RecordKind, Verdict},
    policy::{self, Limits, Policy, ResourcePolicy},
    session::{Origin, Session},
    tables,
};

/// The most records that one call looks at.
const RECORDS_MAX: usize = 10_000;

/// The most decisions that one call lists, of each kind.
const LISTED_MAX: usize = 1000;

/// Condition keys that a record does not hold, in lower case.
const UNKNOWN_KEYS: [&str; 6] = [
    "aws:referer",
    "aws:useragent",
    "s3:existingobjecttag/",
    "s3:signatureage",
    "s3:tlsversion",
    "s3:x-amz-content-sha256",
];

/// What stands for statements where no policy decided.
const UNDECIDED: [&str; 3] = ["always", "own-decision", "session-is-over"];

/// What the names of the system's workers begin with.
const WORKERS: &str = "system:";

/// What is proposed. Without a document, that the policy is removed.
#[derive(Clone, Debug)]
pub enum Proposal {
    /// A policy by the name that decisions show: of one principal, or of everyone who has one of that name.
    Identity {
        /// Whose, if not everyone's.
        principal: Option<String>,
        /// Its name.
        policy: String,
        /// The document.
        document: Option<Bytes>,
    },
    /// A bucket's policy.
    Bucket {
        /// The bucket.
        bucket: BucketName,
        /// The document.
        document: Option<Bytes>,
    },
    /// A document of guard policies.
    Guard {
        /// Its name.
        name: PrincipalName,
        /// Its text.
        text: Option<String>,
    },
}

/// Which records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Only at or after.
    pub since: Option<Timestamp>,
    /// Only before.
    pub until: Option<Timestamp>,
    /// Only records before this place: where the last page ended.
    pub after: Option<u64>,
}

/// A proposal, and on what to try it.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What is proposed.
    pub proposal: Proposal,
    /// On which records.
    pub window: Window,
}

/// A decision that would come out otherwise.
#[derive(Clone, Debug)]
pub struct Flip {
    /// What was decided, and about what.
    pub record: Record,
    /// What would be: `allow`, `explicit-deny`, `implicit-deny`.
    pub would: &'static str,
    /// The statements that would decide.
    pub statements: Vec<String>,
    /// Whether the proposal makes the difference; if not, policies have changed since the decision.
    pub by_proposal: bool,
}

/// A decision of which it is not known.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// What was decided; `None` where the record's subject was erased.
    pub record: Option<Record>,
    /// Its id.
    pub id: String,
    /// What is not known.
    pub why: &'static str,
}

/// What was found in a page of records.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// The decisions that would come out otherwise, newest first.
    pub flips: Vec<Flip>,
    /// Those of which it is not known.
    pub unknown: Vec<Unknown>,
    /// How many decisions were tried.
    pub tried: usize,
    /// Where to go on, if there may be more.
    pub next: Option<u64>,
}

/// A proposal, compiled.
enum Compiled {
    Identity {
        principal: Option<String>,
        name: String,
        policy: Option<Arc<Policy>>,
    },
    Bucket {
        bucket: BucketName,
        state: Option<Box<BucketState>>,
    },
    Guard(Box<guards::State>),
}

impl Gate {
    /// Tries a proposed policy on a page of the ledger.
    ///
    /// # Errors
    /// `Denied`; `Invalid`, `MalformedPolicyDocument`; the ledger's own.
    pub async fn replay(&self, session: &Session, replay: Replay) -> Result<Replayed> {
        let ledger = ResourcePath::System("ledger".into());
        let ask =
            Ask::new("ReplayPolicy", "craton:ReadLedger", ledger).and_action("iam:SimulateCustomPolicy");
        let _permit = self.read(session, ask).await?;
        let compiled = self.compile(&replay.proposal).await?;
        self.blocking(move |gate| {
            gate.ledger().integrate()?;
            gate.inner.replay(&compiled, &replay.window, |filter| {
                gate.ledger().reader().list(filter)
            })
        })
        .await
    }

    async fn compile(&self, proposal: &Proposal) -> Result<Compiled> {
        Ok(match proposal.clone() {
            Proposal::Identity {
                principal,
                policy,
                document,
            } => {
                let parse = |d: Bytes| -> Result<_> {
                    Ok(Arc::new(Policy::parse(&d, &Limits::default())?.named(&policy)))
                };
                Compiled::Identity {
                    principal,
                    policy: document.map(parse).transpose()?,
                    name: policy,
                }
            }
            Proposal::Bucket { bucket, document } => {
                let parse = |d: Bytes| ResourcePolicy::parse(&d, &Limits::default());
                let proposed = document.map(parse).transpose()?;
                let mut state = BucketState::load(&self.inner.store, &bucket)?;
                if let Some(state) = &mut state {
                    state.access.replace_policy(proposed);
                }
                Compiled::Bucket {
                    bucket,
                    state: state.map(Box::new),
                }
            }
            Proposal::Guard { name, text } => {
                let mut documents = self.others(&name);
                if let Some(text) = text {
                    documents.push(Arc::new(self.checked(&name, &text).await?));
                }
                let rules = Rules::new(self.inner.guards.language()?, documents);
                Compiled::Guard(Box::new(guards::State::of(rules)))
            }
        })
    }
}

/// A recorded decision, as it can be asked again.
struct Asked {
    session: Session,
    resource: ResourcePath,
    facts: Vec<Fact>,
    columns: Option<Vec<String>>,
}

impl Inner {
    fn replay(
        &self,
        compiled: &Compiled,
        window: &Window,
        list: impl Fn(&Filter) -> Result<crate::ledger::Listing>,
    ) -> Result<Replayed> {
        let mut filter = compiled.filter(window);
        let mut out = Replayed::default();
        let mut seen = 0usize;
        loop {
            let page = list(&filter)?;
            seen = seen.saturating_add(page.entries.len()).saturating_add(1);
            for entry in page.entries {
                self.try_on(compiled, entry, &mut out)?;
            }
            out.next = page.next;
            let full = out.flips.len() >= LISTED_MAX || out.unknown.len() >= LISTED_MAX;
            if out.next.is_none() || full || seen >= RECORDS_MAX {
                return Ok(out);
            }
            filter.after = out.next;
        }
    }

    fn try_on(&self, compiled: &Compiled, entry: Entry, out: &mut Replayed) -> Result<()> {
        let id = entry.id.to_string();
        let Some(record) = entry.record else {
            out.unknown.push(Unknown {
                record: None,
                id,
                why: "the record's subject was erased",
            });
            return Ok(());
        };
        if !is_decision(&record) || !compiled.concerns(&record) {
            return Ok(());
        }
        out.tried = out.tried.saturating_add(1);
        match self.tried(compiled, &record)? {
            Err(why) => out.unknown.push(Unknown {
                record: Some(record),
                id,
                why,
            }),
            Ok(Some((would, by_proposal))) => out.flips.push(Flip {
                record,
                would: would.verdict.as_str(),
                statements: would.statements,
                by_proposal,
            }),
            Ok(None) => {}
        }
        Ok(())
    }

    /// What a recorded decision would be, if it would be another; why that is not known, otherwise.
    fn tried(
        &self,
        compiled: &Compiled,
        record: &Record,
    ) -> Result<std::result::Result<Option<(Verdicts, bool)>, &'static str>> {
        let asked = match self.asked_again(record)? {
            Ok(asked) => asked,
            Err(why) => return Ok(Err(why)),
        };
        let actions: Vec<&str> = record.action.split(' ').collect();
        let bucket = self.bucket_of(&asked.resource)?;
        let put = Put {
            actions: &actions,
            resource: &asked.resource,
            bucket: bucket.as_deref(),
            extra: &asked.facts,
            columns: asked.columns.as_deref(),
        };
        let ask = || {
            (
                self.verdicts(&asked.session, &put, None),
                self.proposed(compiled, &asked.session, put),
            )
        };
        let ((now, would), unknown) = policy::noting_unknown(&UNKNOWN_KEYS, record.facts_missing, ask);
        if unknown || self.guard_looks_at_unknown(compiled, &asked.session, &put)? {
            return Ok(Err("a policy looks at something that the record does not hold"));
        }
        let was = record.verdict() == Verdict::Allow;
        let differs = would.allowed != was;
        let by_proposal = would.allowed != now.allowed;
        Ok(Ok(differs.then_some((would, by_proposal))))
    }

    fn asked_again(&self, record: &Record) -> Result<std::result::Result<Asked, &'static str>> {
        if record.action.starts_with("sts:") {
            return Ok(Err("a role's trust policy decides it too"));
        }
        let Some(resource) = place::of_record(&record.resource, &record.action) else {
            return Ok(Err("the record's resource can not be read"));
        };
        let Ok(source_ip) = record.source_ip.parse() else {
            return Ok(Err("the record has no address"));
        };
        let origin = Origin {
            door: door(&record.door),
            source_ip,
            tls: tls_if(record.secure),
            request_id: record.request_id.as_str().into(),
            lease: None,
            run: None,
            trace: None,
            purse: Default::default(),
            user_agent: None,
            referer: None,
            time: record.time(),
        };
        let session = match self.recorded(record, origin)? {
            Ok(session) => session,
            Err(why) => return Ok(Err(why)),
        };
        let mut facts: Vec<Fact> = Vec::new();
        if !record.auth_type.is_empty() {
            facts.push(("s3:authType".into(), record.auth_type.clone()));
            facts.push(("s3:signatureversion".into(), "AWS4-HMAC-SHA256".to_owned()));
        }
        facts.extend(
            record
                .facts
                .iter()
                .map(|f| (f.key.clone().into(), f.value.clone())),
        );
        Ok(Ok(Asked {
            columns: tables::columns_told(&record.facts),
            session,
            resource,
            facts,
        }))
    }

    /// Whom a record is of, as it would be now; why that is not known, otherwise.
    fn recorded(
        &self,
        record: &Record,
        origin: Origin,
    ) -> Result<std::result::Result<Session, &'static str>> {
        if !record.session.is_empty() {
            let found = self.directory.credential(&self.store, &record.session)?;
            return Ok(found
                .map(|c| Session::without_key(c.identity, origin))
                .ok_or("the session is over, and what it was limited to is not kept"));
        }
        let said = Said::from_there(origin);
        match self.stand_in(&record.principal, &record.chain, &said) {
            Err(e) if e.kind() == craton_base::Kind::NotFound => {
                Ok(Err("the principal does not exist any more"))
            }
            session => session.map(Ok),
        }
    }

    fn proposed(&self, compiled: &Compiled, session: &Session, put: Put<'_>) -> Verdicts {
        match compiled {
            Compiled::Identity {
                principal,
                name,
                policy,
            } => {
                let changed = session.replacing(principal.as_deref(), name, policy.as_ref());
                self.verdicts(&changed, &put, None)
            }
            Compiled::Bucket { state, .. } => {
                let put = Put {
                    bucket: state.as_deref(),
                    ..put
                };
                self.verdicts(session, &put, None)
            }
            Compiled::Guard(state) => self.verdicts(session, &put, Some(state)),
        }
    }

    /// Whether a guard policy that would be evaluated, of today's or of those proposed, looks at what no record holds.
    fn guard_looks_at_unknown(&self, compiled: &Compiled, session: &Session, put: &Put<'_>) -> Result<bool> {
        let today = self.guards.state();
        let mut states = vec![&*today];
        if let Compiled::Guard(state) = compiled {
            states.push(state);
        }
        let language = self.guards.language()?;
        Ok(self.asking(session, put, |question| {
            let asked = guards::asked(question, None);
            states.iter().filter(|s| !s.rules.is_empty()).any(|state| {
                let needs = guards::looks_at(&state.rules, language, &asked);
                let unknown = ["bytes", "labels", "userAgent"];
                needs.tags || unknown.iter().any(|name| needs.circumstance(name))
            })
        }))
    }
}

impl Compiled {
    fn filter(&self, window: &Window) -> Filter {
        Filter {
            bucket: match self {
                Self::Bucket { bucket, .. } => Some(bucket.to_string()),
                _ => None,
            },
            since: window.since,
            until: window.until,
            after: window.after,
            ..Filter::default()
        }
    }

    /// Whether a record can be about the proposal at all.
    fn concerns(&self, record: &Record) -> bool {
        match self {
            // Root has no policies of its own.
            Self::Identity { principal, .. } => {
                record.principal != crate::directory::ROOT
                    && principal.as_ref().is_none_or(|p| record.is_about(p))
            }
            Self::Bucket { .. } | Self::Guard(_) => true,
        }
    }
}

/// Whether something was decided about somebody who asked: not an outcome, and not what the system does by itself.
fn is_decision(record: &Record) -> bool {
    let kind = matches!(
        record.kind(),
        RecordKind::Decision | RecordKind::Write | RecordKind::Denial
    );
    let verdict = matches!(
        record.verdict(),
        Verdict::Allow | Verdict::ExplicitDeny | Verdict::ImplicitDeny
    );
    let of_nobody = record.statements.iter().any(|s| UNDECIDED.contains(&s.as_str()));
    let worker = record.principal.starts_with(WORKERS);
    kind && verdict && !of_nobody && !worker && !record.action.is_empty()
}

/// The door by its recorded name.
fn door(name: &str) -> &'static str {
    let known = [
        "s3", "api", "graph", "iceberg", "query", "oauth", "command", "sql", "pg",
    ];
    known.into_iter().find(|d| *d == name).unwrap_or("s3")
}
