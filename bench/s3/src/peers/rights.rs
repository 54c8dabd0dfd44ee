//! A user of Craton's whose rights policies say, and sessions of that user: by the query API of IAM and STS.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, Result};

use super::http::HttpPeer;
use crate::{
    clock,
    load::{Operation, Outcome},
    revoke::Revocation,
    sign::{self, Key, Signer},
};

/// The bucket of the objects that the user reads.
pub(super) const BUCKET: &str = "bench-rights";

const USER: &str = "bench";

/// What the user may: the right that is used, one with a variable, and denials that must be looked at.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion","s3:ListBucket"],
 "Resource":["arn:aws:s3:::bench-rights","arn:aws:s3:::bench-rights/get-*"],
 "Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}},
{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"},
{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2099-01-01T00:00:00Z"}}},
{"Effect":"Deny","Action":["s3:Delete*","s3:PutBucket*"],"Resource":"*"}]}"#;

/// The bucket's own policy.
const BUCKET_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/bench"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bench-rights/get-*"},
{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bench-rights/*",
 "Condition":{"StringEquals":{"aws:PrincipalTag/state":"left"}}}]}"#;

impl HttpPeer {
    /// Makes the user and the bucket, once.
    pub(super) fn make_user(&mut self) -> Result<()> {
        if self.stored.user.is_some() {
            return Ok(());
        }
        self.make_bucket_of(BUCKET, &[])?;
        let sum = sign::sha256_base64(BUCKET_POLICY.as_bytes());
        let head = self.signer()?.head_with(
            "PUT",
            &format!("/{BUCKET}?policy="),
            BUCKET_POLICY.len() as u64,
            None,
            &[("x-amz-checksum-sha256", &sum)],
        );
        let user = ("UserName", USER);
        self.call("iam", &self.key, "CreateUser", &[user])?;
        let policy = [user, ("PolicyName", "bench"), ("PolicyDocument", POLICY)];
        self.call("iam", &self.key, "PutUserPolicy", &policy)?;
        self.ask(&head, BUCKET_POLICY.as_bytes())?;
        let made = self.call("iam", &self.key, "CreateAccessKey", &[user])?;
        self.stored.user = Some(key_of(&made)?);
        Ok(())
    }

    /// Begins a session of the user.
    pub(super) fn begin_session(&mut self) -> Result<()> {
        let user = self.stored.user.as_ref().context("there is no user yet")?;
        let made = self.call("sts", user, "GetSessionToken", &[])?;
        let token = inner(&made, "SessionToken")?.to_owned();
        self.stored.session = Some(Key {
            token: Some(token),
            ..key_of(&made)?
        });
        Ok(())
    }

    /// Sends operations of the session, which is ended in the middle.
    pub(super) fn revoke_beside(
        &self,
        operations: Vec<Operation>,
        clients: usize,
        time: Duration,
    ) -> Result<Outcome> {
        let session = self.stored.session.as_ref().context("there is no session yet")?;
        let heads = operations.into_iter().flat_map(|o| o.requests).map(|r| r.head);
        Revocation {
            address: self.address,
            heads: heads.collect(),
            end: self
                .signer()?
                .head("DELETE", &format!("/_api/v1/sessions/{}", session.id), 0, None),
            clients,
            time,
        }
        .run()
    }

    /// Calls an action of the query API.
    fn call(&self, service: &str, key: &Key, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let version = if service == "iam" {
            "2010-05-08"
        } else {
            "2011-06-15"
        };
        let mut form = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            let _ = write!(form, "&{name}={}", encoded(value));
        }
        let signer = Signer::of_service(service, key, &self.address.to_string(), &clock::amz_date()?);
        let sum = sign::sha256_hex(form.as_bytes());
        let typed = [("content-type", "application/x-www-form-urlencoded")];
        let head = signer.head_with("POST", "/", form.len() as u64, Some(&sum), &typed);
        self.ask(&head, form.as_bytes())
            .with_context(|| action.to_owned())
    }
}

fn key_of(answer: &str) -> Result<Key> {
    Ok(Key {
        id: inner(answer, "AccessKeyId")?.to_owned(),
        secret: inner(answer, "SecretAccessKey")?.to_owned(),
        token: None,
    })
}

/// What the first element of this name holds.
fn inner<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    let found = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once('<'));
    found
        .map(|(text, _)| text)
        .with_context(|| format!("no {name} in an answer"))
}

/// All but letters and digits by their numbers.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
