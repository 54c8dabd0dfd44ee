//! Every route of the API: method, path, the action that the gate decides, and what runs.

use craton_base::Result;
use craton_gate::HolderKind;
use http::Method;
use serde_json::Value;

use super::{
    Call, access, authzen, guard, identities, kms, leases, ledger, maintenance, manifest, openlineage, runs,
    sessions, shield, system, undo, work,
};
use crate::route;

/// One route.
pub type Route = route::Route<Operation>;

/// Makes the operations, their names, the table, and the function that runs one.
macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident: $method:ident $path:literal, $action:literal => $run:path $(, $with:expr)?;)+) => {
        /// What a route does.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// The operation's name, for records and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }

        /// Every route; a request that matches none is answered 404, or 405 if another method would match.
        pub const ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            operation: Operation::$name,
            action: $action,
        },)+];

        /// Runs an operation.
        pub(super) async fn run(operation: Operation, call: &mut Call<'_>) -> Result<Value> {
            match operation {
                $(Operation::$name => Box::pin($run(call $(, $with)?)).await,)+
            }
        }
    };
}

/// The paths of AuthZEN. A bucket may be called `access`: only a POST there without a query, which S3 has no meaning for, is
/// not that bucket's.
pub(crate) const AUTHZEN: [&str; 2] = ["/access/v1/evaluation", "/access/v1/evaluations"];

routes! {
    /// The users.
    ListUsers: GET "/_api/v1/users", "iam:ListUsers" => identities::list, HolderKind::User;
    /// Makes a user.
    CreateUser: PUT "/_api/v1/users/{user}", "iam:CreateUser" => identities::create, HolderKind::User;
    /// Deletes a user.
    DeleteUser: DELETE "/_api/v1/users/{user}", "iam:DeleteUser" => identities::delete, HolderKind::User;
    /// A user's access keys.
    ListAccessKeys: GET "/_api/v1/users/{user}/keys", "iam:ListAccessKeys" => identities::list_access_keys;
    /// Makes an access key.
    CreateAccessKey: POST "/_api/v1/users/{user}/keys", "iam:CreateAccessKey" => identities::create_access_key;
    /// Deletes an access key.
    DeleteAccessKey: DELETE "/_api/v1/users/{user}/keys/{key}", "iam:DeleteAccessKey" => identities::delete_access_key;
    /// Lets an access key be used.
    EnableAccessKey: POST "/_api/v1/users/{user}/keys/{key}/enable", "iam:UpdateAccessKey" => identities::set_access_key, true;
    /// Keeps an access key from being used.
    DisableAccessKey: POST "/_api/v1/users/{user}/keys/{key}/disable", "iam:UpdateAccessKey" => identities::set_access_key, false;
    /// A user's policies.
    ListUserPolicies: GET "/_api/v1/users/{user}/policies", "iam:GetUserPolicy" => identities::list_policies, HolderKind::User;
    /// One policy.
    GetUserPolicy: GET "/_api/v1/users/{user}/policies/{policy}", "iam:GetUserPolicy" => identities::get_policy, HolderKind::User;
    /// Sets a policy.
    PutUserPolicy: PUT "/_api/v1/users/{user}/policies/{policy}", "iam:PutUserPolicy" => identities::put_policy, HolderKind::User;
    /// Removes a policy.
    DeleteUserPolicy: DELETE "/_api/v1/users/{user}/policies/{policy}", "iam:DeleteUserPolicy" => identities::delete_policy, HolderKind::User;
    /// The groups.
    ListGroups: GET "/_api/v1/groups", "iam:ListGroups" => identities::list, HolderKind::Group;
    /// Makes a group.
    CreateGroup: PUT "/_api/v1/groups/{group}", "iam:CreateGroup" => identities::create, HolderKind::Group;
    /// Deletes a group.
    DeleteGroup: DELETE "/_api/v1/groups/{group}", "iam:DeleteGroup" => identities::delete, HolderKind::Group;
    /// The users of a group.
    ListMembers: GET "/_api/v1/groups/{group}/members", "iam:GetGroup" => identities::list_members;
    /// Puts a user into a group.
    AddMember: PUT "/_api/v1/groups/{group}/members/{user}", "iam:AddUserToGroup" => identities::set_member, true;
    /// Takes a user out of a group.
    RemoveMember: DELETE "/_api/v1/groups/{group}/members/{user}", "iam:RemoveUserFromGroup" => identities::set_member, false;
    /// The roles.
    ListRoles: GET "/_api/v1/roles", "iam:ListRoles" => identities::list, HolderKind::Role;
    /// Makes a role with its trust policy.
    CreateRole: PUT "/_api/v1/roles/{role}", "iam:CreateRole" => identities::create, HolderKind::Role;
    /// Deletes a role.
    DeleteRole: DELETE "/_api/v1/roles/{role}", "iam:DeleteRole" => identities::delete, HolderKind::Role;
    /// A group's policies.
    ListGroupPolicies: GET "/_api/v1/groups/{group}/policies", "iam:GetGroupPolicy" => identities::list_policies, HolderKind::Group;
    /// One of them.
    GetGroupPolicy: GET "/_api/v1/groups/{group}/policies/{policy}", "iam:GetGroupPolicy" => identities::get_policy, HolderKind::Group;
    /// Sets a policy of a group.
    PutGroupPolicy: PUT "/_api/v1/groups/{group}/policies/{policy}", "iam:PutGroupPolicy" => identities::put_policy, HolderKind::Group;
    /// Removes a policy of a group.
    DeleteGroupPolicy: DELETE "/_api/v1/groups/{group}/policies/{policy}", "iam:DeleteGroupPolicy" => identities::delete_policy, HolderKind::Group;
    /// A role's policies.
    ListRolePolicies: GET "/_api/v1/roles/{role}/policies", "iam:GetRolePolicy" => identities::list_policies, HolderKind::Role;
    /// One of them.
    GetRolePolicy: GET "/_api/v1/roles/{role}/policies/{policy}", "iam:GetRolePolicy" => identities::get_policy, HolderKind::Role;
    /// Sets a policy of a role.
    PutRolePolicy: PUT "/_api/v1/roles/{role}/policies/{policy}", "iam:PutRolePolicy" => identities::put_policy, HolderKind::Role;
    /// Removes a policy of a role.
    DeleteRolePolicy: DELETE "/_api/v1/roles/{role}/policies/{policy}", "iam:DeleteRolePolicy" => identities::delete_policy, HolderKind::Role;
    /// The documents of guard policies.
    ListGuardPolicies: GET "/_api/v1/guard/policies", "craton:ListGuardPolicies" => guard::list;
    /// A document of guard policies.
    GetGuardPolicy: GET "/_api/v1/guard/policies/{name}", "craton:GetGuardPolicy" => guard::get;
    /// Sets a document of guard policies.
    PutGuardPolicy: PUT "/_api/v1/guard/policies/{name}", "craton:PutGuardPolicy" => guard::put;
    /// Deletes a document of guard policies.
    DeleteGuardPolicy: DELETE "/_api/v1/guard/policies/{name}", "craton:DeleteGuardPolicy" => guard::delete;
    /// Checks a document of guard policies.
    CheckGuardPolicy: POST "/_api/v1/guard/check", "craton:GetGuardPolicy" => guard::check;
    /// The schema of guard policies.
    GetGuardSchema: GET "/_api/v1/guard/schema", "craton:GetGuardPolicy" => guard::schema;
    /// What would be decided.
    Explain: POST "/_api/v1/explain", "iam:SimulatePrincipalPolicy" => access::explain;
    /// Who can do something.
    WhoCan: POST "/_api/v1/access/who", "craton:ReadAccess" => access::who;
    /// What one can reach.
    Reach: POST "/_api/v1/access/reach", "craton:ReadAccess" => access::reach;
    /// Looks a policy over.
    CheckPolicy: POST "/_api/v1/policy/check", "iam:SimulateCustomPolicy" => access::check_policy;
    /// Tries a policy on the ledger.
    ReplayPolicy: POST "/_api/v1/policy/replay", "iam:SimulateCustomPolicy" => access::replay;
    /// An AuthZEN evaluation.
    Evaluate: POST "/access/v1/evaluation", "craton:Evaluate" => authzen::evaluate;
    /// Several AuthZEN evaluations.
    EvaluateAll: POST "/access/v1/evaluations", "craton:Evaluate" => authzen::evaluate_all;
    /// The record of a decision.
    ExplainDecision: GET "/_api/v1/decisions/{record}", "craton:ReadLedger" => access::explain_decision;
    /// Records of the ledger.
    ListRecords: GET "/_api/v1/ledger/records", "craton:ReadLedger" => ledger::list_records;
    /// A record with its proof.
    ProveRecord: GET "/_api/v1/ledger/records/{record}/receipt", "craton:ReadLedger" => ledger::prove_record;
    /// The ledger's newest checkpoint and its key.
    GetCheckpoint: GET "/_api/v1/ledger/checkpoint", "craton:ReadLedger" => ledger::checkpoint;
    /// Checks the whole ledger.
    VerifyLedger: POST "/_api/v1/ledger/verify", "craton:ReadLedger" => ledger::verify;
    /// Forgets a principal.
    EraseSubject: POST "/_api/v1/ledger/erase", "craton:EraseSubject" => ledger::erase;
    /// Sets whether a bucket is strict.
    SetBucketStrict: PUT "/_api/v1/buckets/{bucket}/strict", "craton:SetBucketStrict" => system::set_bucket_strict;
    /// How long a bucket's past can be had back.
    GetUndoWindow: GET "/_api/v1/buckets/{bucket}/undo", "craton:GetUndoWindow" => undo::get_window;
    /// Sets how long.
    SetUndoWindow: PUT "/_api/v1/buckets/{bucket}/undo", "craton:SetUndoWindow" => undo::set_window;
    /// What agents may not destroy in a bucket alone.
    GetBucketShield: GET "/_api/v1/buckets/{bucket}/shield", "craton:GetBucketShield" => shield::get;
    /// Sets a bucket's shield.
    SetBucketShield: PUT "/_api/v1/buckets/{bucket}/shield", "craton:SetBucketShield" => shield::set;
    /// Takes a bucket's shield away.
    RemoveBucketShield: DELETE "/_api/v1/buckets/{bucket}/shield", "craton:SetBucketShield" => shield::remove;
    /// Operations that wait for an approval.
    ListPending: GET "/_api/v1/pending", "craton:ListPending" => shield::list;
    /// One of them.
    GetPending: GET "/_api/v1/pending/{pending}", "craton:ListPending" => shield::show;
    /// Approves an operation.
    ApproveOperation: POST "/_api/v1/pending/{pending}/approve", "craton:ApproveDeletion" => shield::answer, true;
    /// Rejects an operation.
    RejectOperation: POST "/_api/v1/pending/{pending}/reject", "craton:ApproveDeletion" => shield::answer, false;
    /// Makes a new root key.
    RotateKeys: POST "/_api/v1/keys/rotate", "craton:RotateKeys" => system::rotate_keys;
    /// The named keys of the key service.
    ListNamedKeys: GET "/_api/v1/kms/keys", "kms:ListKeys" => kms::list;
    /// Makes a named key.
    CreateNamedKey: PUT "/_api/v1/kms/keys/{key}", "kms:CreateKey" => kms::create;
    /// Deletes a named key.
    DeleteNamedKey: DELETE "/_api/v1/kms/keys/{key}", "kms:ScheduleKeyDeletion" => kms::delete;
    /// Lets a named key be used.
    EnableNamedKey: POST "/_api/v1/kms/keys/{key}/enable", "kms:EnableKey" => kms::enable, true;
    /// Keeps a named key from being used.
    DisableNamedKey: POST "/_api/v1/kms/keys/{key}/disable", "kms:DisableKey" => kms::enable, false;
    /// Removes what is no longer needed, now.
    Collect: POST "/_api/v1/collect", "craton:Collect" => system::collect;
    /// What the system does by itself.
    ListWork: GET "/_api/v1/work", "craton:ListRuns" => work::list;
    /// Tells a piece of work to end.
    CancelWork: DELETE "/_api/v1/work/{run}", "craton:CancelRun" => work::cancel;
    /// Asks for work.
    StartWork: POST "/_api/v1/work/{worker}/{bucket}", "craton:StartRun" => work::start;
    /// Asks for work on one of several things of a bucket.
    StartNamedWork: POST "/_api/v1/work/{worker}/{bucket}/{id}", "craton:StartRun" => work::start_named;
    /// Asks for maintenance of a table.
    StartMaintenance: POST "/_api/v1/tables/{bucket}/{namespace}/{table}/maintenance", "s3tables:UpdateTableMetadataLocation" => maintenance::start;
    /// The runs of maintenance of a table.
    ListMaintenance: GET "/_api/v1/tables/{bucket}/{namespace}/{table}/maintenance", "s3tables:GetTable" => maintenance::list;
    /// Tells a run of maintenance to end.
    CancelMaintenance: DELETE "/_api/v1/tables/{bucket}/{namespace}/{table}/maintenance/{run}", "s3tables:UpdateTableMetadataLocation" => maintenance::cancel;
    /// How a bucket's replication stands.
    ReplicationStatus: GET "/_api/v1/replication/{bucket}", "craton:ReadReplication" => work::replication_status;
    /// Runs of clients.
    ListRuns: GET "/_api/v1/runs", "craton:ListRuns" => runs::list;
    /// A run, and what it touched.
    GetRun: GET "/_api/v1/runs/{run}", "craton:ListRuns" => runs::get;
    /// What a run read, for others to check.
    GetRunManifest: GET "/_api/v1/runs/{run}/manifest", "craton:ListRuns" => manifest::get;
    /// What undoing a run would do, or does.
    UndoRun: POST "/_api/v1/undo", "craton:ListRuns" => undo::undo;
    /// What going back to a time would do, or does.
    RestorePast: POST "/_api/v1/restore", "s3:GetObjectVersion" => undo::restore;
    /// What was declared of a run, and how it stands beside what was observed.
    GetDeclaredLineage: GET "/_api/v1/runs/{run}/declared", "craton:ListRuns" => openlineage::declared;
    /// Takes an OpenLineage event.
    PostLineage: POST "/_openlineage/api/v1/lineage", "craton:DeclareLineage" => openlineage::post;
    /// Takes OpenLineage events.
    PostLineageBatch: POST "/_openlineage/api/v1/lineage/batch", "craton:DeclareLineage" => openlineage::post_batch;
    /// Where a version came from, or what came of it.
    GetLineage: GET "/_api/v1/lineage", "craton:ReadLineage" => runs::lineage;
    /// Takes a lease.
    AcquireLease: POST "/_api/v1/leases", "craton:LeaseObjects" => leases::acquire;
    /// Leases that have not ended.
    ListLeases: GET "/_api/v1/leases", "craton:ListLeases" => leases::list;
    /// Sets another end of a lease.
    RenewLease: PUT "/_api/v1/leases/{lease}", "craton:Lease" => leases::renew;
    /// Gives a lease back.
    ReleaseLease: DELETE "/_api/v1/leases/{lease}", "craton:Lease" => leases::release;
    /// Ends a lease of anybody.
    BreakLease: POST "/_api/v1/leases/{lease}/break", "craton:BreakLease" => leases::break_it;
    /// Sessions that have not ended.
    ListSessions: GET "/_api/v1/sessions", "craton:ListSessions" => sessions::list;
    /// How a session's budget stands.
    GetSessionBudget: GET "/_api/v1/sessions/{session}/budget", "craton:ListSessions" => sessions::budget;
    /// Sets a session's budget.
    SetSessionBudget: PUT "/_api/v1/sessions/{session}/budget", "craton:SetSessionBudget" => sessions::set_budget;
    /// Ends a session.
    RevokeSession: DELETE "/_api/v1/sessions/{session}", "craton:RevokeSession" => sessions::revoke;
    /// Ends the sessions of a user.
    RevokeUserSessions: DELETE "/_api/v1/users/{user}/sessions", "craton:RevokeSession" => sessions::revoke_of, HolderKind::User;
    /// Ends the sessions of a role.
    RevokeRoleSessions: DELETE "/_api/v1/roles/{role}/sessions", "craton:RevokeSession" => sessions::revoke_of, HolderKind::Role;
    /// Makes a new key that signs tokens.
    RotateSigningKey: POST "/_api/v1/keys/signing/rotate", "craton:RotateKeys" => sessions::rotate;
}

/// What varied in a path, in order.
pub(super) type Parts = Vec<String>;

/// The operation of a request.
///
/// # Errors
/// [`route::find`]'s own.
pub(super) fn find(method: &Method, path: &str) -> Result<(Operation, Parts)> {
    let (route, parts) = route::find(ROUTES, method, path, "API")?;
    Ok((route.operation, parts.into_iter().map(|(_, text)| text).collect()))
}
