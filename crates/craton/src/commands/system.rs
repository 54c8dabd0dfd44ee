//! `craton mb`, `rb`, `bucket`, `keys`.

use craton_base::Result;
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, pending, text, undo};
use crate::{
    cli::{Bucket, Keys, Target},
    client::{Client, place, segment},
    output,
};

pub(super) async fn make_bucket(bucket: &str, target: &Target) -> Result<()> {
    let (bucket, _) = place(bucket)?;
    Client::new(target)?
        .s3(Method::PUT, &format!("/{}", segment(bucket)))
        .await
        .map(drop)
}

pub(super) async fn remove_bucket(bucket: &str, target: &Target) -> Result<()> {
    let (bucket, _) = place(bucket)?;
    Client::new(target)?
        .s3(Method::DELETE, &format!("/{}", segment(bucket)))
        .await
        .map(drop)
}

pub(super) async fn bucket(command: Bucket) -> Result<()> {
    let (bucket, state, target) = match command {
        Bucket::Strict {
            bucket,
            state,
            target,
        } => (bucket, state, target),
        Bucket::Undo {
            bucket,
            window,
            as_server,
            target,
        } => return undo::window(&bucket, window.as_deref(), as_server, &target).await,
        Bucket::Shield {
            bucket,
            setting,
            target,
        } => return pending::shield(&bucket, &setting, &target).await,
    };
    let body = json!({ "strict": state == "on" });
    let path = format!("buckets/{}/strict", segment(&bucket));
    Client::new(&target)?
        .api(Method::PUT, &path, Some(&body))
        .await
        .map(drop)
}

pub(super) async fn keys(command: Keys) -> Result<()> {
    let (target, id, method, action) = match command {
        Keys::Rotate { target } => return rotate(&target).await,
        Keys::List { target } => return list_keys(&target).await,
        Keys::Add { id, target } => (target, id, Method::PUT, ""),
        Keys::Rm { id, target } => (target, id, Method::DELETE, ""),
        Keys::Enable { id, target } => (target, id, Method::POST, "/enable"),
        Keys::Disable { id, target } => (target, id, Method::POST, "/disable"),
    };
    let path = format!("kms/keys/{}{action}", segment(&id));
    let done = Client::new(&target)?.api(method, &path, None).await?;
    answer(&target, &done, |done| {
        if !text(done, "arn").is_empty() {
            output::line(text(done, "arn"));
        }
    });
    Ok(())
}

async fn list_keys(target: &Target) -> Result<()> {
    let keys = Client::new(target)?.api(Method::GET, "kms/keys", None).await?;
    answer(target, &keys, |keys| {
        let row = |key: &Value| {
            let enabled = key.get("enabled").and_then(Value::as_bool).unwrap_or_default();
            let enabled = if enabled { "yes" } else { "no" };
            vec![
                text(key, "id").to_owned(),
                enabled.to_owned(),
                text(key, "arn").to_owned(),
            ]
        };
        let rows: Vec<Vec<String>> = list(keys, "keys").map(row).collect();
        output::table(&["ID", "ENABLED", "ARN"], &rows);
    });
    Ok(())
}

async fn rotate(target: &Target) -> Result<()> {
    let done = Client::new(target)?
        .api(Method::POST, "keys/rotate", None)
        .await?;
    answer(target, &done, |done| {
        let rewrapped = done.get("rewrapped").and_then(Value::as_u64).unwrap_or_default();
        output::line(&format!(
            "The root key is now {}; {rewrapped} keys are wrapped under it.",
            text(done, "key_id")
        ));
    });
    Ok(())
}
