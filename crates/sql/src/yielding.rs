//! Plans that give others their turn.
//!
//! DataFusion gives turns where rows come from. A join makes many rows of few, and what is above it goes on as long as there are more: without
//! turns there, neither its time nor its client's going would end such a statement.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TransformedResult as _, TreeNode as _},
    },
    physical_plan::{ExecutionPlan, coop::CooperativeExec},
};

/// The same plan, with turns after each join.
pub(crate) fn yielding(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let done = plan.transform_up(|node| match node.name().ends_with("JoinExec") {
        true => Ok(Transformed::yes(
            Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>
        )),
        false => Ok(Transformed::no(node)),
    });
    done.data()
}
