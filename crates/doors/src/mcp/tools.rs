//! The tools: their names, what they are told to be for, what they take.
//!
//! Deliberately absent: what they do (`find`, `look`, `rows`, `change`).

use serde_json::{Value, json};

use super::{
    change, find,
    inside::{Call, Outcome},
    look,
    message::{complete, fresh},
    rows,
};

/// A tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    Find,
    Describe,
    Sample,
    Sql,
    GraphQuery,
    GraphProgram,
    Put,
    Lease,
    Explain,
}

const ALL: [Name; 9] = [
    Name::Find,
    Name::Describe,
    Name::Sample,
    Name::Sql,
    Name::GraphQuery,
    Name::GraphProgram,
    Name::Put,
    Name::Lease,
    Name::Explain,
];

impl Name {
    pub(super) fn of(text: &str) -> Option<Self> {
        ALL.into_iter().find(|name| name.as_str() == text)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Describe => "describe",
            Self::Sample => "sample",
            Self::Sql => "sql",
            Self::GraphQuery => "graph_query",
            Self::GraphProgram => "graph_program",
            Self::Put => "put",
            Self::Lease => "lease",
            Self::Explain => "explain",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Find => {
                "Find data. Without `bucket`: the buckets. In a bucket: its objects (with the folders at `prefix`), tables or graphs. \
                 `contains` looks for a text in names, in folders too. `next` in the answer is the `cursor` of the next page."
            }
            Self::Describe => {
                "What one object (`key`), table (`table`: NAMESPACE.TABLE) or graph is: size, schema, when it was changed, labels, \
                 lineage (the runs that made its newest version and what they had read, the runs that read it and what they made). No content."
            }
            Self::Sample => {
                "Some content of one object (its first bytes), table (rows) or graph (facts, those under `prefix`). `next` is the `cursor` of what follows."
            }
            Self::Sql => {
                "Run one SQL statement over Iceberg tables, named bucket.namespace.table. Answers `rows` rows; for those that follow say the \
                 `cursor` again with the same statement, which should have an ORDER BY then. Add a LIMIT where few rows are wanted."
            }
            Self::GraphQuery => {
                "Ask a graph: patterns and templates, as in `(, (parent $x $y) (parent $y $z)) (, (grandparent $x $z))`. Variables begin with $."
            }
            Self::GraphProgram => {
                "Add facts to a graph and run them, in one commit: `exec` facts, `(exec 0 (, patterns) (, templates))`, or with `rules` rule \
                 facts, `(rule name (, patterns) (, templates))`, until nothing more follows."
            }
            Self::Put => {
                "Write an object of at most some 700 KB. `new`: only if nothing is there; `etag`: only if this is there still. Replaces what is there otherwise."
            }
            Self::Lease => {
                "Keep others from writing: `acquire` paths (each a bucket and of it one of key, prefix, table, graph; mode exclusive or shared), \
                 `renew` or `release` a lease by its id. Writes under it name it as `lease`."
            }
            Self::Explain => {
                "Why a call was denied, by the `decision` that its error names; or whether this session may do an `action` (s3:GetObject) on a \
                 `resource` (arn:aws:s3:::bucket/key), and what it lacks."
            }
        }
    }

    /// What it takes: the names, which of them it needs.
    fn schema(self) -> (Value, &'static [&'static str]) {
        let text = |about: &str| json!({ "type": "string", "description": about });
        let number = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
        let cursor = text("the `next` of the answer before");
        let (bucket, lease) = (text("a bucket's name"), text("the id of a lease that is held"));
        let (rows, seconds) = (number(1, 500), number(1, 300));
        let (table, graph) = (text("NAMESPACE.TABLE"), text("a graph's name"));
        let prefix = text("what names, or facts, begin with");
        match self {
            Self::Find => (
                json!({ "bucket": bucket, "kind": { "type": "string", "enum": ["objects", "tables", "graphs"] }, "prefix": prefix,
                        "contains": text("a text in the name"), "cursor": cursor }),
                &[],
            ),
            Self::Describe => (
                json!({ "bucket": bucket, "key": text("an object's key"), "table": table, "graph": graph }),
                &["bucket"],
            ),
            Self::Sample => (
                json!({ "bucket": bucket, "key": text("an object's key"), "table": table, "graph": graph, "prefix": prefix,
                        "rows": rows, "cursor": cursor }),
                &["bucket"],
            ),
            Self::Sql => (
                json!({ "statement": text("SQL"), "bucket": text("the bucket of names that have none"),
                        "namespace": text("the namespace of names that have none"), "rows": rows, "cursor": cursor,
                        "seconds": seconds, "lease": lease }),
                &["statement"],
            ),
            Self::GraphQuery => (
                json!({ "bucket": bucket, "graph": graph, "query": text("patterns and templates"), "prefix": prefix,
                        "snapshot": text("a commit's number, or a pinned snapshot's name"), "rows": rows, "cursor": cursor,
                        "seconds": seconds }),
                &["bucket", "graph", "query"],
            ),
            Self::GraphProgram => (
                json!({ "bucket": bucket, "graph": graph, "program": text("facts"), "rules": { "type": "boolean" }, "prefix": prefix,
                        "seconds": seconds, "lease": lease }),
                &["bucket", "graph", "program"],
            ),
            Self::Put => (
                json!({ "bucket": bucket, "key": text("an object's key"), "text": text("the content, as text"),
                        "base64": text("or in base64"), "content_type": text("a media type"), "new": { "type": "boolean" },
                        "etag": text("an etag"), "lease": lease }),
                &["bucket", "key"],
            ),
            Self::Lease => (lease_schema(), &["action"]),
            Self::Explain => (
                json!({ "decision": text("a decision's id"), "action": text("an action"), "resource": text("an ARN") }),
                &[],
            ),
        }
    }

    /// Whether it only reads, and whether it can take something away.
    const fn is(self) -> (bool, bool) {
        match self {
            Self::Find | Self::Describe | Self::Sample | Self::GraphQuery | Self::Explain => (true, false),
            Self::Lease => (false, false),
            Self::Sql | Self::GraphProgram | Self::Put => (false, true),
        }
    }
}

fn lease_schema() -> Value {
    let text = json!({ "type": "string" });
    let path = json!({
        "type": "object",
        "properties": { "bucket": text, "key": text, "prefix": text, "table": text, "graph": text, "facts": text,
                        "mode": { "type": "string", "enum": ["exclusive", "shared"] } },
        "required": ["bucket", "mode"],
        "additionalProperties": false,
    });
    json!({
        "action": { "type": "string", "enum": ["acquire", "renew", "release"] },
        "paths": { "type": "array", "items": path, "maxItems": 16 },
        "lease": text,
        "seconds": { "type": "integer", "minimum": 1, "maximum": 86400 },
        "purpose": text,
    })
}

fn tool(name: Name) -> Value {
    let (properties, required) = name.schema();
    let (reads, takes_away) = name.is();
    json!({
        "name": name.as_str(),
        "description": name.about(),
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": reads, "destructiveHint": takes_away, "openWorldHint": false },
    })
}

/// The answer to `tools/list`.
pub(super) fn listed(is_modern: bool) -> Value {
    let mut told = json!({ "tools": ALL.map(tool) });
    if is_modern {
        complete(&mut told);
        fresh(&mut told);
    }
    told
}

/// Does what a call asks.
pub(super) async fn run(name: Name, call: &Call<'_>) -> Outcome {
    match name {
        Name::Find => find::find(call).await,
        Name::Describe => look::describe(call).await,
        Name::Sample => look::sample(call).await,
        Name::Sql => rows::sql(call).await,
        Name::GraphQuery => rows::graph_query(call).await,
        Name::GraphProgram => rows::graph_program(call).await,
        Name::Put => change::put(call).await,
        Name::Lease => change::lease(call).await,
        Name::Explain => change::explain(call).await,
    }
}
