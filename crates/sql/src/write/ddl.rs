//! Schemas and tables made and dropped.
//!
//! Invariant: each is decided as the Iceberg door decides the same, and is one commit of the catalog.

use std::sync::Arc;

use craton_base::{BucketName, Error, Kind, Result};
use craton_gate::{
    Ask,
    tables::{LABELS_PROPERTY, catalog},
};
use craton_tables::{CreateTable as Wanted, Loaded, Namespace, TableName, What, namespaces};
use datafusion::{
    execution::SessionState,
    sql::sqlparser::ast::{CreateTable, ObjectName, ObjectType, SchemaName, Statement as Sql},
};
use serde_json::{Map, Value as Json, json};

use super::{
    definition::{Ids, partitions, properties, property},
    names::{self, invalid},
    target::ask_about,
};
use crate::{context::Context, iceberg::types::not_yet};

/// An ask about the catalog of a bucket.
fn asking(
    (operation, action): (&'static str, &'static str),
    bucket: &BucketName,
    namespace: &Namespace,
) -> Ask {
    Ask::new(operation, action, catalog(bucket.clone())).with("s3tables:namespace", namespace.text())
}

/// `CREATE SCHEMA`.
pub(super) async fn create_schema(
    context: &Arc<Context>,
    state: &SessionState,
    statement: &Sql,
) -> Result<()> {
    let Sql::CreateSchema {
        schema_name: SchemaName::Simple(name),
        if_not_exists,
        with,
        ..
    } = statement
    else {
        return Err(not_yet("a schema with an owner"));
    };
    let (bucket, namespace) = names::namespace(state, name)?;
    let with = with.iter().flatten().map(|option| {
        let (name, value) = property(option)?;
        Ok((name, value.as_str().unwrap_or_default().to_owned()))
    });
    let properties = with.collect::<Result<namespaces::Properties>>()?;
    let ask = asking(
        ("CreateNamespace", "s3tables:CreateNamespace"),
        &bucket,
        &namespace,
    );
    let here = context.clone();
    let create = async move {
        let permit = here.gate.write(&here.session, ask).await?;
        let made = namespaces::create(&permit, &namespace, &properties).await;
        made.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    };
    unless(
        *if_not_exists,
        Kind::Exists,
        context.files.at_the_doors(create).await,
    )
}

/// What is done already is no error, if the statement says so.
fn unless(so: bool, kind: Kind, done: Result<()>) -> Result<()> {
    done.or_else(|e| if so && e.kind() == kind { Ok(()) } else { Err(e) })
}

/// `DROP TABLE` and `DROP SCHEMA`.
pub(super) async fn drop_named(context: &Arc<Context>, state: &SessionState, statement: &Sql) -> Result<()> {
    let Sql::Drop {
        object_type,
        if_exists,
        names,
        cascade,
        purge,
        ..
    } = statement
    else {
        return Err(Error::internal("a statement that drops is none"));
    };
    let [name] = names.as_slice() else {
        return Err(not_yet("dropping several at once"));
    };
    if *cascade || *purge {
        return Err(not_yet("CASCADE and PURGE"));
    }
    let done = match object_type {
        ObjectType::Table => drop_table(context, names::table(state, name)?).await,
        ObjectType::Schema => drop_schema(context, state, name).await,
        other => return Err(not_yet(format!("DROP {other}"))),
    };
    unless(*if_exists, Kind::NotFound, done)
}

async fn drop_table(context: &Arc<Context>, (bucket, name): (BucketName, TableName)) -> Result<()> {
    let path = context.gate.table_named(&bucket, &name.row())?;
    let ask = ask_about(("DropTable", "s3tables:DeleteTable"), path, &name);
    let here = context.clone();
    let done = async move {
        let permit = here.gate.write(&here.session, ask).await?;
        let done = here.tables.drop(&permit, (&name, What::Table)).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    };
    context.files.at_the_doors(done).await
}

async fn drop_schema(context: &Arc<Context>, state: &SessionState, name: &ObjectName) -> Result<()> {
    let (bucket, namespace) = names::namespace(state, name)?;
    let ask = asking(("DropNamespace", "s3tables:DeleteNamespace"), &bucket, &namespace);
    let here = context.clone();
    let done = async move {
        let permit = here.gate.write(&here.session, ask).await?;
        let done = namespaces::delete(&permit, &namespace).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    };
    context.files.at_the_doors(done).await
}

/// Refuses what a new table can not have.
fn plain(create: &CreateTable) -> Result<()> {
    let odd = [
        (create.or_replace, "OR REPLACE"),
        (create.temporary, "a temporary table"),
        (
            create.external || create.location.is_some(),
            "an external table: a table's files lie in its own folder",
        ),
        (!create.constraints.is_empty(), "constraints of a table"),
        (create.like.is_some() || create.clone.is_some(), "LIKE and CLONE"),
        (
            create.order_by.is_some() || create.primary_key.is_some(),
            "ORDER BY and PRIMARY KEY of a table",
        ),
        (
            create.cluster_by.is_some() || create.clustered_by.is_some(),
            "CLUSTER BY",
        ),
    ];
    match odd.into_iter().find(|(is, _)| *is) {
        Some((_, what)) => Err(not_yet(what)),
        None => Ok(()),
    }
}

/// A table as the statement wants it; its columns are those of a query where there is one.
pub(super) fn wanted(
    state: &SessionState,
    create: &CreateTable,
    of_query: Option<Json>,
) -> Result<(BucketName, Wanted)> {
    plain(create)?;
    let (bucket, name) = names::table(state, &create.name)?;
    let schema = match of_query {
        Some(schema) if create.columns.is_empty() => schema,
        Some(_) => return Err(not_yet("columns besides those of the query")),
        None if create.columns.is_empty() => return Err(invalid("a table has columns")),
        None => {
            let mut ids = Ids(0);
            let fields = create.columns.iter().map(|column| ids.column(column));
            json!({ "type": "struct", "schema-id": 0, "fields": fields.collect::<Result<Vec<_>>>()? })
        }
    };
    let spec = create
        .partition_by
        .as_ref()
        .map(|by| partitions(by, &schema))
        .transpose()?;
    let wanted = Wanted {
        name,
        location: None,
        schema,
        partition_spec: spec,
        write_order: None,
        properties: table_properties(create)?,
    };
    Ok((bucket, wanted))
}

/// The properties that a statement gives a new table.
pub(super) fn table_properties(create: &CreateTable) -> Result<Map<String, Json>> {
    properties(&create.table_options)
}

/// Makes a table, or stages one whose first commit makes it.
pub(super) async fn create(
    context: &Arc<Context>,
    bucket: BucketName,
    wanted: Wanted,
    staged: bool,
) -> Result<Loaded> {
    let mut ask = asking(
        ("CreateTable", "s3tables:CreateTable"),
        &bucket,
        &wanted.name.namespace,
    )
    .with("s3tables:tableName", wanted.name.name());
    if wanted.properties.contains_key(LABELS_PROPERTY) {
        ask = ask.and_action("s3tables:TagResource");
    }
    let here = context.clone();
    let create = async move {
        let permit = here.gate.write(&here.session, ask).await?;
        let made = here.tables.create(&permit, &wanted, staged).await;
        made.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    };
    context.files.at_the_doors(create).await
}

/// `CREATE TABLE` without a query.
pub(super) async fn create_table(
    context: &Arc<Context>,
    state: &SessionState,
    statement: &CreateTable,
) -> Result<()> {
    let (bucket, wanted) = wanted(state, statement, None)?;
    let done = create(context, bucket, wanted, false).await.map(drop);
    unless(statement.if_not_exists, Kind::Exists, done)
}
