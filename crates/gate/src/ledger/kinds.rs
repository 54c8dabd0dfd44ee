//! The words of records whose numbers are on disk: what a record is about, what was decided, what a write did.

/// What a record is about. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum RecordKind {
    /// Not set; never written.
    Unknown = 0,
    /// A read was allowed; written before its first byte leaves. With a result no outcome follows.
    Decision = 1,
    /// How an allowed request ended.
    Outcome = 2,
    /// A write, in the write's own commit.
    Write = 3,
    /// A request was refused.
    Denial = 4,
    /// A span of time in which records of reads may be missing.
    Gap = 5,
    /// The system itself: started, stopped, a subject erased.
    System = 6,
}

impl RecordKind {
    /// The kind as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::Write => "write",
            Self::Denial => "denial",
            Self::Gap => "gap",
            Self::System => "system",
        }
    }
}

/// What was decided. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Verdict {
    /// Nothing was decided here.
    None = 0,
    /// A statement allows it and none denies it.
    Allow = 1,
    /// A statement denies it.
    ExplicitDeny = 2,
    /// No statement allows it.
    ImplicitDeny = 3,
    /// The sender did not prove who it is.
    Unauthenticated = 4,
}

impl Verdict {
    /// The verdict as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Allow => "allow",
            Self::ExplicitDeny => "explicit-deny",
            Self::ImplicitDeny => "implicit-deny",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// What a write did to the versions of what it is about. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Effect {
    /// It is about something else: a setting, a part of an upload.
    Nothing = 0,
    /// It made one.
    Made = 1,
    /// It deleted one, or what there was.
    Deleted = 2,
}

impl Effect {
    /// The effect as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Made => "made",
            Self::Deleted => "deleted",
        }
    }
}
