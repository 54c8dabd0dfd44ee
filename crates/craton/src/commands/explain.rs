//! `craton explain`: a decision that was made, or one that would be.

use craton_base::{Error, Result};
use http::Method;
use serde_json::{Map, Value, json};

use super::{answer, text};
use crate::{
    cli::Target,
    client::{Client, segment},
    output,
};

pub(super) async fn question(
    user: &str,
    action: &str,
    resource: &str,
    context: &[String],
    target: &Target,
) -> Result<()> {
    let mut keys = Map::new();
    for pair in context {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::invalid(format!("{pair:?} is not KEY=VALUE")))?;
        keys.insert(key.to_owned(), json!(value));
    }
    let asked = json!({ "principal": user, "action": action, "resource": resource, "context": keys });
    let found = Client::new(target)?
        .api(Method::POST, "explain", Some(&asked))
        .await?;
    answer(target, &found, |found| output::line(text(found, "explanation")));
    Ok(())
}

pub(super) async fn decision(id: &str, target: &Target) -> Result<()> {
    let record = Client::new(target)?
        .api(Method::GET, &format!("decisions/{}", segment(id)), None)
        .await?;
    answer(target, &record, show_record);
    Ok(())
}

/// A record, a line for each thing it says.
pub(crate) fn show_record(record: &Value) {
    let Value::Object(fields) = record else { return };
    for (name, value) in fields {
        let text = match value {
            Value::String(s) => s.clone(),
            Value::Array(all) => all
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        output::line(&format!("{name:16} {text}"));
    }
}
