//! Objects and tables, of all buckets that one may list.

use std::sync::Arc;

use craton_base::{BucketName, Kind, ResourcePath, Result};
use craton_gate::{Ask, ReadPermit, tables::catalog};
use craton_objects::{
    bucket,
    list::{After, Listing, PAGE_KEYS_MAX, list},
};
use craton_tables::{NAMES_PAGE_MAX, Namespace, What, namespaces};
use datafusion::arrow::array::RecordBatch;
use futures::{StreamExt as _, stream};

use super::{Pages, Table, numbers, page, texts, times};
use crate::context::Context;

/// The most buckets that are gone through.
const BUCKETS_MAX: usize = 10_000;

/// The most namespaces of a bucket that are gone through.
const NAMESPACES_MAX: usize = 100_000;

/// The buckets in which one may do something.
async fn buckets(context: &Arc<Context>, action: &'static str) -> Result<Vec<BucketName>> {
    let here = context.clone();
    let found = async move {
        let ask = Ask::new("ListBuckets", "s3:ListAllMyBuckets", ResourcePath::Root);
        let permit = here.gate.read(&here.session, ask).await?;
        let wanted = bucket::Wanted {
            prefix: "",
            region: None,
        };
        let all = bucket::list(&permit, wanted, None, BUCKETS_MAX).map_err(|e| e.to_base())?;
        let names = all.buckets.into_iter().map(|bucket| bucket.name);
        let about = |name: &BucketName| match action.starts_with("s3tables:") {
            true => catalog(name.clone()),
            false => ResourcePath::Objects(name.clone(), String::new()),
        };
        Ok(names.filter(|name| permit.also(action, &about(name))).collect())
    };
    context.files.at_the_doors(found).await
}

/// Buckets, the last first; one that is begun has a permit and a place.
struct Objects {
    buckets: Vec<BucketName>,
    begun: Option<(Arc<ReadPermit>, BucketName, Option<After>)>,
}

/// The current versions of objects.
pub(super) fn objects(context: Arc<Context>) -> Pages {
    stream::try_unfold(None, move |at| objects_page(context.clone(), at)).boxed()
}

async fn objects_page(
    context: Arc<Context>,
    at: Option<Objects>,
) -> Result<Option<(RecordBatch, Option<Objects>)>> {
    let mut at = match at {
        Some(at) => at,
        None => {
            let mut buckets = buckets(&context, "s3:ListBucket").await?;
            buckets.reverse();
            Objects { buckets, begun: None }
        }
    };
    Ok(at.next(&context).await?.map(|rows| (rows, Some(at))))
}

impl Objects {
    async fn next(&mut self, context: &Arc<Context>) -> Result<Option<RecordBatch>> {
        let (permit, name, after) = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let Some(name) = self.buckets.pop() else {
                    return Ok(None);
                };
                let (here, path) = (
                    context.clone(),
                    ResourcePath::Objects(name.clone(), String::new()),
                );
                let permit = async move {
                    let ask = Ask::new("ListObjectsV2", "s3:ListBucket", path);
                    here.gate.read(&here.session, ask).await.map(Arc::new)
                };
                (context.files.at_the_doors(permit).await?, name, None)
            }
        };
        let here = permit.clone();
        let listed = async move {
            let listing = Listing {
                after,
                limit: PAGE_KEYS_MAX,
                ..Listing::default()
            };
            list(&here, &listing).await.map_err(|e| e.to_base())
        };
        let found = context.files.at_the_doors(listed).await?;
        let objects = &found.entries;
        let columns = vec![
            texts(objects, |_| name.to_string()),
            texts(objects, |o| o.key.clone()),
            texts(objects, |o| o.meta.owner.clone()),
            numbers(objects, |o| o.meta.size),
            times(objects, |o| o.meta.modified_micros),
        ];
        let rows = page(Table::Objects, columns)?;
        self.begun = found.next.map(|after| (permit, name, Some(after)));
        Ok(Some(rows))
    }
}

/// Tables and views.
pub(super) fn tables(context: Arc<Context>) -> Pages {
    let begin = {
        let context = context.clone();
        async move { buckets(&context, "s3tables:ListNamespaces").await }
    };
    let rows = stream::once(begin).flat_map(move |buckets| match buckets {
        Err(error) => stream::iter(vec![Err(error)]).boxed(),
        Ok(buckets) => {
            let context = context.clone();
            let each = move |name| {
                let context = context.clone();
                async move { tables_of(&context, name).await }
            };
            stream::iter(buckets).then(each).boxed()
        }
    });
    rows.boxed()
}

/// The tables and views of a bucket, of namespaces that one may list.
async fn tables_of(context: &Arc<Context>, bucket: BucketName) -> Result<RecordBatch> {
    let (here, name) = (context.clone(), bucket.clone());
    let found = async move {
        let mut out = Vec::new();
        let mut to_do: Vec<Option<Namespace>> = vec![None];
        let mut seen = 0usize;
        while let Some(parent) = to_do.pop() {
            seen = seen.saturating_add(1);
            if seen > NAMESPACES_MAX {
                break;
            }
            let mut ask = Ask::new("ListNamespaces", "s3tables:ListNamespaces", catalog(name.clone()));
            if let Some(parent) = &parent {
                ask = ask.with("s3tables:namespace", parent.text());
                of_namespace(&here, (&name, parent), &mut out).await?;
            }
            let Some(permit) = permitted(&here, ask).await? else {
                continue;
            };
            let mut after = Some(String::new());
            while let Some(place) = after {
                let names = namespaces::list(&permit, parent.as_ref(), &place, NAMES_PAGE_MAX)?;
                to_do.extend(names.names.into_iter().map(Some));
                after = names.next;
            }
        }
        Ok(out)
    };
    let rows = context.files.at_the_doors(found).await?;
    let columns = vec![
        texts(&rows, |_| bucket.to_string()),
        texts(&rows, |(namespace, ..): &(String, String, &str)| {
            namespace.clone()
        }),
        texts(&rows, |(_, name, _)| name.clone()),
        texts(&rows, |(.., kind)| (*kind).to_owned()),
    ];
    page(Table::Tables, columns)
}

async fn of_namespace(
    context: &Arc<Context>,
    (bucket, namespace): (&BucketName, &Namespace),
    out: &mut Vec<(String, String, &'static str)>,
) -> Result<()> {
    for (what, operation, action, kind) in [
        (What::Table, "ListTables", "s3tables:ListTables", "table"),
        (What::View, "ListViews", "s3tables:ListViews", "view"),
    ] {
        let ask =
            Ask::new(operation, action, catalog(bucket.clone())).with("s3tables:namespace", namespace.text());
        let Some(permit) = permitted(context, ask).await? else {
            continue;
        };
        let mut after = Some(String::new());
        while let Some(place) = after {
            let names = namespaces::names_of(&permit, (namespace, what), &place, NAMES_PAGE_MAX)?;
            out.extend(names.names.into_iter().map(|name| (namespace.text(), name, kind)));
            after = names.next;
        }
    }
    Ok(())
}

/// A permit, unless it is denied.
async fn permitted(context: &Context, ask: Ask) -> Result<Option<ReadPermit>> {
    match context.gate.read(&context.session, ask).await {
        Err(error) if error.kind() == Kind::Denied => Ok(None),
        permit => permit.map(Some),
    }
}
