//! `craton pending` and `craton bucket shield`.

use craton_base::{Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Pending, ShieldSetting, Target},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Pending) -> Result<()> {
    match command {
        Pending::List { bucket, target } => {
            let path = match bucket {
                Some(bucket) => format!("pending?bucket={}", segment(&bucket)),
                None => "pending".to_owned(),
            };
            let found = Client::new(&target)?.api(Method::GET, &path, None).await?;
            answer(&target, &found, |found| {
                let rows: Vec<Vec<String>> = list(found, "pending").map(row).collect();
                output::table(&HEADINGS, &rows);
            });
            Ok(())
        }
        Pending::Show { id, target } => one(&target, Method::GET, &id, "").await,
        Pending::Approve { ids, target } => each(&target, &ids, "/approve").await,
        Pending::Reject { ids, target } => each(&target, &ids, "/reject").await,
    }
}

async fn each(target: &Target, ids: &[String], action: &str) -> Result<()> {
    for id in ids {
        one(target, Method::POST, id, action).await?;
    }
    Ok(())
}

async fn one(target: &Target, method: Method, id: &str, action: &str) -> Result<()> {
    let path = format!("pending/{}{action}", segment(id));
    let found = Client::new(target)?.api(method, &path, None).await?;
    answer(target, &found, |found| output::table(&HEADINGS, &[row(found)]));
    Ok(())
}

const HEADINGS: [&str; 6] = ["ID", "STATE", "WHO", "DESTROYS", "UNTIL", "ANSWERED BY"];

fn row(pending: &Value) -> Vec<String> {
    let number = |of: &Value, field| of.get(field).and_then(Value::as_u64).unwrap_or_default();
    let thing = |of: &Value| {
        let becomes = match text(of, "becomes") {
            "" => String::new(),
            becomes => format!(" -> {becomes}"),
        };
        format!(
            "{} {}@{}{becomes}",
            text(of, "sort"),
            text(of, "name"),
            number(of, "version")
        )
    };
    let for_whom: Vec<&str> = list(pending, "chain").filter_map(Value::as_str).collect();
    let who = match for_whom.is_empty() {
        true => text(pending, "principal").to_owned(),
        false => format!("{} for {}", text(pending, "principal"), for_whom.join(" for ")),
    };
    let things: Vec<String> = list(pending, "destroys").map(thing).collect();
    vec![
        text(pending, "id").to_owned(),
        text(pending, "state").to_owned(),
        who,
        format!("{}: {}", text(pending, "bucket"), things.join(", ")),
        format!("{:?}", Timestamp(number(pending, "until_micros"))),
        text(pending, "answered_by").to_owned(),
    ]
}

pub(super) async fn shield(bucket: &str, setting: &ShieldSetting, target: &Target) -> Result<()> {
    let path = format!("buckets/{}/shield", segment(bucket));
    let client = Client::new(target)?;
    let found = match setting.hold {
        Some(hold) => {
            let holds = if setting.everyone && !setting.agents {
                "everyone"
            } else {
                "agents"
            };
            let asked = json!({ "hold_seconds": hold.as_secs(), "holds": holds });
            client.api(Method::PUT, &path, Some(&asked)).await?
        }
        None if setting.off => client.api(Method::DELETE, &path, None).await?,
        None => client.api(Method::GET, &path, None).await?,
    };
    answer(target, &found, |found| {
        output::line(&match found.get("shield").filter(|shield| !shield.is_null()) {
            None => format!("{bucket} has no shield"),
            Some(shield) => {
                let seconds = shield
                    .get("hold_seconds")
                    .and_then(Value::as_u64)
                    .unwrap_or_default();
                format!(
                    "{bucket} has a shield for {}, which holds for {seconds} s",
                    text(shield, "holds")
                )
            }
        });
    });
    Ok(())
}
