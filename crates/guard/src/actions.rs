//! Every action that a policy can name: what it is about, and the level of access that it gives. Data for the
//! schema of guard policies and for checking policies of both planes.
//!
//! Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", "… Amazon S3 Tables"
//! (and MinIO's `RegisterTable`, `UpdateNamespaceProperties`), "… AWS
//! Identity and Access Management", "… AWS Security Token Service", "… AWS KMS" (levels). Actions of Craton's own have the
//! service `craton`.

/// What an action is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum About {
    /// The whole service.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
    /// A graph, or facts of it.
    Graph,
    /// A table, or the catalog of a bucket's tables.
    Table,
    /// The system's own: users, keys, the ledger.
    System,
}

/// The level of access, as AWS names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Finds out what is there.
    List,
    /// Reads.
    Read,
    /// Changes or deletes.
    Write,
    /// Changes tags.
    Tagging,
    /// Changes who may do what.
    Permissions,
}

/// An action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    /// With its service: `s3:GetObject`.
    pub name: &'static str,
    /// What it is about.
    pub about: About,
    /// What it gives.
    pub level: Level,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 5] = [
        Self::List,
        Self::Read,
        Self::Write,
        Self::Tagging,
        Self::Permissions,
    ];

    /// The level as one lower-case word: the group of actions in guard policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::Tagging => "tagging",
            Self::Permissions => "permissions",
        }
    }
}

impl Action {
    /// The service: `s3`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.name.split(':').next().unwrap_or_default()
    }
}

/// Every action.
pub fn all() -> impl Iterator<Item = Action> {
    TABLE.iter().flat_map(|(about, level, names)| {
        names.iter().map(|name| Action {
            name,
            about: *about,
            level: *level,
        })
    })
}

/// An action by its name, written in any case.
#[must_use]
pub fn find(name: &str) -> Option<Action> {
    all().find(|action| action.name.eq_ignore_ascii_case(name))
}

/// Whether an action is about the data of a table, and so about its columns.
#[must_use]
pub fn is_of_columns(action: &str) -> bool {
    matches!(action, "s3tables:GetTableData" | "s3tables:PutTableData")
}

/// Names of one kind.
type Row = (About, Level, &'static [&'static str]);

const TABLE: &[Row] = &[
    (About::Service, Level::List, &["s3:ListAllMyBuckets"]),
    (About::Bucket, Level::List, BUCKET_LIST),
    (About::Bucket, Level::Read, BUCKET_READ),
    (About::Bucket, Level::Write, BUCKET_WRITE),
    (About::Bucket, Level::Tagging, &["s3:PutBucketTagging"]),
    (About::Bucket, Level::Permissions, BUCKET_PERMISSIONS),
    (About::Object, Level::List, &["s3:ListMultipartUploadParts"]),
    (About::Object, Level::Read, OBJECT_READ),
    (About::Object, Level::Write, OBJECT_WRITE),
    (About::Object, Level::Tagging, OBJECT_TAGGING),
    (About::Object, Level::Permissions, OBJECT_PERMISSIONS),
    (About::Graph, Level::List, &["craton:ListGraphs"]),
    (About::Graph, Level::Read, &["craton:ReadGraph"]),
    (About::Graph, Level::Write, &["craton:WriteGraph"]),
    (About::Graph, Level::Tagging, &["craton:LabelGraph"]),
    (About::Graph, Level::Write, &["craton:LeaseGraph"]),
    (
        About::Table,
        Level::List,
        &[
            "s3tables:ListNamespaces",
            "s3tables:ListTables",
            "s3tables:ListViews",
        ],
    ),
    (About::Table, Level::Read, TABLE_READ),
    (About::Table, Level::Write, TABLE_WRITE),
    (About::Table, Level::Tagging, &["s3tables:TagResource"]),
    (About::System, Level::List, SYSTEM_LIST),
    (About::System, Level::Read, SYSTEM_READ),
    (About::System, Level::Write, SYSTEM_WRITE),
    (About::System, Level::Tagging, SYSTEM_TAGGING),
    (About::System, Level::Permissions, SYSTEM_PERMISSIONS),
];

const TABLE_READ: &[&str] = &[
    "s3tables:GetNamespace",
    "s3tables:GetTable",
    "s3tables:GetTableBucket",
    "s3tables:GetTableData",
    "s3tables:GetTableMetadataLocation",
    "s3tables:GetView",
];

const TABLE_WRITE: &[&str] = &[
    "s3tables:CreateNamespace",
    "s3tables:CreateTable",
    "s3tables:CreateView",
    "s3tables:DeleteNamespace",
    "s3tables:DeleteTable",
    "s3tables:DeleteView",
    "s3tables:PutTableData",
    "s3tables:RegisterTable",
    "s3tables:RegisterView",
    "s3tables:RenameTable",
    "s3tables:RenameView",
    "s3tables:UpdateNamespaceProperties",
    "s3tables:UpdateTableMetadataLocation",
    "s3tables:UpdateView",
];

const BUCKET_LIST: &[&str] = &[
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
];

const BUCKET_READ: &[&str] = &[
    "craton:GetBucketShield",
    "craton:GetUndoWindow",
    "craton:ReadLineage",
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLocation",
    "s3:GetBucketLogging",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListenBucketNotification",
];

const BUCKET_WRITE: &[&str] = &[
    "craton:LeaseBucket",
    "craton:SetBucketStrict",
    "craton:SetUndoWindow",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteBucketWebsite",
    "s3:PutAccelerateConfiguration",
    "s3:PutAnalyticsConfiguration",
    "s3:PutBucketCORS",
    "s3:PutBucketLogging",
    "s3:PutBucketNotification",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketRequestPayment",
    "s3:PutBucketVersioning",
    "s3:PutBucketWebsite",
    "s3:PutEncryptionConfiguration",
    "s3:PutIntelligentTieringConfiguration",
    "s3:PutInventoryConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutMetricsConfiguration",
    "s3:PutReplicationConfiguration",
];

const BUCKET_PERMISSIONS: &[&str] = &[
    "craton:ApproveDeletion",
    "craton:SetBucketShield",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
];

const OBJECT_READ: &[&str] = &[
    "s3:GetObject",
    "s3:GetObjectAcl",
    "s3:GetObjectAttributes",
    "s3:GetObjectLegalHold",
    "s3:GetObjectRetention",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTagging",
];

const OBJECT_WRITE: &[&str] = &[
    "craton:LeaseObjects",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:InitiateReplication",
    "s3:PutObject",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:RestoreObject",
    "s3:UpdateObjectEncryption",
];

const OBJECT_TAGGING: &[&str] = &[
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersionTagging",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
    "s3:ReplicateTags",
];

const OBJECT_PERMISSIONS: &[&str] = &[
    "s3:BypassGovernanceRetention",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
];

const SYSTEM_LIST: &[&str] = &[
    "craton:ListGuardPolicies",
    "craton:ListLeases",
    "craton:ListPending",
    "craton:ListRuns",
    "craton:ListSessions",
    "iam:ListAccessKeys",
    "iam:ListAttachedGroupPolicies",
    "iam:ListAttachedRolePolicies",
    "iam:ListAttachedUserPolicies",
    "iam:ListEntitiesForPolicy",
    "iam:ListGroupPolicies",
    "iam:ListGroups",
    "iam:ListGroupsForUser",
    "iam:ListOpenIDConnectProviderTags",
    "iam:ListOpenIDConnectProviders",
    "iam:ListPolicies",
    "iam:ListPolicyTags",
    "iam:ListPolicyVersions",
    "iam:ListRolePolicies",
    "iam:ListRoleTags",
    "iam:ListRoles",
    "iam:ListUserPolicies",
    "iam:ListUserTags",
    "iam:ListUsers",
    "kms:ListKeys",
];

const SYSTEM_READ: &[&str] = &[
    "craton:Evaluate",
    "craton:GetGuardPolicy",
    "craton:ReadAccess",
    "craton:ReadLedger",
    "craton:ReadReplication",
    "craton:RunStatement",
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
    "iam:GetGroup",
    "iam:GetGroupPolicy",
    "iam:GetOpenIDConnectProvider",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:GetUser",
    "iam:GetUserPolicy",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
];

const SYSTEM_WRITE: &[&str] = &[
    "craton:BreakLease",
    "craton:CancelRun",
    "craton:Collect",
    "craton:DeclareLineage",
    "craton:DeliverEvents",
    "craton:EraseSubject",
    "craton:GrantToken",
    "craton:Lease",
    "craton:Replicate",
    "craton:RevokeSession",
    "craton:RotateKeys",
    "craton:Run",
    "craton:SetSessionBudget",
    "craton:StartRun",
    "iam:PassRole",
    "kms:CreateKey",
    "kms:Decrypt",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GenerateDataKey",
    "kms:ScheduleKeyDeletion",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetSourceIdentity",
];

const SYSTEM_TAGGING: &[&str] = &[
    "iam:TagOpenIDConnectProvider",
    "iam:TagPolicy",
    "iam:TagRole",
    "iam:TagUser",
    "iam:UntagOpenIDConnectProvider",
    "iam:UntagPolicy",
    "iam:UntagRole",
    "iam:UntagUser",
    "sts:TagSession",
];

const SYSTEM_PERMISSIONS: &[&str] = &[
    "craton:DeleteGuardPolicy",
    "craton:PutGuardPolicy",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateGroup",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:DeleteAccessKey",
    "iam:DeleteGroup",
    "iam:DeleteGroupPolicy",
    "iam:DeleteOpenIDConnectProvider",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DeleteUser",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachGroupPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
    "iam:PutGroupPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:RemoveClientIDFromOpenIDConnectProvider",
    "iam:RemoveUserFromGroup",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAccessKey",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateGroup",
    "iam:UpdateOpenIDConnectProviderThumbprint",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
    "iam:UpdateUser",
];

#[cfg(test)]
mod tests;
