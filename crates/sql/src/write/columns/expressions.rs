//! What expressions come from.
//!
//! Deliberately absent: plans.

use std::sync::Arc;

use craton_gate::ColumnUse;
use datafusion::{
    common::tree_node::{TreeNode as _, TreeNodeRecursion},
    logical_expr::{
        Expr, LogicalPlan,
        expr::{
            AggregateFunctionParams, Case, WindowFunction, WindowFunctionDefinition, WindowFunctionParams,
        },
    },
};

use super::{Fault, Froms, Known, Scope, Walk, composed};

impl Walk<'_> {
    /// What an expression comes from; a column, perhaps by another name, is not copied.
    pub(super) fn column(&mut self, expr: &Expr, scope: &Scope<'_>) -> Known<Arc<Froms>> {
        match expr {
            Expr::Alias(alias) => self.column(&alias.expr, scope),
            Expr::Column(column) => scope.find(column).cloned(),
            _ => self.all([expr], ColumnUse::Identity, scope).map(Arc::new),
        }
    }

    pub(super) fn all<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        used: ColumnUse,
        scope: &Scope<'_>,
    ) -> Known<Froms> {
        let mut out = Froms::new();
        for expr in exprs {
            self.expr(expr, used, scope, &mut out)?;
        }
        Ok(out)
    }

    pub(super) fn used(&mut self, froms: &Froms, used: ColumnUse) -> Known<Arc<Froms>> {
        let mut out = Froms::new();
        self.take(froms, used, &mut out)?;
        Ok(Arc::new(out))
    }

    pub(super) fn take(&mut self, froms: &Froms, used: ColumnUse, out: &mut Froms) -> Known {
        self.step(froms.len())?;
        out.extend(froms.iter().map(|(from, by)| (*from, composed(*by, used))));
        Ok(())
    }

    /// Adds what an expression comes from, which is used in a way.
    fn expr(&mut self, expr: &Expr, used: ColumnUse, scope: &Scope<'_>, out: &mut Froms) -> Known {
        self.step(1)?;
        let changed = composed(ColumnUse::Transformation, used);
        match expr {
            Expr::Column(column) => self.take(&scope.find(column)?.clone(), used, out),
            Expr::OuterReferenceColumn(_, column) => {
                let found = scope.outer.ok_or(Fault::Odd)?.find_outward(column)?.clone();
                self.take(&found, used, out)
            }
            Expr::Alias(alias) => self.expr(&alias.expr, used, scope, out),
            Expr::Case(case) => self.case(case, used, scope, out),
            Expr::AggregateFunction(function) => self.aggregated(&function.params, used, scope, out),
            Expr::WindowFunction(window) => self.windowed(window, used, scope, out),
            Expr::ScalarSubquery(subquery) => self.subquery(&subquery.subquery, used, scope, out),
            Expr::InSubquery(inside) => {
                self.expr(&inside.expr, changed, scope, out)?;
                self.subquery(&inside.subquery.subquery, changed, scope, out)
            }
            Expr::SetComparison(comparison) => {
                self.expr(&comparison.expr, changed, scope, out)?;
                self.subquery(&comparison.subquery.subquery, changed, scope, out)
            }
            // That there are rows says nothing of their columns.
            Expr::Exists(exists) => {
                let of = self.plan(&exists.subquery.subquery, Some(scope))?;
                self.take(&of.rows, changed, out)
            }
            other => {
                let mut fault = Ok(());
                let visited = other.apply_children(|child| {
                    fault = self.expr(child, changed, scope, out);
                    Ok(match fault {
                        Ok(()) => TreeNodeRecursion::Continue,
                        Err(_) => TreeNodeRecursion::Stop,
                    })
                });
                fault.and(visited.map(drop).map_err(|_| Fault::Odd))
            }
        }
    }

    /// What is tested decides, what is taken is the value.
    fn case(&mut self, case: &Case, used: ColumnUse, scope: &Scope<'_>, out: &mut Froms) -> Known {
        let decides = composed(ColumnUse::Conditional, used);
        let tests = case.when_then_expr.iter().map(|(when, _)| when);
        for expr in case.expr.iter().chain(tests) {
            self.expr(expr, decides, scope, out)?;
        }
        let values = case.when_then_expr.iter().map(|(_, then)| then);
        for expr in values.chain(&case.else_expr) {
            self.expr(expr, used, scope, out)?;
        }
        Ok(())
    }

    fn aggregated(
        &mut self,
        function: &AggregateFunctionParams,
        used: ColumnUse,
        scope: &Scope<'_>,
        out: &mut Froms,
    ) -> Known {
        let filter = function.filter.iter().map(|f| &**f);
        let order = function.order_by.iter().map(|s| &s.expr);
        self.each(&function.args, composed(ColumnUse::Aggregation, used), scope, out)?;
        self.each(filter, composed(ColumnUse::Filter, used), scope, out)?;
        self.each(order, composed(ColumnUse::Sort, used), scope, out)
    }

    fn windowed(
        &mut self,
        window: &WindowFunction,
        used: ColumnUse,
        scope: &Scope<'_>,
        out: &mut Froms,
    ) -> Known {
        let WindowFunctionParams {
            args,
            partition_by,
            order_by,
            filter,
            ..
        } = &window.params;
        let by = match window.fun {
            WindowFunctionDefinition::AggregateUDF(_) => ColumnUse::Aggregation,
            WindowFunctionDefinition::WindowUDF(_) => ColumnUse::Transformation,
        };
        self.each(args, composed(by, used), scope, out)?;
        let filter = filter.iter().map(|f| &**f);
        self.each(filter, composed(ColumnUse::Filter, used), scope, out)?;
        let windows = partition_by.iter().chain(order_by.iter().map(|s| &s.expr));
        self.each(windows, composed(ColumnUse::Window, used), scope, out)
    }

    fn each<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        used: ColumnUse,
        scope: &Scope<'_>,
        out: &mut Froms,
    ) -> Known {
        exprs
            .into_iter()
            .try_for_each(|expr| self.expr(expr, used, scope, out))
    }

    /// The value of a subquery: its columns, and what decides which rows it has.
    fn subquery(&mut self, plan: &LogicalPlan, used: ColumnUse, scope: &Scope<'_>, out: &mut Froms) -> Known {
        let of = self.plan(plan, Some(scope))?;
        for froms in &of.columns {
            self.take(froms, used, out)?;
        }
        self.take(&of.rows, used, out)
    }
}
