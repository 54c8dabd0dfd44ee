//! `MERGE`, rewritten to a query.
//!
//! Each row of the join is decided by the first clause that it fits; its columns are then what that clause says. A clause fits by which
//! side of the join is there: a row of the target has a position, a row of the source a mark.

use craton_base::Result;
use datafusion::{
    arrow::datatypes::Schema,
    sql::sqlparser::ast::{
        BinaryOperator, CaseWhen, Expr, Ident, Join, JoinConstraint, JoinOperator, Merge, MergeAction,
        MergeClause, MergeClauseKind, MergeInsertExpr, MergeInsertKind, Query, SelectItem, SetExpr,
        TableFactor, TableWithJoins, Value, helpers::attached_token::AttachedToken,
    },
};

use super::{
    names::{self, invalid},
    rewrite::{
        ACTION, DELETED, INSERTED, Rewritten, Target, UPDATED, aliased, assigned, item, name_of, number,
        parsed, put, select,
    },
};
use crate::iceberg::{positions::POSITION, types::not_yet};

/// The column that every row of the source has.
const MARK: &str = "\u{1}source";

/// What a clause does with a row: to each column, if it is written.
struct Clause {
    fits: Expr,
    action: i64,
    values: Vec<Option<Expr>>,
}

/// `MERGE` into a table with these columns.
pub(super) fn merge(statement: &Merge, schema: &Schema) -> Result<Rewritten> {
    if statement.output.is_some() {
        return Err(not_yet("MERGE with OUTPUT"));
    }
    let target = Target::of(&statement.table)?;
    let source = name_of(&statement.source)?;
    let mark = Expr::CompoundIdentifier(vec![source.clone(), Ident::with_quote('"', MARK)]);
    let clauses = statement
        .clauses
        .iter()
        .map(|clause| read(clause, (&target, &mark), schema));
    let clauses: Vec<Clause> = clauses.collect::<Result<_>>()?;
    let has = |kinds: &[MergeClauseKind]| statement.clauses.iter().any(|c| kinds.contains(&c.clause_kind));
    let on = JoinConstraint::On((*statement.on).clone());
    let new = has(&[MergeClauseKind::NotMatched, MergeClauseKind::NotMatchedByTarget]);
    let join_operator = match (new, has(&[MergeClauseKind::NotMatchedBySource])) {
        (true, true) => JoinOperator::FullOuter(on),
        (true, false) => JoinOperator::LeftOuter(on),
        (false, true) => JoinOperator::RightOuter(on),
        (false, false) => JoinOperator::Inner(on),
    };
    let from = TableWithJoins {
        relation: marked(&statement.source, &source)?,
        joins: vec![Join {
            relation: target.factor.clone(),
            global: false,
            join_operator,
        }],
    };
    let mut projection = target.head();
    let action = |clause: &Clause| number(clause.action);
    projection.push(item(case(&clauses, action), ACTION));
    for (at, field) in schema.fields().iter().enumerate() {
        let value = |clause: &Clause| clause.values.get(at).cloned().flatten().unwrap_or_else(null);
        projection.push(item(case(&clauses, value), field.name()));
    }
    Ok(Rewritten {
        query: acted(select(projection, vec![from], None)?)?,
        target: target.name,
        once: true,
    })
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

/// The source with its mark.
fn marked(source: &TableFactor, name: &Ident) -> Result<TableFactor> {
    let mut query = parsed("SELECT *, TRUE FROM x")?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        if let Some(last) = select.projection.last_mut() {
            *last = item(Expr::value(Value::Boolean(true)), MARK);
        }
        if let Some(from) = select.from.first_mut() {
            from.relation = source.clone();
        }
    }
    derived(query, name)
}

fn derived(query: Query, name: &Ident) -> Result<TableFactor> {
    let mut outer = parsed("SELECT * FROM (SELECT 1) AS x")?;
    let SetExpr::Select(select) = outer.body.as_mut() else {
        return Err(invalid("a source of rows is no query"));
    };
    let factor = select.from.pop().map(|from| from.relation);
    let Some(TableFactor::Derived { lateral, sample, .. }) = factor else {
        return Err(invalid("a source of rows is no query"));
    };
    Ok(TableFactor::Derived {
        lateral,
        subquery: Box::new(query),
        alias: Some(aliased(name)),
        sample,
    })
}

/// The rows that something is done with.
fn acted(query: Query) -> Result<Query> {
    let name = Ident::with_quote('"', "\u{1}rows");
    let action = Expr::Identifier(Ident::with_quote('"', ACTION));
    let all = SelectItem::Wildcard(Default::default());
    let from = TableWithJoins {
        relation: derived(query, &name)?,
        joins: Vec::new(),
    };
    select(vec![all], vec![from], Some(Expr::IsNotNull(Box::new(action))))
}

fn case(clauses: &[Clause], result: impl Fn(&Clause) -> Expr) -> Expr {
    let conditions = clauses.iter().map(|clause| CaseWhen {
        condition: clause.fits.clone(),
        result: result(clause),
    });
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions.collect(),
        else_result: None,
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    let nested = |e: Expr| Box::new(Expr::Nested(Box::new(e)));
    Expr::BinaryOp {
        left: nested(left),
        op: BinaryOperator::And,
        right: nested(right),
    }
}

fn read(clause: &MergeClause, (target, mark): (&Target, &Expr), schema: &Schema) -> Result<Clause> {
    use MergeClauseKind as K;
    let position = || Box::new(target.column(POSITION));
    let of_source = || Box::new(mark.clone());
    let fits = match clause.clause_kind {
        K::Matched => and(Expr::IsNotNull(position()), Expr::IsNotNull(of_source())),
        K::NotMatched | K::NotMatchedByTarget => Expr::IsNull(position()),
        K::NotMatchedBySource => Expr::IsNull(of_source()),
    };
    let fits = match &clause.predicate {
        Some(predicate) => and(fits, predicate.clone()),
        None => fits,
    };
    let is_new = matches!(clause.clause_kind, K::NotMatched | K::NotMatchedByTarget);
    let (action, values) = match (&clause.action, is_new) {
        (MergeAction::Delete { .. }, false) => (DELETED, Vec::new()),
        (MergeAction::Update(update), false) => {
            if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                return Err(not_yet("WHERE in a clause of MERGE; write WHEN … AND …"));
            }
            let set = assigned(&update.assignments, schema)?;
            let kept = schema.fields().iter().map(|field| target.column(field.name()));
            let values = set
                .into_iter()
                .zip(kept)
                .map(|(new, old)| Some(new.unwrap_or(old)));
            (UPDATED, values.collect())
        }
        (MergeAction::Insert(insert), true) => (INSERTED, inserted(insert, schema)?),
        _ => {
            return Err(invalid(
                "what is matched is updated or deleted, what is not is inserted",
            ));
        }
    };
    Ok(Clause { fits, action, values })
}

/// What a new row is.
fn inserted(insert: &MergeInsertExpr, schema: &Schema) -> Result<Vec<Option<Expr>>> {
    let MergeInsertKind::Values(values) = &insert.kind else {
        return Err(not_yet("INSERT ROW"));
    };
    let [row] = values.rows.as_slice() else {
        return Err(invalid("a clause of MERGE inserts one row"));
    };
    if insert.insert_predicate.is_some() {
        return Err(not_yet("WHERE in a clause of MERGE; write WHEN … AND …"));
    }
    let columns: Vec<String> = match insert.columns.as_slice() {
        [] => schema.fields().iter().map(|field| field.name().clone()).collect(),
        some => some.iter().map(names::last).collect::<Result<_>>()?,
    };
    if columns.len() != row.len() {
        let text = format!("{} columns and {} values are inserted", columns.len(), row.len());
        return Err(invalid(text));
    }
    let mut out = vec![None; schema.fields().len()];
    for (column, value) in columns.iter().zip(row) {
        put(&mut out, schema, column, value.clone())?;
    }
    Ok(out)
}
