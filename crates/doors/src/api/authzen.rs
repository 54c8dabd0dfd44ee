//! Questions of other systems, in the form of the OpenID AuthZEN Authorization API 1.0.

use craton_base::{Error, Result};
use craton_gate::answers::{Answer, Question};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Call, access::limited};

/// The most questions in one request.
const EVALUATIONS_MAX: usize = 100;

/// A thing with a type and a name, as AuthZEN has subjects and resources.
#[derive(Clone, Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Clone, Deserialize)]
struct Action {
    name: String,
}

/// An AuthZEN evaluation; in a list of them, what is left out stands above the list.
#[derive(Clone, Default, Deserialize)]
struct Evaluation {
    subject: Option<Entity>,
    action: Option<Action>,
    resource: Option<Entity>,
    context: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Evaluations {
    #[serde(flatten)]
    default: Evaluation,
    #[serde(default)]
    evaluations: Vec<Evaluation>,
    #[serde(default)]
    options: EvaluationOptions,
}

#[derive(Default, Deserialize)]
struct EvaluationOptions {
    #[serde(default)]
    evaluations_semantic: Option<String>,
}

impl Evaluation {
    fn or(self, default: &Self) -> Self {
        Self {
            subject: self.subject.or_else(|| default.subject.clone()),
            action: self.action.or_else(|| default.action.clone()),
            resource: self.resource.or_else(|| default.resource.clone()),
            context: self.context.or_else(|| default.context.clone()),
        }
    }

    fn question(self) -> Result<Question> {
        let missing = |what: &str| Error::invalid(format!("the evaluation names no {what}"));
        let subject = self.subject.ok_or_else(|| missing("subject"))?;
        let resource = self.resource.ok_or_else(|| missing("resource"))?;
        let principal = match subject.kind.as_str() {
            "user" => subject.id,
            "role" => format!("role/{}", subject.id),
            other => {
                return Err(Error::invalid(format!(
                    "{other:?} is not a type of subject: user, role"
                )));
            }
        };
        let arn = match resource.kind.as_str() {
            "arn" => resource.id,
            "bucket" | "object" => format!("arn:aws:s3:::{}", resource.id),
            "graph" => format!("arn:craton:graph:::{}", resource.id),
            "table" => match resource.id.split_once('/') {
                Some((bucket, name)) => format!("arn:aws:s3tables:::bucket/{bucket}/table/{name}"),
                None => format!("arn:aws:s3tables:::bucket/{}", resource.id),
            },
            "system" => format!("arn:craton:system:::{}", resource.id),
            other => {
                let text =
                    format!("{other:?} is not a type of resource: arn, bucket, object, graph, table, system");
                return Err(Error::invalid(text));
            }
        };
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let context = self.context.unwrap_or_default();
        Ok(Question {
            principal,
            acting_for: Vec::new(),
            action: self.action.ok_or_else(|| missing("action"))?.name,
            resource: arn,
            context: limited(context.into_iter().map(|(k, v)| (k, text(v))).collect())?,
        })
    }
}

fn decision(found: &Answer) -> Value {
    json!({
        "decision": found.allowed,
        "context": {
            "reason_admin": { "en": found.explanation },
            "plane": found.plane,
            "statements": found.statements,
        },
    })
}

pub(super) async fn evaluate(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Evaluation = call.json()?;
    let found = call.gate.evaluate(call.session, &[asked.question()?]).await?;
    found
        .first()
        .map(decision)
        .ok_or_else(|| Error::internal("a question has no answer"))
}

pub(super) async fn evaluate_all(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Evaluations = call.json()?;
    if asked.evaluations.is_empty() {
        let found = call
            .gate
            .evaluate(call.session, &[asked.default.question()?])
            .await?;
        return Ok(found.first().map(decision).unwrap_or_default());
    }
    if asked.evaluations.len() > EVALUATIONS_MAX {
        let text = format!("a request has at most {EVALUATIONS_MAX} evaluations");
        return Err(Error::invalid(text));
    }
    let stop = match asked.options.evaluations_semantic.as_deref() {
        None | Some("execute_all") => None,
        Some("deny_on_first_deny") => Some(false),
        Some("permit_on_first_permit") => Some(true),
        Some(other) => {
            return Err(Error::invalid(format!(
                "{other:?} is not a semantic of evaluations"
            )));
        }
    };
    let questions: Vec<Question> = asked
        .evaluations
        .into_iter()
        .map(|e| e.or(&asked.default).question())
        .collect::<Result<_>>()?;
    let found = call.gate.evaluate(call.session, &questions).await?;
    let last = stop.and_then(|stop| found.iter().position(|f| f.allowed == stop));
    let told = last.map_or(found.len(), |last| last.saturating_add(1));
    Ok(json!({ "evaluations": found.iter().take(told).map(decision).collect::<Vec<_>>() }))
}
