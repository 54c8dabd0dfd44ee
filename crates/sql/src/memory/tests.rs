//! What is taken is within the share and comes back.

use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryConsumer;

use super::*;

#[test]
fn a_statement_has_its_share_and_gives_it_back() {
    let budget = Budget::new("test", 8 * STEP);
    let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(budget.clone(), 4 * STEP));
    let held = MemoryConsumer::new("a").register(&pool);
    let step = usize::try_from(STEP).unwrap();
    held.try_grow(step / 2).unwrap();
    held.try_grow(2 * step).unwrap();
    assert_eq!(pool.reserved(), 2 * step + step / 2);
    assert!(budget.gauges().used >= 2 * STEP + STEP / 2);
    let error = held.try_grow(2 * step).unwrap_err();
    assert_eq!(crate::error::own(&error).reason(), "StatementMemory");
    held.grow(2 * step);
    assert_eq!(pool.reserved(), 4 * step + step / 2, "what must be counted is");
    drop(held);
    assert_eq!(pool.reserved(), 0);
    drop(pool);
    assert_eq!(budget.gauges().used, 0);
}

#[test]
fn statements_share_one_budget() {
    let budget = Budget::new("test", 4 * STEP);
    let step = usize::try_from(STEP).unwrap();
    let pools: [Arc<dyn MemoryPool>; 2] =
        std::array::from_fn(|_| -> Arc<dyn MemoryPool> { Arc::new(Pool::new(budget.clone(), 4 * STEP)) });
    let [first, second] = pools
        .each_ref()
        .map(|pool| MemoryConsumer::new("a").register(pool));
    first.try_grow(3 * step).unwrap();
    assert!(second.try_grow(2 * step).is_err());
    first.shrink(3 * step);
    second.try_grow(2 * step).unwrap();
}
