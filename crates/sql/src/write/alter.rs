//! `ALTER TABLE`: columns, properties, the name.
//!
//! Invariant: ids of columns are never used again, so that what files hold of a dropped column is never read as another's.
//!
//! Source: Apache Iceberg, table specification, "Schema Evolution".

use std::sync::Arc;

use craton_base::{BucketName, Error, Kind, Result};
use craton_gate::tables::catalog;
use craton_tables::{TableName, What};
use datafusion::{
    execution::SessionState,
    sql::sqlparser::ast::{
        AlterColumnOperation, AlterTable, AlterTableOperation as Op, ColumnDef, DataType, Ident,
        MySQLColumnPosition, RenameTableNameKind,
    },
};
use serde_json::{Value as Json, json};

use super::{
    definition::{Ids, primitive_name, property},
    names::{self, invalid, plain},
    snapshot::lost,
    target::{Target, ask_about},
};
use crate::{context::Context, iceberg::types::not_yet};

/// How often a change that lost a race is tried again.
const TRIES_MAX: usize = 32;

/// `ALTER TABLE`.
pub(super) async fn alter(
    context: &Arc<Context>,
    state: &SessionState,
    statement: &AlterTable,
) -> Result<()> {
    let done = match statement.operations.as_slice() {
        [Op::RenameTable { table_name }] => rename(context, state, statement, table_name).await,
        operations => change(context, names::table(state, &statement.name)?, operations).await,
    };
    match done {
        Err(e) if statement.if_exists && e.kind() == Kind::NotFound => Ok(()),
        done => done,
    }
}

async fn rename(
    context: &Arc<Context>,
    state: &SessionState,
    statement: &AlterTable,
    to: &RenameTableNameKind,
) -> Result<()> {
    let (RenameTableNameKind::To(to) | RenameTableNameKind::As(to)) = to;
    let (bucket, from) = names::table(state, &statement.name)?;
    // A name alone is one in the same namespace.
    let (in_bucket, to) = match to.0.len() {
        1 => (
            bucket.clone(),
            TableName::new(from.namespace.clone(), &names::last(to)?)?,
        ),
        _ => names::table(state, to)?,
    };
    if in_bucket != bucket {
        return Err(invalid("a table stays in its bucket"));
    }
    let creating = ask_about(
        ("RenameTable", "s3tables:CreateTable"),
        catalog(bucket.clone()),
        &to,
    );
    let path = context.gate.table_named(&bucket, &from.row())?;
    let ask = ask_about(("RenameTable", "s3tables:RenameTable"), path, &from);
    let here = context.clone();
    let renamed = async move {
        here.gate.read(&here.session, creating).await?;
        let permit = here.gate.write(&here.session, ask).await?;
        let done = here.tables.rename(&permit, (&from, What::Table), &to).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    };
    context.files.at_the_doors(renamed).await
}

async fn change(
    context: &Arc<Context>,
    (bucket, name): (BucketName, TableName),
    operations: &[Op],
) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let target = Target::load(context.clone(), bucket.clone(), name.clone()).await?;
        let mut schema = Schema::of(&target)?;
        let mut updates = Vec::new();
        for operation in operations {
            schema.apply(operation, &mut updates)?;
        }
        let requirements = vec![
            json!({ "type": "assert-table-uuid", "uuid": target.metadata.get("table-uuid") }),
            json!({ "type": "assert-current-schema-id", "current-schema-id": target.number("current-schema-id") }),
            json!({ "type": "assert-last-assigned-field-id", "last-assigned-field-id": target.number("last-column-id") }),
            json!({ "type": "assert-default-spec-id", "default-spec-id": target.number("default-spec-id") }),
        ];
        if schema.is_changed {
            schema.check(&target)?;
            updates.push(json!({ "action": "add-schema", "schema": schema.json }));
            updates.push(json!({ "action": "set-current-schema", "schema-id": -1 }));
        }
        match target.commit(requirements, updates).await {
            Err(e) if e.reason() == "CommitFailedException" => {}
            done => return done,
        }
    }
    Err(lost())
}

/// A schema while it changes.
struct Schema {
    json: Json,
    ids: Ids,
    is_changed: bool,
}

impl Schema {
    fn of(target: &Target) -> Result<Self> {
        let mut json = target.schema_json()?.clone();
        if let Json::Object(map) = &mut json {
            map.shift_remove("schema-id");
        }
        Ok(Self {
            json,
            ids: Ids(target.number("last-column-id").unwrap_or(0)),
            is_changed: false,
        })
    }

    fn fields(&mut self) -> Result<&mut Vec<Json>> {
        self.is_changed = true;
        let fields = self.json.get_mut("fields").and_then(Json::as_array_mut);
        fields.ok_or_else(|| Error::corrupt("the table's schema has no fields"))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let fields = self.json.get("fields")?.as_array()?;
        fields
            .iter()
            .position(|field| field.get("name").and_then(Json::as_str) == Some(name))
    }

    fn column(&mut self, name: &Ident) -> Result<&mut Json> {
        let name = plain(name);
        let at = self.position(&name);
        let fields = self.fields()?;
        at.and_then(|at| fields.get_mut(at)).ok_or_else(|| no_such(&name))
    }

    fn apply(&mut self, operation: &Op, updates: &mut Vec<Json>) -> Result<()> {
        match operation {
            Op::AddColumn {
                if_not_exists,
                column_def,
                column_position,
                ..
            } => self.add(column_def, *if_not_exists, column_position.as_ref()),
            Op::DropColumn {
                column_names,
                if_exists,
                ..
            } => column_names
                .iter()
                .try_for_each(|name| self.remove(name, *if_exists)),
            Op::RenameColumn {
                old_column_name,
                new_column_name,
            } => self.rename(old_column_name, new_column_name),
            Op::AlterColumn { column_name, op } => self.alter(column_name, op),
            Op::SetTblProperties {
                table_properties: options,
            }
            | Op::SetOptionsParens { options } => {
                for option in options {
                    let (name, value) = property(option)?;
                    updates.push(match name.as_str() {
                        "format-version" => json!({ "action": "upgrade-format-version",
                            "format-version": value.as_str().and_then(|text| text.parse::<i64>().ok()) }),
                        _ => json!({ "action": "set-properties", "updates": { name: value } }),
                    });
                }
                Ok(())
            }
            other => Err(not_yet(format!("ALTER TABLE … {other}"))),
        }
    }

    fn add(&mut self, column: &ColumnDef, or_not: bool, place: Option<&MySQLColumnPosition>) -> Result<()> {
        let name = plain(&column.name);
        if self.position(&name).is_some() {
            return if or_not { Ok(()) } else { Err(taken(&name)) };
        }
        let field = self.ids.column(column)?;
        if field.get("required").and_then(Json::as_bool) == Some(true) {
            return Err(invalid(format!(
                "a new column can not be NOT NULL: there are no values of {name:?} for older rows"
            )));
        }
        let at = match place {
            None => self.fields()?.len(),
            Some(MySQLColumnPosition::First) => 0,
            Some(MySQLColumnPosition::After(other)) => {
                let other = plain(other);
                self.position(&other)
                    .ok_or_else(|| no_such(&other))?
                    .saturating_add(1)
            }
        };
        self.fields()?.insert(at, field);
        Ok(())
    }

    fn remove(&mut self, name: &Ident, or_not: bool) -> Result<()> {
        let name = plain(name);
        match self.position(&name) {
            Some(at) => {
                self.fields()?.remove(at);
                Ok(())
            }
            None if or_not => Ok(()),
            None => Err(no_such(&name)),
        }
    }

    fn rename(&mut self, from: &Ident, to: &Ident) -> Result<()> {
        let to = plain(to);
        if self.position(&to).is_some() {
            return Err(taken(&to));
        }
        set(self.column(from)?, "name", to.into());
        Ok(())
    }

    fn alter(&mut self, name: &Ident, operation: &AlterColumnOperation) -> Result<()> {
        match operation {
            AlterColumnOperation::DropNotNull => {
                set(self.column(name)?, "required", false.into());
                Ok(())
            }
            AlterColumnOperation::SetDataType {
                data_type,
                using: None,
                ..
            } => self.widen(name, data_type),
            other => Err(not_yet(format!("ALTER COLUMN … {other}"))),
        }
    }

    fn widen(&mut self, name: &Ident, kind: &DataType) -> Result<()> {
        let to = primitive_name(kind)?;
        let column = self.column(name)?;
        let from = column
            .get("type")
            .and_then(Json::as_str)
            .unwrap_or("a nested type")
            .to_owned();
        if !widens(&from, &to) {
            return Err(invalid(format!(
                "a column of type {from} can not become one of type {to}"
            )));
        }
        set(column, "type", to.into());
        Ok(())
    }

    /// Fails if what partitions and keys are made of is gone.
    fn check(&self, target: &Target) -> Result<()> {
        let fields = self
            .json
            .get("fields")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let ids: Vec<i64> = fields.filter_map(|field| field.get("id")?.as_i64()).collect();
        if ids.is_empty() {
            return Err(invalid("a table has columns"));
        }
        let spec = target.default_spec()?;
        let schema = target.schema()?;
        for field in &spec.fields {
            let was = schema
                .fields()
                .iter()
                .find(|f| crate::iceberg::types::id_of(f) == Some(field.source));
            if let Some(was) = was.filter(|_| !ids.contains(&field.source.into())) {
                return Err(invalid(format!("the table is partitioned by {:?}", was.name())));
            }
        }
        let keys = self.json.get("identifier-field-ids").and_then(Json::as_array);
        match keys
            .into_iter()
            .flatten()
            .filter_map(Json::as_i64)
            .all(|id| ids.contains(&id))
        {
            true => Ok(()),
            false => Err(invalid("the column is one of those that rows are identified by")),
        }
    }
}

/// Whether all values of a type are values of another.
fn widens(from: &str, to: &str) -> bool {
    let decimal = |name: &str| {
        let (precision, scale) = name
            .strip_prefix("decimal(")?
            .strip_suffix(')')?
            .split_once(',')?;
        Some((
            precision.trim().parse::<u8>().ok()?,
            scale.trim().parse::<u8>().ok()?,
        ))
    };
    match (from, to) {
        ("int", "long") | ("float", "double") => true,
        (from, to) if from == to => true,
        (from, to) => match (decimal(from), decimal(to)) {
            (Some((p, s)), Some((wider, scale))) => s == scale && wider >= p,
            _ => false,
        },
    }
}

fn set(column: &mut Json, name: &str, value: Json) {
    if let Json::Object(map) = column {
        map.insert(name.to_owned(), value);
    }
}

fn no_such(name: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "NoSuchColumn",
        format!("the table has no column {name:?}"),
    )
}

fn taken(name: &str) -> Error {
    invalid(format!("there is a column {name:?} already"))
}
