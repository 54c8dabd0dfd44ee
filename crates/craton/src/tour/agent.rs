//! An agent is a named principal with a policy: allowed what it says, denied the rest, with the reason.

use craton_base::{Kind, Result};
use http::Method;
use object_store::{ObjectStoreExt as _, path::Path as Key};
use serde_json::{Value, json};

use super::{
    BUCKET, Tour, broken,
    objects::{OPEN_KEY, PRIVATE_KEY},
    point,
};
use crate::client::{Client, Credentials, object_error};

/// The agent's name.
pub(super) const AGENT: &str = "curator-agent";

/// What the chapter about the ledger looks for.
pub(super) struct Seen {
    /// The id of the denial.
    pub(super) denial: String,
}

pub(super) async fn run(tour: &mut Tour) -> Result<()> {
    let agent = make(tour).await?;
    point(
        "made",
        &format!("user {AGENT}, who may only read arn:aws:s3:::{BUCKET}/gene-ontology/*"),
    );
    let store = agent.bucket(BUCKET)?;
    let allowed = store.get(&Key::from(OPEN_KEY)).await.map_err(object_error)?;
    let bytes = allowed.bytes().await.map_err(object_error)?;
    point("allowed", &format!("{OPEN_KEY}, {} bytes", bytes.len()));
    let refused = match store.get(&Key::from(PRIVATE_KEY)).await {
        Ok(_) => return Err(broken(format!("the agent could read {PRIVATE_KEY}"))),
        Err(error) => object_error(error),
    };
    if refused.kind() != Kind::Denied {
        return Err(refused);
    }
    point("denied", &format!("{PRIVATE_KEY}: {}", refused.message()));
    let denial = decision(refused.message()).ok_or_else(|| broken("a denial without a decision's id"))?;
    explain(tour, &denial).await?;
    tour.agent = Some(Seen { denial });
    Ok(())
}

/// Makes the agent with its policy and key.
async fn make(tour: &Tour) -> Result<Client> {
    let path = format!("users/{AGENT}");
    tour.root.api(Method::PUT, &path, None).await?;
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "ReadGeneOntology",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{BUCKET}/gene-ontology/*"),
    }] });
    tour.root
        .api(Method::PUT, &format!("{path}/policies/narrow"), Some(&policy))
        .await?;
    let key = tour.root.api(Method::POST, &format!("{path}/keys"), None).await?;
    let text = |field: &str| key.get(field).and_then(Value::as_str).unwrap_or_default();
    let credentials = Credentials {
        id: text("id").to_owned(),
        secret: text("secret").into(),
        token: None,
    };
    Client::local(&tour.endpoint, credentials)
}

/// The id in "Access Denied (decision 1-2a)".
fn decision(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("(decision ")?;
    Some(rest.split_once(')')?.0.to_owned())
}

/// Asks why, both ways: what the record of the decision says, and what the policies say now.
async fn explain(tour: &Tour, denial: &str) -> Result<()> {
    let record = tour
        .root
        .api(Method::GET, &format!("decisions/{denial}"), None)
        .await?;
    let verdict = record.get("verdict").and_then(Value::as_str).unwrap_or_default();
    if verdict != "implicit-deny" {
        return Err(broken(format!("the denial's verdict is {verdict:?}")));
    }
    let question = json!({
        "principal": AGENT,
        "action": "s3:GetObject",
        "resource": format!("arn:aws:s3:::{BUCKET}/{PRIVATE_KEY}"),
    });
    let answer = tour.root.api(Method::POST, "explain", Some(&question)).await?;
    let explanation = answer
        .get("explanation")
        .and_then(Value::as_str)
        .unwrap_or_default();
    point("explained", explanation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::decision;

    #[test]
    fn the_id_is_found_in_a_denial() {
        assert_eq!(
            decision("denied: Access Denied (decision 1-2a) (AccessDenied)").as_deref(),
            Some("1-2a")
        );
        assert_eq!(decision("Access Denied"), None);
    }
}
