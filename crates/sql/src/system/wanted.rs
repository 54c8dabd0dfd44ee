//! What a condition says of the rows that are wanted of `system.runs` and `system.lineage`.
//!
//! Invariant: it leaves out no row that the condition lets through; rows are looked at again by the plan.

use craton_gate::EdgesAsk;
use datafusion::{
    common::ScalarValue,
    logical_expr::{BinaryExpr, Expr, Operator},
};

/// Values that columns are to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted(pub(super) EdgesAsk);

/// What one condition says.
enum Says {
    Principal(String),
    Run(String),
    Resource(String),
    Version(u64),
}

/// A column that equals a constant.
fn equality(filter: &Expr) -> Option<Says> {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = filter
    else {
        return None;
    };
    let (column, value) = match (&**left, &**right) {
        (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
            (column.name.as_str(), value)
        }
        _ => return None,
    };
    let text = || value.try_as_str().flatten().map(str::to_owned);
    match column {
        "principal" => text().map(Says::Principal),
        "run" => text().map(Says::Run),
        "resource" => text().map(Says::Resource),
        "version" => match value {
            ScalarValue::Int64(Some(number)) => u64::try_from(*number).ok().map(Says::Version),
            ScalarValue::UInt64(Some(number)) => Some(Says::Version(*number)),
            _ => None,
        },
        _ => None,
    }
}

impl Wanted {
    /// Whether a condition makes the way shorter.
    pub(super) fn helps(filter: &Expr) -> bool {
        equality(filter).is_some()
    }

    /// What conditions that all hold say. Of two about one column the first counts.
    pub(super) fn of(filters: &[Expr]) -> Self {
        let mut out = EdgesAsk::default();
        for said in filters.iter().filter_map(equality) {
            match said {
                Says::Principal(text) => drop(out.principal.get_or_insert(text)),
                Says::Run(text) => drop(out.run.get_or_insert(text)),
                Says::Resource(text) => drop(out.resource.get_or_insert(text)),
                Says::Version(number) => drop(out.version.get_or_insert(number)),
            }
        }
        Self(out)
    }
}
