//! Answers about access: explanations, who can, what one can reach, policies looked over and tried.

use std::collections::BTreeMap;

use bytes::Bytes;
use craton_base::{BucketName, Error, PrincipalName, Result};
use craton_gate::{
    Holder, HolderKind,
    answers::{
        Answer, AnswerOf, Explained, Flip, Proposal, Question, Reached, Replay, Replayed, Unknown, WHO_MAX,
        Window,
        lint::{self, Finding},
    },
    ledger::RecordId,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, sessions::budget_shown};

/// The most condition keys of a question.
const CONTEXT_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    principal: String,
    #[serde(default)]
    acting_for: Vec<String>,
    action: String,
    resource: String,
    #[serde(default)]
    context: BTreeMap<String, String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

impl Asked {
    fn question(&self) -> Result<Question> {
        Ok(Question {
            principal: self.principal.clone(),
            acting_for: self.acting_for.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            context: limited(self.context.clone().into_iter().collect())?,
        })
    }
}

/// At most so many condition keys.
pub(super) fn limited(context: Vec<(String, String)>) -> Result<Vec<(String, String)>> {
    match context.len() <= CONTEXT_MAX {
        true => Ok(context),
        false => Err(Error::invalid(format!(
            "a question has at most {CONTEXT_MAX} condition keys"
        ))),
    }
}

fn answer(answer: &Answer) -> Value {
    json!({
        "allowed": answer.allowed,
        "verdict": answer.verdict,
        "plane": answer.plane,
        "statements": answer.statements,
        "of": answer.of.iter().map(answer_of).collect::<Vec<_>>(),
        "explanation": answer.explanation,
    })
}

fn answer_of(of: &AnswerOf) -> Value {
    json!({
        "principal": of.principal,
        "verdict": of.verdict,
        "statements": of.statements,
        "lacking": of.lacking,
    })
}

pub(super) async fn explain(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Asked = call.json()?;
    if asked.principal.is_empty() {
        return Err(Error::invalid("the question names no principal"));
    }
    let found = call.gate.explain(call.session, asked.question()?).await?;
    Ok(answer(&found))
}

pub(super) async fn who(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Asked = call.json()?;
    let question = asked.question()?;
    let limit = asked.limit.unwrap_or(WHO_MAX);
    let found = call
        .gate
        .who_can(call.session, &question, asked.after.as_deref(), limit)
        .await?;
    let list = |all: &[(String, Answer)]| {
        let named = |(name, found): &(String, Answer)| json!({ "principal": name, "plane": found.plane, "statements": found.statements });
        all.iter().map(named).collect::<Vec<_>>()
    };
    Ok(json!({
        "allowed": list(&found.allowed),
        "denied": list(&found.denied),
        "asked": found.asked,
        "next": found.next,
    }))
}

/// What is asked about if nothing is named.
const REACH_ACTIONS: [&str; 8] = [
    "s3:ListBucket",
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "craton:ReadGraph",
    "craton:WriteGraph",
    "s3tables:GetTableData",
    "s3tables:PutTableData",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReachAsked {
    principal: String,
    #[serde(default)]
    acting_for: Vec<String>,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    context: BTreeMap<String, String>,
    #[serde(default)]
    after: Option<String>,
}

pub(super) async fn reach(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: ReachAsked = call.json()?;
    let question = Question {
        principal: asked.principal,
        acting_for: asked.acting_for,
        context: limited(asked.context.into_iter().collect())?,
        ..Question::default()
    };
    let actions = match asked.actions.is_empty() {
        true => REACH_ACTIONS.map(str::to_owned).to_vec(),
        false => asked.actions,
    };
    let after = asked.after.map(|a| BucketName::new(&a)).transpose()?;
    let found = call.gate.reach(call.session, question, actions, after).await?;
    let by = |all: &[(String, Vec<String>)]| {
        let one = |(action, statements): &(String, Vec<String>)| json!({ "action": action, "statements": statements });
        all.iter().map(one).collect::<Vec<_>>()
    };
    let place = |p: &Reached| json!({ "bucket": p.bucket, "kind": p.kind, "name": p.name, "allowed": by(&p.allowed), "denied": by(&p.denied) });
    Ok(json!({
        "places": found.places.iter().map(place).collect::<Vec<_>>(),
        "incomplete": found.incomplete,
        "next": found.next,
    }))
}

pub(super) async fn explain_decision(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let id: RecordId = call.part(0)?.parse()?;
    let explained = call.gate.explain_decision(call.session, id).await?;
    let plane = explained.plane();
    let budget = call.gate.budget_of(&explained)?;
    let mut told = match explained {
        Explained::Whole(record) => {
            let mut all = record.to_json();
            if let Value::Object(fields) = &mut all {
                fields.insert("plane".to_owned(), plane.into());
            }
            all
        }
        Explained::Own(record) => {
            let mut all = record.to_json();
            if let Value::Object(fields) = &mut all {
                let told = [
                    "id",
                    "time",
                    "kind",
                    "principal",
                    "operation",
                    "action",
                    "resource",
                    "verdict",
                    "result",
                    "reason",
                    "request_id",
                ];
                fields.retain(|name, _| told.contains(&name.as_str()));
            }
            all
        }
    };
    if let (Value::Object(fields), Some(budget)) = (&mut told, budget) {
        fields.insert("budget".to_owned(), budget_shown(&budget));
    }
    Ok(told)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    /// A policy, to be looked over.
    #[serde(default)]
    document: Option<Value>,
    /// A user, whose policies are looked over, with what of them was used.
    #[serde(default)]
    user: Option<String>,
    /// Or a role.
    #[serde(default)]
    role: Option<String>,
    /// Or all guard policies in force.
    #[serde(default)]
    guard: bool,
    /// Over how many days.
    #[serde(default)]
    days: Option<u64>,
}

fn findings(found: &[Finding]) -> Vec<Value> {
    let one = |f: &Finding| json!({ "statement": f.statement, "code": f.code, "message": f.message });
    found.iter().map(one).collect()
}

pub(super) async fn check_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Check = call.json()?;
    let holder = match (asked.user, asked.role) {
        (None, None) => None,
        (Some(user), None) => Some(Holder::new(HolderKind::User, &user)),
        (None, Some(role)) => Some(Holder::new(HolderKind::Role, &role)),
        _ => return Err(Error::invalid("a user or a role is to be checked, not both")),
    };
    match (asked.document, holder) {
        (None, None) if asked.guard => {
            let found = call.gate.check_guards(call.session).await?;
            Ok(json!({ "findings": findings(&found) }))
        }
        (Some(document), None) => {
            call.gate.ask_to_check(call.session).await?;
            let found = lint::check(document.to_string().as_bytes())?;
            Ok(json!({ "findings": findings(&found) }))
        }
        (None, Some(holder)) => {
            let days = asked.days.unwrap_or(90);
            let found = call.gate.check_policies(call.session, &holder, days).await?;
            let policies = found.policies.iter().map(|p| {
                json!({ "name": p.name, "group": p.group, "findings": findings(&p.findings), "unused": p.unused })
            });
            Ok(json!({
                "policies": policies.collect::<Vec<_>>(),
                "days": days,
                "decisions": found.decisions,
                "complete": found.complete,
            }))
        }
        _ => Err(Error::invalid(
            "either a document, or a user or role, or guard policies, are to be checked",
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayAsked {
    /// Whose policy: a user's name, `role/<name>`.
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    bucket: Option<String>,
    #[serde(default)]
    guard: Option<String>,
    /// IAM's JSON, or Cedar's text; nothing to try its removal.
    #[serde(default)]
    document: Option<Value>,
    #[serde(default)]
    days: Option<u64>,
    #[serde(default)]
    after: Option<u64>,
}

impl ReplayAsked {
    fn proposal(&self) -> Result<Proposal> {
        let json = || self.document.as_ref().map(|d| Bytes::from(d.to_string()));
        match (&self.policy, &self.bucket, &self.guard) {
            (Some(policy), None, None) => Ok(Proposal::Identity {
                principal: self.user.clone(),
                policy: policy.clone(),
                document: json(),
            }),
            (None, Some(bucket), None) => Ok(Proposal::Bucket {
                bucket: BucketName::new(bucket)?,
                document: json(),
            }),
            (None, None, Some(guard)) => Ok(Proposal::Guard {
                name: PrincipalName::new(guard)?,
                text: match &self.document {
                    None => None,
                    Some(Value::String(text)) => Some(text.clone()),
                    Some(_) => return Err(Error::invalid("a guard policy is a text")),
                },
            }),
            _ => Err(Error::invalid("one of policy, bucket and guard is to be tried")),
        }
    }
}

pub(super) async fn replay(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: ReplayAsked = call.json()?;
    let since = asked.days.map(|days| {
        let now = call.session.origin().time;
        now.minus(std::time::Duration::from_hours(
            days.min(36_500).saturating_mul(24),
        ))
    });
    let replay = Replay {
        proposal: asked.proposal()?,
        window: Window {
            since,
            until: None,
            after: asked.after,
        },
    };
    let found = call.gate.replay(call.session, replay).await?;
    Ok(replayed(&found))
}

fn replayed(found: &Replayed) -> Value {
    let flip = |f: &Flip| {
        json!({
            "record": f.record.to_json(),
            "would": f.would,
            "statements": f.statements,
            "by_proposal": f.by_proposal,
        })
    };
    let unknown = |u: &Unknown| {
        let record = u.record.as_ref().map(craton_gate::ledger::Record::to_json);
        json!({ "id": u.id, "why": u.why, "record": record })
    };
    json!({
        "tried": found.tried,
        "flips": found.flips.iter().map(flip).collect::<Vec<_>>(),
        "unknown": found.unknown.iter().map(unknown).collect::<Vec<_>>(),
        "next": found.next,
    })
}
