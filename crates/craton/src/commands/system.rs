//! `craton mb`, `rb`, `bucket`, `keys`.

use craton_base::Result;
use http::Method;
use serde_json::{Value, json};

use super::{answer, text};
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
    let Bucket::Strict {
        bucket,
        state,
        target,
    } = command;
    let body = json!({ "strict": state == "on" });
    let path = format!("buckets/{}/strict", segment(&bucket));
    Client::new(&target)?
        .api(Method::PUT, &path, Some(&body))
        .await
        .map(drop)
}

pub(super) async fn keys(command: Keys) -> Result<()> {
    let Keys::Rotate { target } = command;
    let done = Client::new(&target)?
        .api(Method::POST, "keys/rotate", None)
        .await?;
    answer(&target, &done, |done| {
        let rewrapped = done.get("rewrapped").and_then(Value::as_u64).unwrap_or_default();
        output::line(&format!(
            "The root key is now {}; {rewrapped} keys are wrapped under it.",
            text(done, "key_id")
        ));
    });
    Ok(())
}
