//! Real data as a table: made by SQL of an object, changed, read as it was, and asked the same question by two principals.

use std::io::Read as _;

use craton_base::{Error, Result};
use flate2::read::GzDecoder;
use http::Method;
use object_store::{ObjectStoreExt as _, path::Path as Key};
use serde_json::{Value, json};

use super::{BUCKET, Tour, broken, objects, point, seconds};
use crate::client::{Client, Credentials, object_error, read_text};

/// Who sees less.
const ANALYST: &str = "analyst";

/// Where the table's data is put first.
const OBJECT: &str = "tables/genes.tsv";

/// The largest data set once it is unpacked, in bytes.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// What the data set has, as `datasets/README.md` says, and how much of it is what.
const GENES: u64 = 20_728;
const PSEUDO: u64 = 304;
const ON_21: u64 = 237;

/// What both principals ask.
const QUESTION: &str =
    "SELECT count(*) AS genes, count(DISTINCT chromosome) AS chromosomes, min(symbol) AS symbol FROM genes";

/// What the analyst is left with.
const POLICY: &str = r#"
@rows("chromosome = '21'")
forbid(principal == User::"analyst", action == Action::"s3tables:GetTableData", resource == Table::"tour/biology/genes");
@mask("first 2")
forbid(principal == User::"analyst", action == Action::"s3tables:GetTableData", resource is Column)
when { resource.name == "symbol" };
"#;

pub(super) async fn run(tour: &mut Tour) -> Result<()> {
    let ((), took) = tour.timed(make(tour)).await?;
    expect(
        one(&tour.root, "SELECT count(*) AS n FROM genes").await?,
        "n",
        GENES,
    )?;
    let from = format!(
        "the table {BUCKET}.biology.genes, {GENES} rows from the object {OBJECT}, {}",
        seconds(took)
    );
    point("made", &from);
    let first = current(tour).await?;
    let gone = one(&tour.root, "DELETE FROM genes WHERE \"type\" = 'pseudo'").await?;
    expect(gone, "count", PSEUDO)?;
    let left = GENES.saturating_sub(PSEUDO);
    point(
        "changed",
        &format!("{PSEUDO} pseudogenes deleted, {left} rows are left"),
    );
    let before = format!("SELECT count(*) AS n FROM genes VERSION AS OF {first}");
    expect(one(&tour.root, &before).await?, "n", GENES)?;
    point(
        "went back",
        &format!("to the snapshot {first}: {GENES} rows, as it was"),
    );
    let analyst = restrict(tour).await?;
    point(
        "restricted",
        &format!("user {ANALYST} to the rows of chromosome 21, of symbols to two letters"),
    );
    point("asked", QUESTION);
    let all = one(&tour.root, QUESTION).await?;
    expect(all.clone(), "genes", left)?;
    answered("root", &all);
    let some = one(&analyst, QUESTION).await?;
    expect(some.clone(), "genes", ON_21)?;
    expect(some.clone(), "chromosomes", 1)?;
    answered(ANALYST, &some);
    Ok(())
}

/// Makes the table of an object.
async fn make(tour: &Tour) -> Result<()> {
    let data = objects::datasets(tour)?;
    let genes = data.iter().find(|(name, _)| name.ends_with("genes.tsv.gz"));
    let (_, packed) = genes.ok_or_else(|| broken("no data set of genes"))?;
    let mut text = Vec::new();
    let unpacked = GzDecoder::new(&**packed)
        .take(TEXT_BYTES_MAX)
        .read_to_end(&mut text);
    unpacked.map_err(|e| Error::corrupt("the data set of genes does not unpack").with_source(e))?;
    let store = tour.root.bucket(BUCKET)?;
    store
        .put(&Key::from(OBJECT), text.into())
        .await
        .map_err(object_error)?;
    one(&tour.root, "CREATE SCHEMA biology").await?;
    let table = format!(
        "CREATE TABLE genes AS SELECT CAST(gene_id AS BIGINT) AS gene_id, symbol, name, \"type\", chromosome \
         FROM 's3://{BUCKET}/{OBJECT}'"
    );
    one(&tour.root, &table).await.map(drop)
}

/// The table's current snapshot, as its catalog says.
async fn current(tour: &Tour) -> Result<i64> {
    let path = format!("{BUCKET}/namespaces/biology/tables/genes");
    let loaded = tour.root.iceberg(&path).await?;
    let metadata = loaded.get("metadata");
    let id = metadata.and_then(|metadata| metadata.get("current-snapshot-id")?.as_i64());
    id.ok_or_else(|| broken("a table without a snapshot"))
}

/// Makes the analyst, who may read all tables, and the guard policy that leaves less of one.
async fn restrict(tour: &Tour) -> Result<Client> {
    let path = format!("users/{ANALYST}");
    tour.root.api(Method::PUT, &path, None).await?;
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": ["craton:RunStatement", "s3tables:GetTableMetadataLocation", "s3tables:GetTableData"],
        "Resource": "*",
    }] });
    let policies = format!("{path}/policies/reads-tables");
    tour.root.api(Method::PUT, &policies, Some(&policy)).await?;
    let text = json!({ "text": POLICY });
    tour.root
        .api(Method::PUT, "guard/policies/genes", Some(&text))
        .await?;
    let key = tour.root.api(Method::POST, &format!("{path}/keys"), None).await?;
    let field = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let credentials = Credentials {
        id: field("id").to_owned(),
        secret: field("secret").into(),
        token: None,
    };
    Client::local(&tour.endpoint, credentials)
}

/// A statement's first row, an object; empty of one that answers none.
async fn one(client: &Client, statement: &str) -> Result<Value> {
    let asked = json!({ "statement": statement, "bucket": BUCKET, "namespace": "biology" });
    let answer = read_text(client.sql(&asked).await?).await?;
    let Some(line) = answer.lines().next() else {
        return Ok(Value::Null);
    };
    serde_json::from_str(line).map_err(|e| broken("a row that is no JSON").with_source(e))
}

fn expect(row: Value, field: &str, wanted: u64) -> Result<()> {
    match row.get(field).and_then(Value::as_u64) == Some(wanted) {
        true => Ok(()),
        false => Err(broken(format!("{row}, where {field} is {wanted}"))),
    }
}

/// What somebody was answered.
fn answered(who: &str, row: &Value) {
    let field = |name: &str| row.get(name).map(ToString::to_string).unwrap_or_default();
    let (genes, chromosomes, symbol) = (field("genes"), field("chromosomes"), field("symbol"));
    point(
        who,
        &format!("{genes:>6} genes, {chromosomes:>3} chromosomes, {symbol}"),
    );
}
