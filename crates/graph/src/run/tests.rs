use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::{Cache, Run, Writer, blocks_max};
use crate::{Block, Bounds, Tuples, storage::Memory, tuples::collect};

fn run_of(width: usize, tuples: &BTreeSet<Vec<u64>>, push: usize) -> Run {
    let mut writer = Writer::new(&Memory, width);
    let all: Vec<_> = tuples.iter().collect();
    for chunk in all.chunks(push.max(1)) {
        let mut block = Block::new(width);
        chunk.iter().for_each(|t| block.push(t));
        writer.push(&block).unwrap();
    }
    writer.finish().unwrap()
}

fn within(tuples: &BTreeSet<Vec<u64>>, bounds: &Bounds) -> Vec<Vec<u64>> {
    let fits = |t: &&Vec<u64>| {
        let next = t.get(bounds.prefix.len());
        t.starts_with(&bounds.prefix) && next.is_none_or(|v| (bounds.least..=bounds.most).contains(v))
    };
    tuples.iter().filter(fits).cloned().collect()
}

/// Wide tuples have small blocks, so a few thousand numbers make several blocks and segments.
fn tuples(width: usize) -> impl Strategy<Value = BTreeSet<Vec<u64>>> {
    let number = prop_oneof![8 => 0..6u64, 1 => any::<u64>(), 1 => Just(u64::MAX)];
    prop::collection::btree_set(prop::collection::vec(number, width), 0..120)
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let number = || prop_oneof![4 => 0..6u64, 1 => Just(u64::MAX)];
    (prop::collection::vec(number(), 0..2), number(), number()).prop_map(|(prefix, a, b)| Bounds {
        prefix,
        least: a.min(b),
        most: a.max(b),
    })
}

proptest! {
    #[test]
    fn a_scan_gives_what_is_within_its_bounds(tuples in tuples(3), bounds in bounds(), push in 1..50usize) {
        let run = run_of(3, &tuples, push);
        let expected = within(&tuples, &bounds);
        prop_assert_eq!(collect(&mut run.scan(&bounds)).unwrap(), expected.clone());
        prop_assert_eq!(run.measure(&bounds).unwrap().rows, expected.len() as u64);
    }

    #[test]
    fn seeking_passes_over_what_is_less(
        tuples in tuples(2500), keys in prop::collection::vec(prop::collection::vec(0..7u64, 1..3), 0..5)
    ) {
        let run = run_of(2500, &tuples, 3);
        let mut scan = run.scan(&Bounds::all());
        let mut left: Vec<Vec<u64>> = tuples.into_iter().collect();
        let mut block = Block::default();
        for key in keys {
            scan.seek(&key).unwrap();
            left.retain(|t| t[..key.len()] >= key[..]);
            let some = scan.next(&mut block).unwrap();
            prop_assert_eq!(some, !left.is_empty());
            let got: Vec<Vec<u64>> = (0..block.rows()).map(|r| { let mut t = vec![]; block.row(r, &mut t); t }).collect();
            let rest = left.split_off(got.len());
            prop_assert_eq!(left, got);
            left = rest;
        }
        prop_assert_eq!(collect(&mut scan).unwrap(), left);
    }
}

fn pairs(count: u64, of: impl Fn(u64) -> [u64; 2]) -> Run {
    let mut writer = Writer::new(&Memory, 2);
    let mut block = Block::new(2);
    for n in 0..count {
        block.push(&of(n));
        if block.rows() == 8192 || n + 1 == count {
            writer.push(&block).unwrap();
            block.reset(2);
        }
    }
    writer.finish().unwrap()
}

#[test]
fn many_blocks_and_a_point_in_the_middle() {
    let run = pairs(100_000, |n| [n / 10, n % 10 * 7]);
    let bounds = Bounds::prefix(vec![5_000]);
    let expected: Vec<Vec<u64>> = (0..10).map(|n| vec![5_000, n * 7]).collect();
    assert_eq!(collect(&mut run.scan(&bounds)).unwrap(), expected);
    let all = run.measure(&Bounds::all()).unwrap();
    assert_eq!(all.rows, 100_000);
    assert!((10_000..10_020).contains(&all.distinct_1), "{all:?}");
    assert_eq!(all.distinct_2, 100_000);
    let parts = run.split(&[], 4).unwrap();
    assert_eq!(parts.len(), 3);
    assert!(parts.is_sorted());
}

#[test]
fn what_is_kept_gives_what_is_read() {
    let run = pairs(100_000, |n| [n / 10 * 2, n % 10 * 7]);
    for bytes in [0, Cache::MEMORY] {
        let cache = Arc::new(Cache::new(bytes));
        // Some keys lie over the border of two blocks, every other one is not there, and some ranges are of many blocks.
        for key in (0..20_100).step_by(151).chain([7, 9007, 1638, 1640]) {
            let bounds = match key {
                7 | 9007 => Bounds {
                    least: key,
                    ..Bounds::all()
                },
                _ => Bounds::prefix(vec![key]),
            };
            let read = collect(&mut run.scan(&bounds)).unwrap();
            let kept = collect(&mut run.scan(&bounds).with_cache(Arc::clone(&cache))).unwrap();
            assert_eq!(kept, read, "{key}");
            let mut found = Vec::new();
            let is_there = run.find(&[key], &cache, &mut found).unwrap();
            assert_eq!(is_there, key % 2 == 0 && key < 20_000, "{key}");
        }
    }
}

#[test]
fn a_binary_fact_takes_a_few_bytes() {
    // Ten thousand things, each with ten others of a million.
    let run = pairs(100_000, |n| {
        [
            (1 << 61) + n / 10,
            (1 << 61) + n % 10 * 100_000 + (n * 7919) % 100_000,
        ]
    });
    let per_fact = run.bytes() as f64 / 100_000.0;
    assert!(per_fact < 4.0, "{per_fact} bytes a fact");
}

#[test]
fn segments_follow_each_other() {
    let width = 1000;
    let most = blocks_max(width) * Block::rows_max(width);
    let count = most + 5;
    let mut writer = Writer::new(&Memory, width);
    for n in 0..count as u64 {
        let mut block = Block::new(width);
        block.push(&[n]);
        writer.push(&block).unwrap();
    }
    let run = writer.finish().unwrap();
    assert_eq!(run.segments().len(), 2);
    assert_eq!(run.rows(), count as u64);
    let last = Bounds {
        prefix: vec![],
        least: most as u64,
        most: u64::MAX,
    };
    assert_eq!(collect(&mut run.scan(&last)).unwrap().len(), 5);
}

#[test]
fn tuples_out_of_order_are_refused() {
    let mut writer = Writer::new(&Memory, 1);
    let block = |n: u64| {
        let mut block = Block::new(1);
        (0..8192).for_each(|i| block.push(&[n + i]));
        block
    };
    writer.push(&block(8192)).unwrap();
    assert!(writer.push(&block(0)).is_err());
}

#[test]
fn nothing_is_a_run_too() {
    let run = Writer::new(&Memory, 2).finish().unwrap();
    assert_eq!(run.rows(), 0);
    assert!(!run.scan(&Bounds::all()).next(&mut Block::new(2)).unwrap());
}
