//! `craton replication` and `craton inventory`: copies of a bucket's versions, and lists of them, in other buckets.

use craton_base::Result;
use http::Method;
use serde_json::Value;

use super::{answer, list, text};
use crate::{
    cli::{Inventory, Replication, Target},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Replication) -> Result<()> {
    match command {
        Replication::Status { bucket, target } => status(&bucket, &target).await,
        Replication::Resync { bucket, target } => {
            let path = format!("work/replication/{}", segment(&bucket));
            Client::new(&target)?
                .api(Method::POST, &path, None)
                .await
                .map(drop)
        }
    }
}

pub(super) async fn inventory(command: Inventory) -> Result<()> {
    let Inventory::Run { bucket, id, target } = command;
    let path = format!("work/inventory/{}/{}", segment(&bucket), segment(&id));
    Client::new(&target)?
        .api(Method::POST, &path, None)
        .await
        .map(drop)
}

async fn status(bucket: &str, target: &Target) -> Result<()> {
    let path = format!("replication/{}", segment(bucket));
    let found = Client::new(target)?.api(Method::GET, &path, None).await?;
    answer(target, &found, |found| {
        let rows: Vec<Vec<String>> = list(found, "destinations").map(row).collect();
        let columns = [
            "destination",
            "waiting",
            "copied",
            "bytes",
            "failed",
            "last",
            "error",
        ];
        output::table(&columns, &rows);
    });
    Ok(())
}

fn row(of: &Value) -> Vec<String> {
    let number = |field: &str| {
        of.get(field)
            .and_then(Value::as_u64)
            .unwrap_or_default()
            .to_string()
    };
    vec![
        text(of, "destination").to_owned(),
        number("waiting"),
        number("copied"),
        number("copied_bytes"),
        number("failed"),
        text(of, "last_copied").to_owned(),
        text(of, "error").to_owned(),
    ]
}
