//! Records of the ledger, sessions, policies.

use std::sync::Arc;

use craton_base::{Kind, Result};
use craton_gate::ledger::{Entry, Filter};
use datafusion::arrow::array::RecordBatch;
use futures::{StreamExt as _, stream};

use super::{Pages, Table, flags, numbers, page, texts, times};
use crate::context::Context;

/// Sessions and policies of a page.
const PAGE: usize = 1000;

/// The ledger's records, newest first.
pub(super) fn access(context: Arc<Context>) -> Pages {
    stream::try_unfold(Some(None), move |at| access_page(context.clone(), at)).boxed()
}

/// A page, and after what the next one begins, if there is one.
type Page<T> = Option<(RecordBatch, Option<Option<T>>)>;

async fn access_page(context: Arc<Context>, at: Option<Option<u64>>) -> Result<Page<u64>> {
    let Some(after) = at else { return Ok(None) };
    let (gate, session) = (context.gate.clone(), context.session.clone());
    let filter = Filter {
        after,
        ..Filter::default()
    };
    let listed = async move { gate.audit_list(&session, filter).await };
    let listed = context.files.at_the_doors(listed).await?;
    Ok(Some((records(&listed.entries)?, listed.next.map(Some))))
}

/// A record whose subject was erased has an id and a time.
fn records(entries: &[Entry]) -> Result<RecordBatch> {
    type Part = fn(&craton_gate::ledger::Record) -> String;
    let parts: [Part; 17] = [
        |r| r.kind().as_str().to_owned(),
        |r| r.principal.clone(),
        |r| r.chain.join(" "),
        |r| r.access_key_id.clone(),
        |r| r.session.clone(),
        |r| r.run.clone(),
        |r| r.source_ip.clone(),
        |r| r.door.clone(),
        |r| r.operation.clone(),
        |r| r.action.clone(),
        |r| r.resource.clone(),
        |r| r.bucket.clone(),
        |r| r.verdict().as_str().to_owned(),
        |r| r.statements.join(" "),
        |r| r.result.clone(),
        |r| r.reason.clone(),
        |r| r.request_id.clone(),
    ];
    let mut columns = vec![
        texts(entries, |e| e.id.to_string()),
        times(entries, |e| e.time_micros),
    ];
    columns.extend(parts.map(|part| texts(entries, |e| e.record.as_ref().map(part).unwrap_or_default())));
    columns.push(numbers(entries, |e| e.record.as_ref().map_or(0, |r| r.bytes)));
    page(Table::Access, columns)
}

/// Sessions that have not expired.
pub(super) fn sessions(context: Arc<Context>) -> Pages {
    stream::try_unfold(Some(None), move |at| sessions_page(context.clone(), at)).boxed()
}

async fn sessions_page(context: Arc<Context>, at: Option<Option<String>>) -> Result<Page<String>> {
    let Some(after) = at else { return Ok(None) };
    let (gate, session) = (context.gate.clone(), context.session.clone());
    let listed = async move { gate.list_sessions(&session, after.as_deref(), PAGE).await };
    let (found, more) = context.files.at_the_doors(listed).await?;
    let next = found.last().filter(|_| more).map(|last| Some(last.id.clone()));
    let columns = vec![
        texts(&found, |s| s.id.clone()),
        texts(&found, |s| s.principal.clone()),
        texts(&found, |s| s.session_name.clone()),
        texts(&found, |s| s.chain.join(" ")),
        texts(&found, |s| s.purpose.clone()),
        texts(&found, |s| s.run.clone()),
        times(&found, |s| s.issued.micros()),
        times(&found, |s| s.expires.micros()),
        flags(&found, |s| s.revoked),
    ];
    Ok(Some((page(Table::Sessions, columns)?, next)))
}

/// A policy as a row.
struct Policy {
    kind: &'static str,
    name: String,
    document: String,
    set_by: String,
    micros: u64,
}

/// Guard policies, then managed ones: of both kinds those that one may list.
pub(super) fn policies(context: Arc<Context>) -> Pages {
    stream::once(policies_page(context)).boxed()
}

async fn policies_page(context: Arc<Context>) -> Result<RecordBatch> {
    let (gate, session) = (context.gate.clone(), context.session.clone());
    let listed = async move {
        let guards = gate.list_guard_policies(&session).await;
        let managed = gate.list_policies(&session, None, PAGE, (true, true)).await;
        Ok((guards, managed))
    };
    let (guards, managed) = context.files.at_the_doors(listed).await?;
    let is_denied = |e: &craton_base::Error| e.kind() == Kind::Denied;
    let mut out: Vec<Policy> = Vec::new();
    let (guards, managed) = match (guards, managed) {
        (Err(guards), Err(managed)) if is_denied(&guards) && is_denied(&managed) => return Err(guards),
        (guards, managed) => (
            or_none(guards)?.unwrap_or_default(),
            or_none(managed)?.map_or_else(Vec::new, |(list, _)| list),
        ),
    };
    out.extend(guards.into_iter().map(|guard| Policy {
        kind: "guard",
        name: guard.name,
        document: guard.text,
        set_by: guard.set_by,
        micros: guard.set.micros(),
    }));
    // Who may list managed policies may not read them yet.
    out.extend(managed.into_iter().map(|policy| Policy {
        kind: "managed",
        name: policy.name,
        document: String::new(),
        set_by: String::new(),
        micros: policy.updated.micros(),
    }));
    let columns = vec![
        texts(&out, |p| p.kind.to_owned()),
        texts(&out, |p| p.name.clone()),
        texts(&out, |p| p.document.clone()),
        texts(&out, |p| p.set_by.clone()),
        times(&out, |p| p.micros),
    ];
    page(Table::Policies, columns)
}

/// What was listed; `None` if that is denied.
fn or_none<T>(listed: Result<T>) -> Result<Option<T>> {
    match listed {
        Err(error) if error.kind() == Kind::Denied => Ok(None),
        listed => listed.map(Some),
    }
}
