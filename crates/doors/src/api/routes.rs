//! Every route of the API: method, path, and the action that the gate decides.
//!
//! A path's `{…}` parts match one segment each, percent-decoded.

use craton_base::{Error, Kind, Result};
use http::Method;
use percent_encoding::percent_decode_str;

/// What a route does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operation {
    /// The users.
    ListUsers,
    /// Makes a user.
    CreateUser,
    /// Deletes a user.
    DeleteUser,
    /// A user's access keys.
    ListAccessKeys,
    /// Makes an access key.
    CreateAccessKey,
    /// Deletes an access key.
    DeleteAccessKey,
    /// A user's policies.
    ListUserPolicies,
    /// One policy.
    GetUserPolicy,
    /// Sets a policy.
    PutUserPolicy,
    /// Removes a policy.
    DeleteUserPolicy,
    /// The documents of guard policies.
    ListGuardPolicies,
    /// A document of guard policies.
    GetGuardPolicy,
    /// Sets a document of guard policies.
    PutGuardPolicy,
    /// Deletes a document of guard policies.
    DeleteGuardPolicy,
    /// Checks a document of guard policies.
    CheckGuardPolicy,
    /// The schema of guard policies.
    GetGuardSchema,
    /// What would be decided.
    Explain,
    /// The record of a decision.
    ExplainDecision,
    /// Records of the ledger.
    ListRecords,
    /// A record with its proof.
    ProveRecord,
    /// Checks the whole ledger.
    VerifyLedger,
    /// The ledger's newest checkpoint and its key.
    GetCheckpoint,
    /// Sets whether a bucket is strict.
    SetBucketStrict,
    /// Makes a new root key.
    RotateKeys,
    /// The named keys of the key service.
    ListNamedKeys,
    /// Makes a named key.
    CreateNamedKey,
    /// Deletes a named key.
    DeleteNamedKey,
    /// Lets a named key be used.
    EnableNamedKey,
    /// Keeps a named key from being used.
    DisableNamedKey,
    /// Removes what is no longer needed, now.
    Collect,
    /// What the system does by itself.
    ListRuns,
    /// Tells a run to end.
    CancelRun,
    /// Asks for a run.
    StartRun,
    /// Asks for a run on one of several things of a bucket.
    StartNamedRun,
    /// How a bucket's replication stands.
    ReplicationStatus,
    /// Sessions that have not ended.
    ListSessions,
    /// Ends a session.
    RevokeSession,
    /// Ends the sessions of a user.
    RevokeUserSessions,
    /// Ends the sessions of a role.
    RevokeRoleSessions,
    /// Makes a new key that signs tokens.
    RotateSigningKey,
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{name}` for a part that varies.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// The action that must be allowed.
    pub action: &'static str,
}

const fn route(
    method: &'static str,
    path: &'static str,
    operation: Operation,
    action: &'static str,
) -> Route {
    Route {
        method,
        path,
        operation,
        action,
    }
}

/// Every route; a request that matches none is answered 404, or 405 if another method would match.
pub const ROUTES: &[Route] = &[
    route("GET", "/_api/v1/users", Operation::ListUsers, "iam:ListUsers"),
    route(
        "PUT",
        "/_api/v1/users/{user}",
        Operation::CreateUser,
        "iam:CreateUser",
    ),
    route(
        "DELETE",
        "/_api/v1/users/{user}",
        Operation::DeleteUser,
        "iam:DeleteUser",
    ),
    route(
        "GET",
        "/_api/v1/users/{user}/keys",
        Operation::ListAccessKeys,
        "iam:ListAccessKeys",
    ),
    route(
        "POST",
        "/_api/v1/users/{user}/keys",
        Operation::CreateAccessKey,
        "iam:CreateAccessKey",
    ),
    route(
        "DELETE",
        "/_api/v1/users/{user}/keys/{key}",
        Operation::DeleteAccessKey,
        "iam:DeleteAccessKey",
    ),
    route(
        "GET",
        "/_api/v1/users/{user}/policies",
        Operation::ListUserPolicies,
        "iam:GetUserPolicy",
    ),
    route(
        "GET",
        "/_api/v1/users/{user}/policies/{policy}",
        Operation::GetUserPolicy,
        "iam:GetUserPolicy",
    ),
    route(
        "PUT",
        "/_api/v1/users/{user}/policies/{policy}",
        Operation::PutUserPolicy,
        "iam:PutUserPolicy",
    ),
    route(
        "DELETE",
        "/_api/v1/users/{user}/policies/{policy}",
        Operation::DeleteUserPolicy,
        "iam:DeleteUserPolicy",
    ),
    route(
        "GET",
        "/_api/v1/guard/policies",
        Operation::ListGuardPolicies,
        "craton:ListGuardPolicies",
    ),
    route(
        "GET",
        "/_api/v1/guard/policies/{name}",
        Operation::GetGuardPolicy,
        "craton:GetGuardPolicy",
    ),
    route(
        "PUT",
        "/_api/v1/guard/policies/{name}",
        Operation::PutGuardPolicy,
        "craton:PutGuardPolicy",
    ),
    route(
        "DELETE",
        "/_api/v1/guard/policies/{name}",
        Operation::DeleteGuardPolicy,
        "craton:DeleteGuardPolicy",
    ),
    route(
        "POST",
        "/_api/v1/guard/check",
        Operation::CheckGuardPolicy,
        "craton:GetGuardPolicy",
    ),
    route(
        "GET",
        "/_api/v1/guard/schema",
        Operation::GetGuardSchema,
        "craton:GetGuardPolicy",
    ),
    route(
        "POST",
        "/_api/v1/explain",
        Operation::Explain,
        "iam:SimulatePrincipalPolicy",
    ),
    route(
        "GET",
        "/_api/v1/decisions/{record}",
        Operation::ExplainDecision,
        "craton:ReadLedger",
    ),
    route(
        "GET",
        "/_api/v1/ledger/records",
        Operation::ListRecords,
        "craton:ReadLedger",
    ),
    route(
        "GET",
        "/_api/v1/ledger/records/{record}/receipt",
        Operation::ProveRecord,
        "craton:ReadLedger",
    ),
    route(
        "GET",
        "/_api/v1/ledger/checkpoint",
        Operation::GetCheckpoint,
        "craton:ReadLedger",
    ),
    route(
        "POST",
        "/_api/v1/ledger/verify",
        Operation::VerifyLedger,
        "craton:ReadLedger",
    ),
    route(
        "PUT",
        "/_api/v1/buckets/{bucket}/strict",
        Operation::SetBucketStrict,
        "craton:SetBucketStrict",
    ),
    route(
        "POST",
        "/_api/v1/keys/rotate",
        Operation::RotateKeys,
        "craton:RotateKeys",
    ),
    route(
        "GET",
        "/_api/v1/kms/keys",
        Operation::ListNamedKeys,
        "kms:ListKeys",
    ),
    route(
        "PUT",
        "/_api/v1/kms/keys/{key}",
        Operation::CreateNamedKey,
        "kms:CreateKey",
    ),
    route(
        "DELETE",
        "/_api/v1/kms/keys/{key}",
        Operation::DeleteNamedKey,
        "kms:ScheduleKeyDeletion",
    ),
    route(
        "POST",
        "/_api/v1/kms/keys/{key}/enable",
        Operation::EnableNamedKey,
        "kms:EnableKey",
    ),
    route(
        "POST",
        "/_api/v1/kms/keys/{key}/disable",
        Operation::DisableNamedKey,
        "kms:DisableKey",
    ),
    route("POST", "/_api/v1/collect", Operation::Collect, "craton:Collect"),
    route("GET", "/_api/v1/runs", Operation::ListRuns, "craton:ListRuns"),
    route(
        "DELETE",
        "/_api/v1/runs/{run}",
        Operation::CancelRun,
        "craton:CancelRun",
    ),
    route(
        "POST",
        "/_api/v1/runs/{worker}/{bucket}",
        Operation::StartRun,
        "craton:StartRun",
    ),
    route(
        "POST",
        "/_api/v1/runs/{worker}/{bucket}/{id}",
        Operation::StartNamedRun,
        "craton:StartRun",
    ),
    route(
        "GET",
        "/_api/v1/replication/{bucket}",
        Operation::ReplicationStatus,
        "craton:ReadReplication",
    ),
    route(
        "GET",
        "/_api/v1/sessions",
        Operation::ListSessions,
        "craton:ListSessions",
    ),
    route(
        "DELETE",
        "/_api/v1/sessions/{session}",
        Operation::RevokeSession,
        "craton:RevokeSession",
    ),
    route(
        "DELETE",
        "/_api/v1/users/{user}/sessions",
        Operation::RevokeUserSessions,
        "craton:RevokeSession",
    ),
    route(
        "DELETE",
        "/_api/v1/roles/{role}/sessions",
        Operation::RevokeRoleSessions,
        "craton:RevokeSession",
    ),
    route(
        "POST",
        "/_api/v1/keys/signing/rotate",
        Operation::RotateSigningKey,
        "craton:RotateKeys",
    ),
];

impl Operation {
    /// The operation's name, for records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListUsers => "ListUsers",
            Self::CreateUser => "CreateUser",
            Self::DeleteUser => "DeleteUser",
            Self::ListAccessKeys => "ListAccessKeys",
            Self::CreateAccessKey => "CreateAccessKey",
            Self::DeleteAccessKey => "DeleteAccessKey",
            Self::ListUserPolicies => "ListUserPolicies",
            Self::GetUserPolicy => "GetUserPolicy",
            Self::PutUserPolicy => "PutUserPolicy",
            Self::DeleteUserPolicy => "DeleteUserPolicy",
            Self::ListGuardPolicies => "ListGuardPolicies",
            Self::GetGuardPolicy => "GetGuardPolicy",
            Self::PutGuardPolicy => "PutGuardPolicy",
            Self::DeleteGuardPolicy => "DeleteGuardPolicy",
            Self::CheckGuardPolicy => "CheckGuardPolicy",
            Self::GetGuardSchema => "GetGuardSchema",
            Self::Explain => "Explain",
            Self::ExplainDecision => "ExplainDecision",
            Self::ListRecords => "ListRecords",
            Self::ProveRecord => "ProveRecord",
            Self::VerifyLedger => "VerifyLedger",
            Self::GetCheckpoint => "GetCheckpoint",
            Self::SetBucketStrict => "SetBucketStrict",
            Self::RotateKeys => "RotateKeys",
            Self::ListNamedKeys => "ListNamedKeys",
            Self::CreateNamedKey => "CreateNamedKey",
            Self::DeleteNamedKey => "DeleteNamedKey",
            Self::EnableNamedKey => "EnableNamedKey",
            Self::DisableNamedKey => "DisableNamedKey",
            Self::Collect => "Collect",
            Self::ListRuns => "ListRuns",
            Self::CancelRun => "CancelRun",
            Self::StartRun => "StartRun",
            Self::StartNamedRun => "StartNamedRun",
            Self::ReplicationStatus => "ReplicationStatus",
            Self::ListSessions => "ListSessions",
            Self::RevokeSession => "RevokeSession",
            Self::RevokeUserSessions => "RevokeUserSessions",
            Self::RevokeRoleSessions => "RevokeRoleSessions",
            Self::RotateSigningKey => "RotateSigningKey",
        }
    }
}

/// What varied in a path, in order.
pub(super) type Parts = Vec<String>;

/// The operation of a request.
///
/// # Errors
/// `NotFound`, `NoSuchRoute`; `Invalid`, `MethodNotAllowed`; `Invalid` for a part that is not UTF-8.
pub(super) fn find(method: &Method, path: &str) -> Result<(Operation, Parts)> {
    let mut known = false;
    for route in ROUTES {
        let Some(parts) = matched(route.path, path) else {
            continue;
        };
        known = true;
        if method.as_str() == route.method {
            let parts = parts.into_iter().map(decoded).collect::<Result<_>>()?;
            return Ok((route.operation, parts));
        }
    }
    Err(match known {
        true => Error::new(
            Kind::Invalid,
            "MethodNotAllowed",
            "this method is not allowed here",
        ),
        false => Error::new(
            Kind::NotFound,
            "NoSuchRoute",
            "there is nothing at this path of the API",
        ),
    })
}

/// The varying parts of `path`, if it has the form of `pattern`.
fn matched<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let (mut expected, mut given) = (pattern.split('/'), path.split('/'));
    let mut parts = Vec::new();
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(parts),
            (Some(e), Some(g)) if e.starts_with('{') && !g.is_empty() => parts.push(g),
            (Some(e), Some(g)) if e == g => {}
            _ => return None,
        }
    }
}

fn decoded(part: &str) -> Result<String> {
    let text = percent_decode_str(part).decode_utf8();
    Ok(text
        .map_err(|e| Error::invalid("a part of the path is not UTF-8").with_source(e))?
        .into_owned())
}
