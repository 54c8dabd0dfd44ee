//! Statements that change rows, rewritten to queries: what of each row, and what becomes of it.
//!
//! ```text
//! DELETE FROM t WHERE p           SELECT file, position, number, 0 FROM t WHERE p
//! UPDATE t SET a = e WHERE p      SELECT file, position, number, 1, e, t.b … FROM t WHERE p
//! MERGE INTO t USING s ON c …     SELECT file, position, number, CASE …, CASE … FROM s LEFT JOIN t ON c, where an action is
//! ```

use craton_base::{Error, Result};
use datafusion::{
    arrow::datatypes::Schema,
    sql::sqlparser::{
        ast::{
            Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, ObjectName, ObjectNamePart, Query,
            SelectItem, SetExpr, Statement as Sql, TableAlias, TableFactor, TableWithJoins, Update,
            UpdateTableFromKind, Value,
        },
        dialect::GenericDialect,
        parser::Parser,
    },
};

use super::names::{self, invalid, plain};
use crate::iceberg::{
    positions::{FILE, POSITION, ROW, TARGET},
    types::not_yet,
};

/// The column that says what becomes of a row.
pub(super) const ACTION: &str = "\u{1}action";

/// It goes.
pub(super) const DELETED: i64 = 0;

/// Another takes its place.
pub(super) const UPDATED: i64 = 1;

/// It is new.
pub(super) const INSERTED: i64 = 2;

/// A statement as a query.
pub(super) struct Rewritten {
    pub(super) query: Query,
    pub(super) target: ObjectName,
    /// Whether no row may be found twice.
    pub(super) once: bool,
}

/// The table whose rows are changed, as the query names it.
pub(super) struct Target {
    /// Its name in the statement.
    pub(super) name: ObjectName,
    /// What the query calls it.
    pub(super) alias: Ident,
    /// In the query.
    pub(super) factor: TableFactor,
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

impl Target {
    pub(super) fn of(factor: &TableFactor) -> Result<Self> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
        else {
            return Err(invalid("what is changed is a table, by its name"));
        };
        let own = names::last(name)?;
        let alias = match alias {
            Some(alias) if alias.columns.is_empty() => alias.name.clone(),
            Some(_) => {
                return Err(not_yet(
                    "other names for the columns of the table that is changed",
                ));
            }
            None => quoted(&own),
        };
        let mut renamed = name.clone();
        if let Some(last) = renamed.0.last_mut() {
            *last = ObjectNamePart::Identifier(quoted(&format!("{own}{TARGET}")));
        }
        let mut target = factor.clone();
        if let TableFactor::Table { name, alias: as_, .. } = &mut target {
            *name = renamed;
            *as_ = Some(aliased(&alias));
        }
        Ok(Self {
            name: name.clone(),
            alias,
            factor: target,
        })
    }

    /// One of its columns.
    pub(super) fn column(&self, name: &str) -> Expr {
        Expr::CompoundIdentifier(vec![self.alias.clone(), quoted(name)])
    }

    /// Where a row is, and its number.
    pub(super) fn head(&self) -> Vec<SelectItem> {
        [FILE, POSITION, ROW]
            .map(|name| item(self.column(name), name))
            .into()
    }
}

pub(super) fn aliased(name: &Ident) -> TableAlias {
    TableAlias {
        explicit: true,
        name: name.clone(),
        columns: Vec::new(),
    }
}

pub(super) fn item(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: quoted(name),
    }
}

pub(super) fn number(number: i64) -> Expr {
    Expr::value(Value::Number(number.to_string(), false))
}

/// A query of a text that is ours.
pub(super) fn parsed(text: &str) -> Result<Query> {
    let ours = || Error::internal("a query of ours does not parse");
    let statements = Parser::parse_sql(&GenericDialect, text).map_err(|e| ours().with_source(e))?;
    match statements.into_iter().next() {
        Some(Sql::Query(query)) => Ok(*query),
        _ => Err(ours()),
    }
}

/// A query of these parts.
pub(super) fn select(
    projection: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<Expr>,
) -> Result<Query> {
    let mut query = parsed("SELECT 1 FROM x")?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = projection;
        select.from = from;
        select.selection = selection;
    }
    Ok(query)
}

/// `DELETE`.
pub(super) fn delete(statement: &Delete) -> Result<Rewritten> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &statement.from;
    let [one] = from.as_slice() else {
        return Err(not_yet("deleting from several tables"));
    };
    let odd = !statement.tables.is_empty()
        || !one.joins.is_empty()
        || statement.returning.is_some()
        || !statement.order_by.is_empty()
        || statement.limit.is_some();
    if odd {
        return Err(not_yet("DELETE with joins, RETURNING, ORDER BY or LIMIT"));
    }
    let target = Target::of(&one.relation)?;
    let mut projection = target.head();
    projection.push(item(number(DELETED), ACTION));
    let mut from = vec![alone(target.factor.clone())];
    from.extend(statement.using.iter().flatten().cloned());
    Ok(Rewritten {
        query: select(projection, from, statement.selection.clone())?,
        target: target.name,
        once: false,
    })
}

fn alone(relation: TableFactor) -> TableWithJoins {
    TableWithJoins {
        relation,
        joins: Vec::new(),
    }
}

/// `UPDATE` of a table with these columns.
pub(super) fn update(statement: &Update, schema: &Schema) -> Result<Rewritten> {
    if !statement.table.joins.is_empty()
        || statement.returning.is_some()
        || statement.limit.is_some()
        || statement.or.is_some()
    {
        return Err(not_yet("UPDATE with joins, RETURNING or LIMIT"));
    }
    let target = Target::of(&statement.table.relation)?;
    let set = assigned(&statement.assignments, schema)?;
    let mut projection = target.head();
    projection.push(item(number(UPDATED), ACTION));
    for (field, new) in schema.fields().iter().zip(set) {
        let value = new.unwrap_or_else(|| target.column(field.name()));
        projection.push(item(value, field.name()));
    }
    let mut from = vec![alone(target.factor.clone())];
    if let Some(UpdateTableFromKind::BeforeSet(more) | UpdateTableFromKind::AfterSet(more)) = &statement.from
    {
        from.extend(more.iter().cloned());
    }
    Ok(Rewritten {
        query: select(projection, from, statement.selection.clone())?,
        target: target.name,
        once: true,
    })
}

/// What each column of a table is set to, if it is.
pub(super) fn assigned(assignments: &[Assignment], schema: &Schema) -> Result<Vec<Option<Expr>>> {
    let mut out = vec![None; schema.fields().len()];
    for Assignment { target, value } in assignments {
        let AssignmentTarget::ColumnName(name) = target else {
            return Err(not_yet("setting several columns at once"));
        };
        put(&mut out, schema, &names::last(name)?, value.clone())?;
    }
    Ok(out)
}

/// Sets a column, once.
pub(super) fn put(out: &mut [Option<Expr>], schema: &Schema, name: &str, value: Expr) -> Result<()> {
    let at = schema.index_of(name);
    let at = at.map_err(|_| {
        Error::new(
            craton_base::Kind::Invalid,
            "NoSuchColumn",
            format!("the table has no column {name:?}"),
        )
    })?;
    match out.get_mut(at) {
        Some(slot @ None) => {
            *slot = Some(value);
            Ok(())
        }
        _ => Err(invalid(format!("the column {name:?} is set twice"))),
    }
}

/// The table that a statement changes.
pub(super) fn changed(statement: &Sql) -> Result<ObjectName> {
    let factor = match statement {
        Sql::Update(update) => &update.table.relation,
        Sql::Merge(merge) => &merge.table,
        _ => return Err(Error::internal("a statement that changes rows is none")),
    };
    Target::of(factor).map(|target| target.name)
}

/// What a source is called.
pub(super) fn name_of(factor: &TableFactor) -> Result<Ident> {
    let alias = match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias,
        _ => return Err(not_yet("such a source of rows")),
    };
    match (alias, factor) {
        (Some(alias), _) => Ok(quoted(&plain(&alias.name))),
        (None, TableFactor::Table { name, .. }) => Ok(quoted(&names::last(name)?)),
        _ => Err(invalid("the source of rows needs a name: (…) AS s")),
    }
}
