//! What entries are: the first byte that tells one kind of row from another.
//!
//! Invariant: a number on disk never changes its meaning.

/// What an entry is. The number is on disk; never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// A bucket, by name (under [`craton_base::BucketId::SYSTEM`]).
    Bucket = 1,
    /// An object version, by key.
    Object = 2,
    /// A multipart upload in progress, by key and upload id. No history.
    Upload = 3,
    /// A part of an upload, by key, upload id and part number. No history.
    Part = 4,
    /// Which entry owns a blob, by blob id. No history.
    BlobOwner = 5,
    /// A blob that no entry names any more and that is to be deleted, by blob id. No history.
    Garbage = 6,
    /// What a commit changed, by sequence: the change feed, and the map from time to sequence. No history.
    Change = 7,
    /// A setting of the system: format version, instance id, wrapped keys. No history.
    Setting = 8,
    /// A wrapped bucket key, by bucket id and key generation. No history.
    BucketKey = 9,
    /// The rest of an object version whose row would be long, by key: the extents of its content and what is seldom
    /// asked for. Its version is that of the object's row.
    Detail = 10,
    /// A blob at a tier that no entry names, or none yet, by tier and blob id. No history.
    RemoteGarbage = 27,
    /// A document that configures a bucket, by sub-resource (under the bucket).
    Configuration = 11,
    /// What happened and that someone is to be told of, by time. No history.
    Outbox = 12,
    /// What a target is to be told and was not yet, by target and sequence. No history.
    Delivery = 13,
    /// What a worker remembers, by worker and subject. No history.
    Work = 14,
    /// A version that is to be copied elsewhere and was not yet, by destination and time. No history.
    Replication = 15,
    /// A user, by name.
    User = 16,
    /// An access key, by id.
    AccessKey = 17,
    /// A policy document, by owner and name.
    Policy = 18,
    /// A named key of the local key service, by id. No history.
    KmsKey = 19,
    /// A document of guard policies, by name.
    Guard = 20,
    /// A group of users, by name.
    Group = 21,
    /// A role, by name.
    Role = 22,
    /// A managed policy, by name.
    ManagedPolicy = 23,
    /// An identity provider, by its host and path.
    OidcProvider = 24,
    /// A session, by id. No history.
    Session = 25,
    /// A ledger record that is committed and not yet in the tree, by its place. No history.
    LedgerPending = 32,
    /// A tile, record bundle or checkpoint of the ledger, by name. No history.
    Ledger = 33,
    /// A key under which the records about one principal are sealed. No history.
    LedgerSubject = 34,
    /// A lease that a client holds, by id. No history.
    Lease = 48,
    /// An operation that waits for its approval, by what it is. No history.
    Pending = 49,
    /// A graph's facts as of a commit: which runs hold them, by the graph's name.
    Graph = 64,
    /// A graph's names as of a commit: which runs hold symbols and expressions, by the graph's name.
    GraphNames = 65,
    /// A run of a graph, by the graph's name and the run's id.
    GraphRun = 66,
    /// A table, by its id.
    Table = 80,
    /// Which table has a name, by namespace and name.
    TableName = 81,
    /// A namespace of tables, by its levels.
    TableNamespace = 82,
    /// A request that its client named by a key and that was carried out, by time, principal and key. No history.
    Done = 83,
    /// How many bytes a session, a key or a principal has moved, by its id. No history.
    Moved = 84,
    /// What runs did, and which of them touched a version, by what it is. No history.
    Lineage = 96,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 40] = [
        Self::Bucket,
        Self::Object,
        Self::Upload,
        Self::Part,
        Self::BlobOwner,
        Self::Garbage,
        Self::Change,
        Self::Setting,
        Self::BucketKey,
        Self::Detail,
        Self::RemoteGarbage,
        Self::Configuration,
        Self::Outbox,
        Self::Delivery,
        Self::Work,
        Self::Replication,
        Self::User,
        Self::AccessKey,
        Self::Policy,
        Self::KmsKey,
        Self::Guard,
        Self::Group,
        Self::Role,
        Self::ManagedPolicy,
        Self::OidcProvider,
        Self::Session,
        Self::LedgerPending,
        Self::Ledger,
        Self::LedgerSubject,
        Self::Lease,
        Self::Pending,
        Self::Graph,
        Self::GraphNames,
        Self::GraphRun,
        Self::Table,
        Self::TableName,
        Self::TableNamespace,
        Self::Done,
        Self::Moved,
        Self::Lineage,
    ];

    /// Whether superseded versions stay readable until they are erased.
    #[must_use]
    pub const fn keeps_history(self) -> bool {
        matches!(
            self,
            Self::Bucket
                | Self::Object
                | Self::Detail
                | Self::Configuration
                | Self::User
                | Self::AccessKey
                | Self::Policy
                | Self::Guard
                | Self::Group
                | Self::Role
                | Self::ManagedPolicy
                | Self::OidcProvider
                | Self::Graph
                | Self::GraphNames
                | Self::GraphRun
                | Self::Table
                | Self::TableName
                | Self::TableNamespace
        )
    }

    /// Whether a put or delete of this kind is listed in the change feed ([`Kind::Change`]): all but
    /// the store's and the ledger's own bookkeeping.
    #[must_use]
    pub const fn in_change_feed(self) -> bool {
        !matches!(
            self,
            Self::Change
                | Self::Detail
                | Self::BlobOwner
                | Self::Garbage
                | Self::RemoteGarbage
                | Self::LedgerPending
                | Self::Ledger
                | Self::LedgerSubject
                | Self::Outbox
                | Self::Delivery
                | Self::Work
                | Self::Replication
                | Self::Done
                | Self::Moved
                | Self::Lineage
        )
    }

    /// The kind with this number on disk.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}
