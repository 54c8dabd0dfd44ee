//! The gate: identity, policy, borrowing, the ledger and permits. The only way to data.
//!
//! ```text
//! identify ─▶ decide ─▶ borrow ─▶ record ─▶ &Permit ─▶ engine
//! ```
//!
//! Invariants
//! - no data without a permit, and no permit without an identity, a decision, the borrow and a record;
//! - only this crate holds the store; it hands out nothing of it but what a permit reaches;
//! - an access that can not be recorded does not happen.
//!
//! Deliberately absent: protocols (the doors), what entries mean (the engines).

mod access;
mod admit;
pub mod answers;
mod ask;
pub mod audit;
mod background;
pub mod borrow;
mod bucket;
mod budgets;
mod changes;
mod configuration;
mod cross_origin;
mod decide;
mod described;
mod directory;
mod facts;
mod gate;
mod guards;
pub mod identify;
mod identities;
pub mod kms;
mod leases;
pub mod ledger;
mod lending;
mod lineage;
mod notice;
mod once;
mod operate;
mod past;
mod permit;
pub mod policy;
pub mod replication;
mod runs;
mod scope;
mod session;
mod sessions;
mod shield;
mod switches;
pub mod tables;
pub mod tags;
pub mod watch;
mod work;
mod worker;

pub use admit::{Admitted, AdmittedForm, FormTarget};
pub use ask::{Ask, Fact};
pub use audit::Erased;
pub use bucket::{BucketInfo, BucketLock, BucketSettings, DefaultRetention, RetentionPeriod, Versioning};
pub use budgets::{BUDGET_EXCEEDED, BudgetState, Measure, Purse, SessionBudget};
pub use changes::Changes;
pub use configuration::{
    Acl, AclGrant, AclPermission, BucketAccess, CORS_RULES_MAX, Configuration, ConfigurationChange, Cors,
    CorsAnswer, CorsRule, DOCUMENT_BYTES_MAX, DefaultEncryption, GRANTS_MAX, Grantee, ID_BYTES_MAX,
    NAMED_MAX, NamedConfiguration, Ownership, PublicAccessBlock, Subresource,
};
pub use craton_crypto::SealKey;
pub use craton_guard::{Comparison, Condition, Mask, Restrictions, Value as RowValue, words as labels};
pub use craton_store::{
    Collected,
    budget::{Budget, Reservation},
    namespace::{Committed, Direction, Flow, Kind},
    store::Page,
    value::{Extent, Head, Standing, Stored, StoredVersion, Value},
};
pub use cross_origin::PageRequest;
pub use directory::{ACCOUNT, ANONYMOUS, AccessKeyInfo, HolderKind, ROOT};
pub use gate::{Gate, Settings};
pub use guards::{Checked, GUARD_DOCUMENTS_MAX, GuardDocument};
pub use identities::{
    ACCESS_KEYS_MAX, Act, Entity, Holder, KeyUse, ManagedPolicy, NewAccessKey, NewEntity, POLICIES_MAX,
    PolicyVersion, Provider, ProviderChange, Summary, Update, VERSIONS_MAX,
};
pub use leases::{LEASE_PATHS_MAX, LEASE_SECONDS_MAX, LEASES_MAX, LeaseInfo, LeasedPath};
pub use lineage::{
    COLUMN_EDGES_MAX, Changed, ChangedPage, ColumnAnswer, ColumnEdge, ColumnSource, ColumnUse, ColumnsPage,
    DECLARED_MAX, Declared, Derived, Digest, Direction as LineageDirection, Due, Edge, EdgesAsk, EdgesPage,
    EdgesPlace, LINEAGE_EDGES_MAX, LineageAnswer, LineageAsk, Pauses, RunEdges, RunSummary,
    Standing as DeclaredStanding, ToldColumn, Touch,
};
pub use notice::{LISTENERS_MAX, Listener, Notice, Recipient, Told};
pub use once::SECONDS as ONCE_SECONDS;
pub use operate::Rotated;
pub use past::{UNDO_WINDOW_MAX, UndoWindow, Whose};
pub use permit::{
    Blob, BlobWriter, ClassTier, Content, ContentBody, Ending, Handle, Permit, ReadPermit, SealedKey, Upload,
    WritePermit,
};
pub use replication::{
    DestinationStanding, QueuedCopy, QueuedPlace, RemoteBuckets, Standing as CopyStanding,
};
pub use runs::{ENDED_MAX, Options, Progress, Run, RunInfo, RunState, Wanted};
pub use session::{Origin, PrincipalKind, Proof, Session, TRUSTED_ENGINE_TAG, Within};
pub use sessions::{
    ATTEMPT_AGAIN_SECONDS, AssumeRole, Audience, CallerIdentity, ClientGrant, Exchange, Fetch, Granted,
    Issued, SESSION_SECONDS_MAX, SESSION_SECONDS_MIN, SessionInfo, SessionLimits, TOO_MANY_ATTEMPTS,
    TokenFault, WebIdentity, WebSession,
};
pub use shield::{
    AGENT_TAG, HOLD_SECONDS_MAX, OPERATION_PENDING, PENDING_IN_BUCKET_MAX, PENDING_MAX,
    PENDING_OF_PRINCIPAL_MAX, PendingInfo, PendingState, PendingThing, Shield,
};
pub use work::{Lease, PARTS_BYTES_MAX, PARTS_MAX, Parts, Work};
pub use worker::{Worker, Workers};
