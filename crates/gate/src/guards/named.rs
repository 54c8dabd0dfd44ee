//! What guard policies name, and what there is: names that nothing has are reported, and what there is is shown with the schema.
//!
//! A policy may name what is not there yet, or not any more: it stays, and says nothing until there is something of that name. But a
//! column of a table that has no such column is refused when the policy is written, since that is a slip of the pen; one that goes
//! later is reported by [`Gate::check_guards`], and the policy still holds, for files that were written before have the column still.
//!
//! Deliberately absent: whether a policy is well-formed (`craton-guard`).

use std::collections::BTreeSet;

use craton_base::{
    BranchId, BucketId, BucketName, Error, FactPath, GraphName, Kind as ErrorKind, ResourcePath, Result,
    Sequence,
};
use craton_guard::Document;
use craton_store::namespace::{Direction, Key, Kind, Span};

use crate::{
    answers::lint::Finding,
    ask::Ask,
    bucket::BucketInfo,
    configuration::state::BucketState,
    directory::{ANONYMOUS, HolderKind, ROOT, holder_key, session_key},
    gate::{Gate, Inner},
    session::Session,
    tables::{self, NameRow, TableRow, name_row, namespace_row},
};

/// The most lines of what there is.
const SHOWN_MAX: usize = 1000;

/// What is not there of what a policy names.
enum Missing {
    /// Nothing has the name.
    Nothing(&'static str),
    /// The table is there, and has no such column.
    Column,
}

impl Gate {
    /// What all guard policies in force name that is not there.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn check_guards(&self, session: &Session) -> Result<Vec<Finding>> {
        let ask = Ask::new(
            "CheckPolicy",
            "craton:GetGuardPolicy",
            ResourcePath::System("guard".into()),
        );
        let _permit = self.read(session, ask).await?;
        self.blocking(|gate| {
            let state = gate.inner.guards.state();
            let documents = state.rules.documents().iter();
            let found: Vec<Vec<Finding>> = documents
                .map(|document| gate.inner.named_in_vain(document))
                .collect::<Result<_>>()?;
            Ok(found.concat())
        })
        .await
    }
}

impl Inner {
    /// What a document's policies name that is not there.
    pub(crate) fn named_in_vain(&self, document: &Document) -> Result<Vec<Finding>> {
        let mut out = Vec::new();
        for (policy, entity, id) in document.names() {
            let (code, message) = match self.missing(&entity, id)? {
                None => continue,
                Some(Missing::Nothing(what)) => ("not-there", format!("there is no {what} {id:?} now")),
                Some(Missing::Column) => (
                    "column-gone",
                    format!("the table has no column {id:?} now; files that were written before may"),
                ),
            };
            out.push(Finding {
                statement: policy.to_owned(),
                code,
                message,
            });
        }
        Ok(out)
    }

    /// Refuses a column that its table has not, unless a document in force names it already.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`; the store's own.
    pub(crate) fn refuse_unknown_columns(&self, document: &Document) -> Result<()> {
        let state = self.guards.state();
        let before = state.rules.documents().iter().flat_map(|d| d.names());
        let known: BTreeSet<&str> = before.map(|(_, _, id)| id).collect();
        for (policy, entity, id) in document.names() {
            if let Some(Missing::Column) = self.missing(&entity, id)?
                && !known.contains(id)
            {
                let text = format!("{policy}: the table has no column {id:?}");
                return Err(Error::new(ErrorKind::Invalid, "MalformedPolicyDocument", text));
            }
        }
        Ok(())
    }

    fn missing(&self, entity: &str, id: &str) -> Result<Option<Missing>> {
        let nothing = |what, is_there: bool| (!is_there).then_some(Missing::Nothing(what));
        let there = |key: &Key| Ok::<_, Error>(self.store.get(key, Sequence::MAX)?.is_some());
        Ok(match entity {
            "User" => nothing("user", self.is_principal(HolderKind::User, id)?),
            "Role" => nothing("role", self.is_principal(HolderKind::Role, id)?),
            "Group" => nothing("group", there(&holder_key(HolderKind::Group, id))?),
            "Agent" => match id.strip_prefix("role/") {
                Some(role) => nothing("role", self.is_principal(HolderKind::Role, role)?),
                None => nothing("user", self.is_principal(HolderKind::User, id)?),
            },
            "Session" => nothing("session", there(&session_key(id))?),
            "Bucket" | "Prefix" | "Object" | "Namespace" | "Table" | "Column" | "Graph" | "GraphPrefix" => {
                let (bucket, rest) = id.split_once('/').unwrap_or((id, ""));
                match self.named_bucket(bucket)? {
                    None => Some(Missing::Nothing("bucket of")),
                    Some(bucket) => self.missing_in(&bucket, entity, rest)?,
                }
            }
            _ => None,
        })
    }

    fn is_principal(&self, kind: HolderKind, name: &str) -> Result<bool> {
        let is_built_in = kind == HolderKind::User && matches!(name, ROOT | ANONYMOUS);
        Ok(is_built_in || self.store.get(&holder_key(kind, name), Sequence::MAX)?.is_some())
    }

    fn named_bucket(&self, name: &str) -> Result<Option<std::sync::Arc<BucketState>>> {
        BucketName::new(name).map_or(Ok(None), |name| self.bucket(&name))
    }

    fn missing_in(&self, bucket: &BucketState, entity: &str, rest: &str) -> Result<Option<Missing>> {
        let nothing = |what, is_there: bool| (!is_there).then_some(Missing::Nothing(what));
        let get = |kind, name: Vec<u8>| {
            self.store
                .get(&in_bucket(&bucket.info, kind, name), Sequence::MAX)
        };
        let levels = |namespace: &str| namespace.split('.').map(str::to_owned).collect::<Vec<_>>();
        let mut parts = rest.splitn(3, '/');
        let [namespace, table, column] =
            [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
        Ok(match entity {
            "Graph" | "GraphPrefix" => {
                let name = namespace.as_bytes().to_vec();
                nothing("graph", get(Kind::Graph, name)?.is_some())
            }
            "Namespace" => {
                let row = namespace_row(&levels(namespace));
                nothing("namespace", get(Kind::TableNamespace, row)?.is_some())
            }
            "Table" | "Column" => {
                let row = get(Kind::TableName, name_row(&levels(namespace), table))?;
                let Some(row) = row.map(|r| NameRow::read(&r.value.meta)).transpose()? else {
                    return Ok(Some(Missing::Nothing("table")));
                };
                let has = entity == "Table" || self.has_column(bucket, &row.id, column)?;
                (!has).then_some(Missing::Column)
            }
            _ => None,
        })
    }

    /// Whether a table has a column in its newest schema or an earlier one.
    fn has_column(&self, bucket: &BucketState, id: &str, column: &str) -> Result<bool> {
        let row = self.table_row(Some(bucket), id)?.unwrap_or_default();
        Ok(tables::columns(&row).iter().any(|c| c.name == column))
    }

    /// What there is that policies can name and that `session` may know of, as remarks below the schema.
    pub(crate) fn what_there_is(&self, session: &Session) -> Result<String> {
        let mut lines = vec!["// What there is now:".to_owned()];
        for (kind, stored_kind, entity, action) in [
            (HolderKind::User, Kind::User, "User", "iam:GetUser"),
            (HolderKind::Group, Kind::Group, "Group", "iam:GetGroup"),
            (HolderKind::Role, Kind::Role, "Role", "iam:GetRole"),
        ] {
            for row in self.names_of(BucketId::SYSTEM, stored_kind)? {
                let record = crate::directory::EntityRecord::from_stored(&row)?;
                let path = ResourcePath::System(format!("{}s/{}", kind.word(), record.name));
                if self.would_allow(session, &[action], &path) {
                    lines.push(format!("// {entity}::{:?}", record.name));
                }
            }
        }
        for info in self.list_buckets(None, self.store.latest(), SHOWN_MAX)? {
            if lines.len() > SHOWN_MAX {
                break;
            }
            self.what_is_in(session, &info, &mut lines)?;
        }
        if lines.len() > SHOWN_MAX {
            lines.truncate(SHOWN_MAX);
            lines.push("// … and more".to_owned());
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }

    fn what_is_in(&self, session: &Session, info: &BucketInfo, lines: &mut Vec<String>) -> Result<()> {
        let bucket = &info.name;
        let path = ResourcePath::Bucket(bucket.clone());
        if self.would_allow(session, &["s3:ListBucket"], &path) {
            lines.push(format!("// Bucket::{:?}", bucket.as_str()));
        }
        for row in self.names_of(info.id, Kind::Graph)? {
            let Some(graph) = std::str::from_utf8(&row.key.name)
                .ok()
                .and_then(|n| GraphName::new(n).ok())
            else {
                continue;
            };
            let path = ResourcePath::Facts(bucket.clone(), FactPath::whole(graph.clone()));
            if self.would_allow(session, &["craton:ReadGraph"], &path) {
                let labels = self
                    .bucket(bucket)?
                    .map(|b| b.access.graph_labels(&path).to_vec());
                let labels = labels_text(&labels.unwrap_or_default());
                lines.push(format!("// Graph::{:?}{labels}", format!("{bucket}/{graph}")));
            }
        }
        for row in self.names_of(info.id, Kind::Table)? {
            let id = String::from_utf8_lossy(&row.key.name).into_owned();
            let table = TableRow::read(&row.value.meta)?;
            let path = tables::table(bucket.clone(), &id);
            if !table.dropped && self.would_allow(session, &["s3tables:GetTable"], &path) {
                let columns: Vec<String> = tables::columns(&table)
                    .iter()
                    .map(|c| format!("{:?}: {}", c.name, c.data_type))
                    .collect();
                let name = format!("{bucket}/{}/{}", table.namespace.join("."), table.name);
                let labels = labels_text(&table.labels);
                lines.push(format!(
                    "// Table::{name:?} = {{ {} }}{labels}",
                    columns.join(", ")
                ));
            }
        }
        Ok(())
    }

    fn names_of(&self, bucket: BucketId, kind: Kind) -> Result<Vec<craton_store::value::Stored>> {
        let span = Span {
            bucket,
            branch: BranchId::MAIN,
            kind,
            start: bytes::Bytes::new(),
            end: None,
        };
        let page = self
            .store
            .scan(&span, self.store.latest(), Direction::Forward, SHOWN_MAX)?;
        Ok(page.entries)
    }
}

fn labels_text(labels: &[String]) -> String {
    match labels.is_empty() {
        true => String::new(),
        false => format!(" labels {labels:?}"),
    }
}

fn in_bucket(bucket: &BucketInfo, kind: Kind, name: Vec<u8>) -> Key {
    Key {
        bucket: bucket.id,
        branch: BranchId::MAIN,
        kind,
        name: name.into(),
    }
}
