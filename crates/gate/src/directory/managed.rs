//! Managed policies' names, and those that are always there.
//!
//! Invariant: the built-in ones have the ARNs and, for what is here, the meaning of AWS's.

use craton_base::Result;
use craton_store::{
    Store,
    namespace::{Key, Kind},
};

use super::{ACCOUNT, ManagedRecord, Sequence, decode, system_key};

/// Policies that are always there: name and document.
pub(crate) const BUILTIN: [(&str, &str); 6] = [
    (
        "AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "AmazonS3FullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
    ),
    (
        "AmazonS3ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*"],"Resource":"*"}]}"#,
    ),
    (
        "IAMFullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#,
    ),
    (
        "IAMReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:Simulate*"],"Resource":"*"}]}"#,
    ),
    (
        "ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","iam:Get*","iam:List*","craton:Read*","craton:List*"],"Resource":"*"}]}"#,
    ),
];

/// What the ARNs of the built-in ones begin with.
pub(crate) const BUILTIN_PREFIX: &str = "arn:aws:iam::aws:policy/";

/// The document of a built-in policy.
pub(crate) fn builtin(arn: &str) -> Option<&'static str> {
    let name = arn.strip_prefix(BUILTIN_PREFIX)?;
    BUILTIN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, document)| *document)
}

/// The last part of an ARN.
pub(crate) fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The ARN of a managed policy.
pub(crate) fn arn(path: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy{path}{name}")
}

/// The entry's key: names are told apart without case.
pub(crate) fn key(name: &str) -> Key {
    system_key(Kind::ManagedPolicy, name.to_ascii_lowercase().into_bytes())
}

/// The policy with this ARN, with the commit it is of; `None` if there is none or it is built in.
pub(crate) fn find(store: &Store, arn_wanted: &str) -> Result<Option<(Sequence, ManagedRecord)>> {
    let Some(stored) = store.get(&key(name_of(arn_wanted)), Sequence::MAX)? else {
        return Ok(None);
    };
    let record: ManagedRecord = decode(&stored, "a managed policy's entry")?;
    let same = arn(&record.path, &record.name) == arn_wanted;
    Ok(same.then_some((stored.sequence, record)))
}
