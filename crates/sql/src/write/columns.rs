//! Which columns of what is read the columns of a query come from: by walking its logical plan.
//!
//! ```text
//! scan ──▶ each column is itself ──▶ expressions: computed of, decided by ──▶ joins, filters, groups: decide which rows there are ──▶ columns, and rows
//! ```
//!
//! Of each column it is known of which it *directly* is (the same, computed, aggregated) and by which it was decided, as OpenLineage's facet of columns
//! has it; what decides the rows of a query decides all of its columns, and is kept once, as what its rows come from. Values that pass through
//! `CASE` and subqueries are the same values.
//!
//! Invariants
//! - nothing is left out: where a plan is not understood, all of its columns come from all of what it reads;
//! - the work is bounded: of more than [`STEPS_MAX`] steps nothing is told, and that is said.
//!
//! Deliberately absent: which rows those were; what is done with it (the gate).

mod expressions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use craton_gate::{ColumnEdge, ColumnSource, ColumnUse, Derived};
use datafusion::{
    catalog::{cte_worktable::CteWorkTable, default_table_source::source_as_provider},
    common::{Column, DFSchema, DFSchemaRef, JoinType},
    logical_expr::{
        Aggregate, Distinct, DistinctOn, Expr, Join, LogicalPlan, RecursiveQuery, TableScan, Unnest,
        utils::grouping_set_to_exprlist,
    },
};

/// The most that is done for one statement: columns that are put together.
const STEPS_MAX: usize = 1 << 18;

/// Rounds in which what a recursion reads of itself is followed.
const ROUNDS_MAX: usize = 64;

/// A column of a source, by number; and how.
type Froms = BTreeSet<(usize, ColumnUse)>;

/// What a plan's columns come from, and what its rows do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Of {
    columns: Vec<Arc<Froms>>,
    rows: Froms,
}

/// What stands around a subquery: a plan that it may name columns of.
struct Scope<'a> {
    schema: &'a DFSchema,
    of: &'a Of,
    /// The other side of a join.
    beside: Option<&'a Scope<'a>>,
    outer: Option<&'a Scope<'a>>,
}

/// Why nothing is told.
enum Fault {
    /// It is too much.
    TooMany,
    /// A plan is odd.
    Odd,
}

type Known<T = ()> = Result<T, Fault>;

/// What is known of a statement's plan.
struct Walk<'a> {
    /// What a scan reads; `None` if it is of nobody's data.
    source_of: &'a dyn Fn(&TableScan) -> Option<ColumnSource>,
    sources: Vec<ColumnSource>,
    /// Columns of sources, by number.
    known: Vec<(usize, String)>,
    numbers: BTreeMap<(usize, String), usize>,
    /// What recursions have come to be so far, by name.
    recursions: Vec<(String, Of)>,
    steps: usize,
}

/// What the columns of a plan come from. The first `head` columns are not written: what they come from is what the rows do. `names` are those of the others.
pub(super) fn derived(
    plan: &LogicalPlan,
    (head, names): (usize, &[String]),
    source_of: &dyn Fn(&TableScan) -> Option<ColumnSource>,
) -> Derived {
    let mut walk = Walk {
        source_of,
        sources: Vec::new(),
        known: Vec::new(),
        numbers: BTreeMap::new(),
        recursions: Vec::new(),
        steps: 0,
    };
    let Ok(found) = walk.plan(plan, None) else {
        return Derived {
            sources: walk.sources,
            more: true,
            ..Derived::default()
        };
    };
    let mut rows = found.rows;
    for columns in found.columns.iter().take(head) {
        rows.extend(
            columns
                .iter()
                .map(|(from, by)| (*from, indirect(*by, ColumnUse::Conditional))),
        );
    }
    let rows = rows.iter().map(|from| (None, from));
    let named = found.columns.iter().skip(head).zip(names);
    let columns = named.flat_map(|(froms, name)| froms.iter().map(move |from| (Some(name), from)));
    let mut edges = Vec::new();
    for (column, (from, by)) in rows.chain(columns) {
        if let Some((source, of)) = walk.known.get(*from) {
            edges.push(ColumnEdge {
                column: column.cloned(),
                source: *source,
                of: of.clone(),
                by: *by,
            });
        }
    }
    Derived {
        sources: walk.sources,
        edges,
        ..Derived::default()
    }
}

/// How something is decided by what was itself come by in some way.
const fn indirect(by: ColumnUse, decides: ColumnUse) -> ColumnUse {
    match by.is_direct() {
        true => decides,
        false => by,
    }
}

/// How something is used that was itself come by in some way: of two direct ways the one that changes more.
fn composed(by: ColumnUse, used: ColumnUse) -> ColumnUse {
    match by.is_direct() && used.is_direct() {
        true => by.max(used),
        false if by.is_direct() => used,
        false => by,
    }
}

impl Walk<'_> {
    fn step(&mut self, count: usize) -> Known {
        self.steps = self.steps.saturating_add(count);
        match self.steps > STEPS_MAX {
            true => Err(Fault::TooMany),
            false => Ok(()),
        }
    }

    fn plan(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Known<Of> {
        self.step(1)?;
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, outer),
            LogicalPlan::Projection(p) => {
                let input = self.plan(&p.input, outer)?;
                self.computed(&p.expr, (p.input.schema(), input), outer)
            }
            LogicalPlan::Filter(filter) => {
                self.decided(&filter.input, [&filter.predicate], ColumnUse::Filter, outer)
            }
            LogicalPlan::Sort(sort) => {
                let by = sort.expr.iter().map(|s| &s.expr);
                self.decided(&sort.input, by, ColumnUse::Sort, outer)
            }
            LogicalPlan::Window(window) => {
                let mut of = self.plan(&window.input, outer)?;
                let more = self.computed(&window.window_expr, (window.input.schema(), of.clone()), outer)?;
                of.columns.extend(more.columns);
                of.rows.extend(more.rows);
                Ok(of)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, outer),
            LogicalPlan::Join(join) => self.join(join, outer),
            LogicalPlan::Union(union) => {
                let inputs = union.inputs.iter().map(|input| self.plan(input, outer));
                let inputs = inputs.collect::<Known<Vec<_>>>()?;
                self.united(inputs)
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct(on, outer),
            LogicalPlan::Values(values) => self.values(&values.values, plan.schema(), outer),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest, outer),
            LogicalPlan::RecursiveQuery(recursion) => self.recursion(recursion, outer),
            LogicalPlan::Subquery(subquery) => self.plan(&subquery.subquery, outer),
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input, outer),
            LogicalPlan::Limit(limit) => self.plan(&limit.input, outer),
            LogicalPlan::Repartition(repartition) => self.plan(&repartition.input, outer),
            LogicalPlan::Distinct(Distinct::All(input)) => self.plan(input, outer),
            LogicalPlan::EmptyRelation(_) => Ok(Of::of_nothing(plan.schema())),
            other => self.unknown(other, outer),
        }
    }

    /// An input whose rows expressions decide.
    fn decided<'e>(
        &mut self,
        input: &LogicalPlan,
        by: impl IntoIterator<Item = &'e Expr>,
        used: ColumnUse,
        outer: Option<&Scope<'_>>,
    ) -> Known<Of> {
        let mut of = self.plan(input, outer)?;
        let scope = Scope::new(input.schema(), &of, outer);
        let rows = self.all(by, used, &scope)?;
        of.rows.extend(rows);
        Ok(of)
    }

    /// `DISTINCT ON`.
    fn distinct(&mut self, on: &DistinctOn, outer: Option<&Scope<'_>>) -> Known<Of> {
        let input = self.plan(&on.input, outer)?;
        let scope = Scope::new(on.input.schema(), &input, outer);
        let mut rows = self.all(&on.on_expr, ColumnUse::GroupBy, &scope)?;
        let sort = on.sort_expr.iter().flatten().map(|s| &s.expr);
        rows.extend(self.all(sort, ColumnUse::Sort, &scope)?);
        let mut of = self.computed(&on.select_expr, (on.input.schema(), input.clone()), outer)?;
        of.rows.extend(rows);
        Ok(of)
    }

    fn unnest(&mut self, unnest: &Unnest, outer: Option<&Scope<'_>>) -> Known<Of> {
        let input = self.plan(&unnest.input, outer)?;
        let nested: BTreeSet<usize> = unnest.list_type_columns.iter().map(|(at, _)| *at).collect();
        let mut columns = Vec::with_capacity(unnest.dependency_indices.len());
        for at in &unnest.dependency_indices {
            let froms = input.columns.get(*at).ok_or(Fault::Odd)?;
            let is_nested = nested.contains(at) || unnest.struct_type_columns.contains(at);
            columns.push(match is_nested {
                true => self.used(froms, ColumnUse::Transformation)?,
                false => froms.clone(),
            });
        }
        Ok(Of {
            columns,
            rows: input.rows,
        })
    }

    fn scan(&mut self, scan: &TableScan, outer: Option<&Scope<'_>>) -> Known<Of> {
        let fields = scan.projected_schema.fields();
        let provider = source_as_provider(&scan.source).ok();
        let table = provider
            .as_ref()
            .and_then(|p| p.as_any().downcast_ref::<CteWorkTable>());
        if let Some(table) = table {
            let found = self
                .recursions
                .iter()
                .rev()
                .find(|(name, _)| name == table.name());
            let found = found.map(|(_, of)| of.clone()).ok_or(Fault::Odd)?;
            return match &scan.projection {
                None => Ok(found),
                Some(kept) => {
                    let columns = kept.iter().map(|at| found.columns.get(*at).cloned());
                    let columns = columns.collect::<Option<_>>().ok_or(Fault::Odd)?;
                    Ok(Of {
                        columns,
                        rows: found.rows,
                    })
                }
            };
        }
        let Some(source) = (self.source_of)(scan) else {
            return Ok(Of::of_nothing(&scan.projected_schema));
        };
        let source = self.source(source);
        self.step(fields.len())?;
        let columns = fields
            .iter()
            .map(|field| match field.name().starts_with('\u{1}') {
                // Where a row is, of a table whose rows are changed.
                true => Arc::default(),
                false => Arc::new(Froms::from([(
                    self.number(source, field.name()),
                    ColumnUse::Identity,
                )])),
            });
        let mut of = Of {
            columns: columns.collect(),
            rows: Froms::new(),
        };
        let scope = Scope::new(&scan.projected_schema, &of, outer);
        let rows = self.all(&scan.filters, ColumnUse::Filter, &scope)?;
        of.rows.extend(rows);
        Ok(of)
    }

    fn source(&mut self, source: ColumnSource) -> usize {
        if let Some(at) = self.sources.iter().position(|known| *known == source) {
            return at;
        }
        self.sources.push(source);
        self.sources.len().saturating_sub(1)
    }

    fn number(&mut self, source: usize, column: &str) -> usize {
        let next = self.known.len();
        let number = *self.numbers.entry((source, column.to_owned())).or_insert(next);
        if number == next {
            self.known.push((source, column.to_owned()));
        }
        number
    }

    /// Columns that are computed of those of an input.
    fn computed(
        &mut self,
        exprs: &[Expr],
        (schema, input): (&DFSchemaRef, Of),
        outer: Option<&Scope<'_>>,
    ) -> Known<Of> {
        let scope = Scope::new(schema, &input, outer);
        let columns = exprs.iter().map(|expr| self.column(expr, &scope));
        let columns = columns.collect::<Known<_>>()?;
        Ok(Of {
            columns,
            rows: input.rows,
        })
    }

    fn aggregate(&mut self, aggregate: &Aggregate, outer: Option<&Scope<'_>>) -> Known<Of> {
        let input = self.plan(&aggregate.input, outer)?;
        let scope = Scope::new(aggregate.input.schema(), &input, outer);
        let groups = grouping_set_to_exprlist(&aggregate.group_expr).map_err(|_| Fault::Odd)?;
        let mut rows = self.all(groups.iter().copied(), ColumnUse::GroupBy, &scope)?;
        let of_groups = groups.iter().map(|group| self.column(group, &scope));
        let mut columns = of_groups.collect::<Known<Vec<_>>>()?;
        let of_all = aggregate.aggr_expr.iter().map(|expr| self.column(expr, &scope));
        let aggregated = of_all.collect::<Known<Vec<_>>>()?;
        // Of several sets of groups there is a column that says which one it is.
        let fields = aggregate.schema.fields().len();
        columns.resize(fields.saturating_sub(aggregated.len()), Arc::default());
        columns.extend(aggregated);
        rows.extend(input.rows);
        Ok(Of { columns, rows })
    }

    fn join(&mut self, join: &Join, outer: Option<&Scope<'_>>) -> Known<Of> {
        let (left, right) = (self.plan(&join.left, outer)?, self.plan(&join.right, outer)?);
        let of_left = Scope::new(join.left.schema(), &left, outer);
        let of_right = Scope::new(join.right.schema(), &right, outer);
        let lefts = join.on.iter().map(|(left, _)| left);
        let mut rows = self.all(lefts, ColumnUse::Join, &of_left)?;
        let rights = join.on.iter().map(|(_, right)| right);
        rows.extend(self.all(rights, ColumnUse::Join, &of_right)?);
        let both = Scope {
            beside: Some(&of_right),
            ..of_left
        };
        rows.extend(self.all(&join.filter, ColumnUse::Join, &both)?);
        let mark = |of: &Of| {
            let mut columns = of.columns.clone();
            columns.push(Arc::new(rows.clone()));
            columns
        };
        let columns = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns.clone(),
            JoinType::RightSemi | JoinType::RightAnti => right.columns.clone(),
            JoinType::LeftMark => mark(&left),
            JoinType::RightMark => mark(&right),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                left.columns.iter().chain(&right.columns).cloned().collect()
            }
        };
        rows.extend(left.rows);
        rows.extend(right.rows);
        self.step(rows.len())?;
        Ok(Of { columns, rows })
    }

    /// Each column is of one of the inputs.
    fn united(&mut self, inputs: Vec<Of>) -> Known<Of> {
        let mut inputs = inputs.into_iter();
        let mut out = inputs.next().ok_or(Fault::Odd)?;
        for input in inputs {
            self.step(input.rows.len())?;
            out.rows.extend(input.rows);
            for (mine, froms) in out.columns.iter_mut().zip(input.columns) {
                self.step(froms.len())?;
                if !froms.is_subset(mine) {
                    Arc::make_mut(mine).extend(froms.iter().copied());
                }
            }
        }
        Ok(out)
    }

    fn values(&mut self, rows: &[Vec<Expr>], schema: &DFSchemaRef, outer: Option<&Scope<'_>>) -> Known<Of> {
        let nothing = Of::of_nothing(schema);
        let mut all = vec![nothing.clone()];
        for row in rows {
            // Nearly always constants; what is not may be a subquery.
            if row.iter().all(|expr| matches!(expr, Expr::Literal(..))) {
                self.step(1)?;
                continue;
            }
            all.push(self.computed(row, (schema, nothing.clone()), outer)?);
        }
        self.united(all)
    }

    /// What a recursion comes to: until a round brings nothing new.
    fn recursion(&mut self, recursion: &RecursiveQuery, outer: Option<&Scope<'_>>) -> Known<Of> {
        let mut of = self.plan(&recursion.static_term, outer)?;
        for _ in 0..ROUNDS_MAX {
            self.recursions.push((recursion.name.clone(), of.clone()));
            let more = self.plan(&recursion.recursive_term, outer);
            self.recursions.pop();
            let next = self.united(vec![of.clone(), more?])?;
            if next == of {
                return Ok(of);
            }
            of = next;
        }
        Err(Fault::TooMany)
    }

    /// A plan that is not understood: each column comes from all of what it reads.
    fn unknown(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Known<Of> {
        let (mut all, mut rows) = (Froms::new(), Froms::new());
        for input in plan.inputs() {
            let of = self.plan(input, outer)?;
            for froms in &of.columns {
                self.take(froms, ColumnUse::Transformation, &mut all)?;
            }
            rows.extend(of.rows);
        }
        let all = Arc::new(all);
        let columns = plan.schema().fields().iter().map(|_| all.clone()).collect();
        Ok(Of { columns, rows })
    }
}

impl Of {
    /// Columns that come from nothing.
    fn of_nothing(schema: &DFSchema) -> Self {
        Self {
            columns: vec![Arc::default(); schema.fields().len()],
            rows: Froms::new(),
        }
    }
}

impl<'a> Scope<'a> {
    fn new(schema: &'a DFSchema, of: &'a Of, outer: Option<&'a Scope<'a>>) -> Self {
        Self {
            schema,
            of,
            beside: None,
            outer,
        }
    }

    fn find(&self, column: &Column) -> Known<&Arc<Froms>> {
        match (self.schema.maybe_index_of_column(column), self.beside) {
            (Some(at), _) => self.of.columns.get(at).ok_or(Fault::Odd),
            (None, Some(beside)) => beside.find(column),
            (None, None) => Err(Fault::Odd),
        }
    }

    /// Here, or in what stands around this.
    fn find_outward(&self, column: &Column) -> Known<&Arc<Froms>> {
        match (self.find(column), self.outer) {
            (Err(_), Some(outer)) => outer.find_outward(column),
            (found, _) => found,
        }
    }
}

#[cfg(test)]
mod tests;
