use proptest::prelude::*;

use super::Block;

fn block(rows: &[(u64, u64)]) -> Block {
    let mut out = Block::new(2);
    rows.iter().for_each(|(a, b)| out.push(&[*a, *b]));
    out
}

proptest! {
    #[test]
    fn a_lower_bound_is_the_first_that_is_not_less(
        mut rows in prop::collection::vec((0..20u64, 0..20u64), 0..100), key in (0..21u64, 0..21u64), from in 0..100usize, short: bool
    ) {
        rows.sort_unstable();
        let block = block(&rows);
        let key = if short { vec![key.0] } else { vec![key.0, key.1] };
        let from = from.min(rows.len());
        let least = rows.iter().skip(from).position(|r| *[r.0, r.1].get(..key.len()).unwrap() >= *key);
        prop_assert_eq!(block.lower_bound(from, &key), least.map_or(rows.len(), |n| n + from));
    }
}

#[test]
fn cutting_keeps_the_middle() {
    let mut block = block(&[(1, 2), (3, 4), (5, 6)]);
    block.cut(1, 9);
    assert_eq!(block.rows(), 2);
    assert_eq!(block.column(1), [4, 6]);
    block.drop_columns(1);
    assert_eq!(block.columns(), [vec![4, 6]]);
}

#[test]
fn wide_blocks_have_few_rows() {
    assert_eq!(Block::rows_max(2), 8192);
    assert_eq!(Block::rows_max(4096), 8);
    assert_eq!(Block::rows_max(1 << 20), 1);
}
