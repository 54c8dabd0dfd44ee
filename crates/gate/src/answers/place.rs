//! From names to paths: the ARN in a question, and the resource in a record of the ledger.
//!
//! Only for answers. Nothing that a request may do is decided on a path that was read from text.

use craton_base::{BucketName, FactPath, GraphName, ObjectKey, ResourcePath};
use craton_guard::actions::{self, About};

use crate::{directory::ACCOUNT, tables};

/// The path of an ARN; `None` if nothing here has it.
pub(super) fn of_arn(arn: &str) -> Option<ResourcePath> {
    if arn == "*" || arn == "arn:aws:s3:::*" {
        return Some(ResourcePath::Root);
    }
    if let Some(rest) = arn.strip_prefix("arn:aws:s3:::") {
        return match rest.split_once('/') {
            None => Some(ResourcePath::Bucket(BucketName::new(rest).ok()?)),
            Some((bucket, key)) => Some(ResourcePath::Object(
                BucketName::new(bucket).ok()?,
                ObjectKey::new(key).ok()?,
            )),
        };
    }
    if let Some(rest) = arn.strip_prefix("arn:craton:graph:::") {
        return facts(rest);
    }
    if arn.starts_with("arn:aws:s3tables:") {
        return tables::of_arn(arn);
    }
    if let Some(part) = arn.strip_prefix("arn:craton:system:::") {
        return Some(ResourcePath::System(part.to_owned()));
    }
    if arn.starts_with("arn:aws:kms:") {
        return Some(ResourcePath::System(format!("kms/{arn}")));
    }
    let of_iam = arn
        .strip_prefix("arn:aws:iam::")?
        .strip_prefix(ACCOUNT)?
        .strip_prefix(':')?;
    let (kind, name) = of_iam.split_once('/')?;
    let folder = match kind {
        "user" => "users",
        "group" => "groups",
        "role" => "roles",
        "policy" => "policies",
        "oidc-provider" => "providers",
        _ => return None,
    };
    Some(ResourcePath::System(format!("{folder}/{name}")))
}

/// The bucket and the entry of a table that an ARN calls by its name, as people do: `…/table/sales.orders`.
pub(super) fn table_by_name(arn: &str) -> Option<(BucketName, Vec<u8>)> {
    let (bucket, name) = arn
        .strip_prefix("arn:aws:s3tables:::bucket/")?
        .split_once("/table/")?;
    let (namespace, name) = name.rsplit_once('.')?;
    let levels: Vec<String> = namespace.split('.').map(str::to_owned).collect();
    Some((BucketName::new(bucket).ok()?, tables::name_row(&levels, name)))
}

/// The path that a record was about. An action about buckets tells a listing from an object whose key ends in a star.
pub(super) fn of_record(text: &str, actions: &str) -> Option<ResourcePath> {
    if text == "/" {
        return Some(ResourcePath::Root);
    }
    let rest = text.strip_prefix('/')?;
    if let Some(part) = rest.strip_prefix("system/") {
        return Some(ResourcePath::System(part.to_owned()));
    }
    let Some((bucket, rest)) = rest.split_once('/') else {
        return Some(ResourcePath::Bucket(BucketName::new(rest).ok()?));
    };
    let name = BucketName::new(bucket).ok()?;
    if let Some(key) = rest.strip_prefix("objects/") {
        let first = actions.split(' ').next().unwrap_or_default();
        let lists = actions::find(first).is_some_and(|a| matches!(a.about, About::Bucket | About::Table));
        return match key.strip_suffix('*').filter(|_| lists) {
            Some(prefix) => Some(ResourcePath::Objects(name, prefix.to_owned())),
            None => Some(ResourcePath::Object(name, ObjectKey::new(key).ok()?)),
        };
    }
    facts(&format!("{bucket}/{}", rest.strip_prefix("graphs/")?))
}

/// `bucket/graph` or `bucket/graph/prefix`.
fn facts(text: &str) -> Option<ResourcePath> {
    let mut parts = text.splitn(3, '/');
    let bucket = BucketName::new(parts.next()?).ok()?;
    let graph = GraphName::new(parts.next()?).ok()?;
    let path = match parts.next() {
        None | Some("") => FactPath::whole(graph),
        Some(prefix) => FactPath::new(graph, prefix).ok()?,
    };
    Some(ResourcePath::Facts(bucket, path))
}

#[cfg(test)]
mod tests;
