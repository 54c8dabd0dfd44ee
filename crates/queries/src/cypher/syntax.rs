//! A query as it is written.
//!
//! Deliberately absent: what it means.

/// Clauses in their order; the last is the `RETURN`.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) clauses: Vec<Clause>,
}

#[derive(Clone, Debug)]
pub(super) enum Clause {
    Match {
        optional: bool,
        patterns: Vec<Pattern>,
        condition: Option<Expression>,
    },
    /// `WITH` or `RETURN`.
    Return(Return),
}

#[derive(Clone, Debug)]
pub(super) struct Return {
    pub(super) distinct: bool,
    /// All that is known, where it is `*`.
    pub(super) all: bool,
    pub(super) items: Vec<(String, Expression)>,
    pub(super) order: Vec<(Expression, bool)>,
    pub(super) skip: u64,
    pub(super) limit: Option<u64>,
    /// Of a `WITH`.
    pub(super) condition: Option<Expression>,
}

/// A node, and edges to further ones.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) first: Node,
    pub(super) steps: Vec<(Edge, Node)>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) properties: Vec<(String, Expression)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Right,
    Left,
    Either,
}

#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) name: Option<String>,
    pub(super) types: Vec<String>,
    pub(super) direction: Direction,
    /// The least and the greatest number of edges, if it is a walk.
    pub(super) length: Option<(u32, Option<u32>)>,
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
    /// A name, and where it stands.
    Name(String, usize),
    /// A key of what is named, and where that stands.
    Property(String, String, usize),
    List(Vec<Expression>),
    /// An operator or a function, by its name in small letters.
    Call {
        name: String,
        distinct: bool,
        parts: Vec<Expression>,
    },
    /// `count(*)`.
    CountAll,
    /// Conditions with their values, and the value if none holds.
    Case(Vec<(Expression, Expression)>, Box<Expression>),
    Exists(Vec<Pattern>, Option<Box<Expression>>),
}
