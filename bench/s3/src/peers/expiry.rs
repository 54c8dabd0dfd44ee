//! Lifecycle rules that expire the bucket of listings while others work.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{http::HttpPeer, keys};
use crate::{
    plan::{KIB, PAGE_KEYS, Row, Verb},
    sign,
};

/// All that is older than a day that is long past.
const RULE: &str = "<LifecycleConfiguration><Rule><ID>all</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
    <Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>";

/// The load beside it.
pub(super) fn beside(row: &Row) -> Row {
    Row {
        verb: Verb::Calm,
        size: 4 * KIB,
        clients: row.clients,
    }
}

impl HttpPeer {
    /// Sets the rule and has it looked at now.
    pub(super) fn begin_expiry(&self, row: &Row) -> Result<()> {
        let own = self.own.as_ref().context("only Craton is asked for that")?;
        let bucket = keys::bucket(row.size);
        let sum = sign::sha256_base64(RULE.as_bytes());
        let head = self.signer()?.head_with(
            "PUT",
            &format!("/{bucket}?lifecycle="),
            RULE.len() as u64,
            None,
            &[("x-amz-checksum-sha256", &sum)],
        );
        self.ask(&head, RULE.as_bytes())?;
        let status = Command::new(&own.binary)
            .args(["work", "start", "lifecycle", &bucket])
            .arg("--data")
            .arg(&own.data)
            .arg("--endpoint")
            .arg(format!("http://{}", self.address))
            .status()?;
        if !status.success() {
            bail!("a lifecycle run was not started: {status}");
        }
        Ok(())
    }

    /// How many keys of the bucket have expired: it is done in order.
    pub(crate) fn expired(&self, row: &Row) -> Result<u64> {
        let bucket = keys::bucket(row.size);
        let mut token = String::new();
        loop {
            let target = format!("/{bucket}?{token}list-type=2&max-keys=1");
            let head = self.signer()?.head("GET", &target, 0, None);
            let page = self.ask(&head, b"")?;
            let inner = |name: &str| Some(page.split_once(&format!("<{name}>"))?.1.split_once('<')?.0);
            if let Some(key) = inner("Key") {
                let mut parts = key.split('/').skip(1).map(str::parse::<u64>);
                let (Some(Ok(group)), Some(Ok(place))) = (parts.next(), parts.next()) else {
                    bail!("a key that was not stored: {key}");
                };
                return Ok(group * PAGE_KEYS + place);
            }
            match inner("NextContinuationToken") {
                None => return Ok(row.size),
                Some(next) => token = format!("continuation-token={next}&"),
            }
        }
    }
}
