//! Answers about access: what would be decided and why, who can, what one can reach, what a change of a policy would change.
//!
//! Invariants
//! - an answer is made by the evaluators that decide requests, on a stand-in for the session; nothing is accessed;
//! - asking is itself decided and recorded;
//! - what is not known is said to be unknown.
//!
//! Deliberately absent: protocols.

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result};

use crate::{
    access::{self, Link},
    ask::Ask,
    budgets::BudgetState,
    decide::Put,
    gate::{Gate, Inner, Verdicts},
    guards::{self, GUARD},
    ledger::{Record, RecordId, RecordKind, Verdict},
    session::{PrincipalKind, Session},
};

pub mod lint;
mod place;
mod reach;
mod replay;
mod stand_in;
mod used;
mod who;

pub use reach::{REACH_ACTIONS_MAX, REACH_BUCKETS_MAX, Reach, Reached};
pub use replay::{Flip, Proposal, Replay, Replayed, Unknown, Window};
use stand_in::Said;
pub use used::{CheckedPolicies, CheckedPolicy};
pub use who::{WHO_MAX, WhoCan};

/// The most principals that one acts for in a question.
const ACTING_FOR_MAX: usize = 8;

/// A question: what would be decided?
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// For whom: a user, `role/<name>`, one of their ARNs, `root`, `anonymous`, or the id of a session.
    pub principal: String,
    /// For whom that one would act, nearest first. A session says so itself.
    pub acting_for: Vec<String>,
    /// The action: `s3:GetObject`.
    pub action: String,
    /// The resource's ARN: `arn:aws:s3:::bucket/key`.
    pub resource: String,
    /// Condition keys and their values.
    pub context: Vec<(String, String)>,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it would be allowed.
    pub allowed: bool,
    /// `allow`, `explicit-deny` or `implicit-deny`.
    pub verdict: &'static str,
    /// The plane that decided: `access` or `guard`.
    pub plane: &'static str,
    /// The statements that decide, as `policy#sid`; guard policies as `guard:document#id`.
    pub statements: Vec<String>,
    /// What the access plane says of everyone whose rights count: who asks, then those for whom.
    pub of: Vec<AnswerOf>,
    /// The same in words, and what would have to change.
    pub explanation: String,
}

/// What the access plane says of one of those whose rights count.
#[derive(Clone, Debug)]
pub struct AnswerOf {
    /// Who: a user's name, `role/<name>`.
    pub principal: String,
    /// `allow`, `explicit-deny` or `implicit-deny`.
    pub verdict: &'static str,
    /// The statements that decide.
    pub statements: Vec<String>,
    /// The kinds of its policies that would have to allow it, and do not.
    pub lacking: Vec<&'static str>,
}

/// What is told of a decision.
#[derive(Clone, Debug)]
pub enum Explained {
    /// All of it, to who may read the ledger.
    Whole(Box<Record>),
    /// That it was made, to the one whom it is about: not which policies made it.
    Own(Box<Record>),
}

impl Explained {
    /// The plane that decided: `access` or `guard`.
    #[must_use]
    pub fn plane(&self) -> &'static str {
        let (Self::Whole(record) | Self::Own(record)) = self;
        plane(&record.statements)
    }
}

impl Gate {
    /// How the budget stands now of the session that was decided about, if it has one.
    ///
    /// # Errors
    /// The store's own.
    pub fn budget_of(&self, explained: &Explained) -> Result<Option<BudgetState>> {
        let (Explained::Whole(record) | Explained::Own(record)) = explained;
        let state = match record.session.is_empty() {
            true => None,
            false => self.inner.budget_state(&record.session)?,
        };
        Ok(state.filter(|state| !state.left.is_empty()))
    }
}

fn plane(statements: &[String]) -> &'static str {
    match statements.first().is_some_and(|s| s.starts_with(GUARD)) {
        true => "guard",
        false => "access",
    }
}

impl Gate {
    /// What would be decided, and why. Nothing is accessed.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchEntity`; `Invalid` for a condition key or ARN that is not one.
    pub async fn explain(&self, session: &Session, question: Question) -> Result<Answer> {
        self.may_ask_about(session, "Explain", &question).await?;
        self.inner.answer(&question)
    }

    /// Whether `session` may know what the principals of a question may do.
    async fn may_ask_about(
        &self,
        session: &Session,
        operation: &'static str,
        question: &Question,
    ) -> Result<()> {
        if question.acting_for.len() > ACTING_FOR_MAX {
            let text = format!("a question names at most {ACTING_FOR_MAX} principals that one acts for");
            return Err(Error::invalid(text));
        }
        for principal in std::iter::once(&question.principal).chain(&question.acting_for) {
            let resource = stand_in::path(principal);
            let ask = Ask::new(operation, "iam:SimulatePrincipalPolicy", resource);
            let _permit = self.read(session, ask).await?;
        }
        Ok(())
    }

    /// What would be decided on each question, for another system that asks.
    ///
    /// # Errors
    /// `Denied`. A question that can not be put is answered with no.
    pub async fn evaluate(&self, session: &Session, questions: &[Question]) -> Result<Vec<Answer>> {
        let resource = ResourcePath::System("access".into());
        let ask = Ask::new("Evaluate", "craton:Evaluate", resource);
        let _permit = self.read(session, ask).await?;
        let answer = |question: &Question| match self.inner.answer(question) {
            Err(error) if error.kind() == ErrorKind::Unavailable || error.kind() == ErrorKind::Corrupt => {
                Err(error)
            }
            Err(error) => Ok(Answer {
                allowed: false,
                verdict: Verdict::ImplicitDeny.as_str(),
                plane: "access",
                statements: Vec::new(),
                of: Vec::new(),
                explanation: error.message().to_owned(),
            }),
            done => done,
        };
        questions.iter().map(answer).collect()
    }

    /// The record of a decision, by the id that the client was given with a denial: whole to who may read the ledger;
    /// without the policies' names to the one who was denied. To all others it does not matter whether it exists.
    ///
    /// # Errors
    /// `Denied`; `NotFound`.
    pub async fn explain_decision(&self, session: &Session, id: RecordId) -> Result<Explained> {
        let ledger = ResourcePath::System("ledger".into());
        let ask = Ask::new("ExplainDecision", "craton:ReadLedger", ledger.clone());
        let reads_ledger = self.inner.would_allow(session, &["craton:ReadLedger"], &ledger);
        if !reads_ledger && let Some(record) = self.own_decision(session, id).await? {
            let mut seen = self.record_of(session, &ask);
            seen.kind = RecordKind::Decision.into();
            seen.verdict = Verdict::Allow.into();
            seen.name_statements(std::iter::once("own-decision".to_owned()));
            self.ledger().append_decision(&mut seen)?;
            session.note_asked();
            return Ok(Explained::Own(Box::new(record)));
        }
        let _permit = self.read(session, ask).await?;
        let record = self.blocking(move |gate| gate.ledger().explain_id(id)).await?;
        let record = record.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "SubjectErased",
                "the record's subject was erased",
            )
        })?;
        Ok(Explained::Whole(Box::new(record)))
    }

    /// A decision about the one who asks: the same user, or the same session of a role.
    async fn own_decision(&self, session: &Session, id: RecordId) -> Result<Option<Record>> {
        if matches!(session.kind(), PrincipalKind::Anonymous | PrincipalKind::System)
            || !self.inner.is_in_force(session)?
        {
            return Ok(None);
        }
        let found = self.blocking(move |gate| gate.ledger().explain_id(id)).await;
        let found = match found {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            found => found?,
        };
        let is_role = session.kind() == PrincipalKind::Role;
        let same_session = |record: &Record| Some(record.session.as_str()) == session.session_id();
        Ok(found.filter(|r| r.principal == session.principal() && (!is_role || same_session(r))))
    }
}

impl Inner {
    fn answer(&self, question: &Question) -> Result<Answer> {
        let said = Said::of(self.clock.now(), &question.context)?;
        let session = self.stand_in(&question.principal, &question.acting_for, &said)?;
        self.answer_to(question, &session, &said)
    }

    fn answer_to(&self, question: &Question, session: &Session, said: &Said) -> Result<Answer> {
        let resource = match place::table_by_name(&question.resource) {
            Some((bucket, name)) => Some(self.table_named(&bucket, &name)?),
            None => place::of_arn(&question.resource),
        };
        let resource = resource.ok_or_else(|| {
            let text = format!(
                "{:?} is not the ARN of something that is kept here",
                question.resource
            );
            Error::new(ErrorKind::Invalid, "InvalidResource", text)
        })?;
        let bucket = self.bucket_of(&resource)?;
        let put = Put {
            actions: &[question.action.as_str()],
            resource: &resource,
            bucket: bucket.as_deref(),
            extra: &said.facts,
            columns: None,
        };
        let verdicts = self.verdicts(session, &put, None);
        let links = self.asking(session, &put, access::links);
        let advice = self.asking(session, &put, |asked| {
            let info = put.bucket.map(|b| &*b.info);
            self.guards.advice(&self.store, &guards::asked(asked, info))
        });
        Ok(Answer::of(question, verdicts, links, &advice))
    }
}

impl Answer {
    fn of(question: &Question, verdicts: Verdicts, links: Vec<Link>, advice: &[String]) -> Self {
        let plane = plane(&verdicts.statements);
        let Question {
            principal,
            action,
            resource,
            ..
        } = question;
        let named = verdicts.statements.join(", ");
        let asked = format!("{action} on {resource}");
        let explanation = match verdicts.verdict {
            Verdict::Allow => {
                format!("{principal} may {asked}: allowed by {named}, and no statement denies it.")
            }
            Verdict::ExplicitDeny if plane == "guard" => format!(
                "{principal} may not {asked}: policies of the access plane allow it, and {named} forbids it. \
                 That guard policy would have to change, or what it looks at.{}",
                advised(advice)
            ),
            Verdict::ExplicitDeny => format!(
                "{principal} may not {asked}: denied by {named}. A deny wins over every allow; \
                 that statement would have to change."
            ),
            _ => format!(
                "{principal} may not {asked}: no statement allows it. What would have to: {}.",
                lacking(&links)
            ),
        };
        let of = |link: Link| AnswerOf {
            principal: link.principal,
            verdict: link.decided.verdict.as_str(),
            statements: link.decided.statements,
            lacking: link.lacking,
        };
        Self {
            allowed: verdicts.allowed,
            verdict: verdicts.verdict.as_str(),
            plane,
            statements: verdicts.statements,
            of: links.into_iter().map(of).collect(),
            explanation,
        }
    }
}

/// What guard policies say to who is refused.
fn advised(advice: &[String]) -> String {
    match advice.is_empty() {
        true => String::new(),
        false => format!(" It advises: {}.", advice.join("; ")),
    }
}

/// `the own policies of role/loader; the session policies of ana`.
fn lacking(links: &[Link]) -> String {
    let each: Vec<String> = links
        .iter()
        .flat_map(|link| {
            let kinds = link.lacking.iter();
            kinds.map(move |kind| format!("the {kind} of {}", link.principal))
        })
        .collect();
    match each.is_empty() {
        true => "nothing can, no policy can name it".to_owned(),
        false => each.join("; "),
    }
}
