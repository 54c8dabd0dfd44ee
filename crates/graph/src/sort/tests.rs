use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::{Sorter, sort_tuples};
use crate::{Block, Tuples, storage::Memory, tuples::collect};

fn sorted(arity: usize, budget: u64, rows: &[Vec<u64>]) -> (Vec<Vec<u64>>, u64) {
    let mut sorter = Sorter::new(arity, budget, Arc::new(Memory)).unwrap();
    for part in rows.chunks(100) {
        let columns: Vec<Vec<u64>> = (0..arity)
            .map(|at| part.iter().map(|row| row[at]).collect())
            .collect();
        let columns: Vec<&[u64]> = columns.iter().map(Vec::as_slice).collect();
        sorter.push(&columns).unwrap();
    }
    let (mut tuples, cost) = sorter.finish().unwrap();
    let out = collect(&mut tuples).unwrap();
    (out, cost.spilled_bytes)
}

fn expected(rows: &[Vec<u64>]) -> Vec<Vec<u64>> {
    rows.iter()
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Numbers that look random and are the same each time.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 20
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_arity_comes_out_sorted_and_distinct(
        arity in 1_usize..=20,
        wide in any::<bool>(),
        seed in any::<u64>(),
        count in 0_usize..3000,
    ) {
        let top = if wide { u64::MAX } else { 40 };
        let mut source = numbers(seed);
        let rows: Vec<Vec<u64>> = (0..count)
            .map(|_| source.by_ref().take(arity).map(|n| n.rotate_left(30) % top).collect())
            .collect();
        let (out, _) = sorted(arity, 1 << 30, &rows);
        prop_assert_eq!(out, expected(&rows));
    }
}

#[test]
fn what_does_not_fit_is_spilled_and_merged() {
    let rows: Vec<Vec<u64>> = {
        let mut source = numbers(7);
        (0..200_000)
            .map(|_| source.by_ref().take(2).map(|n| n % 3000).collect())
            .collect()
    };
    let (out, spilled) = sorted(2, 64 << 10, &rows);
    assert_eq!(out, expected(&rows));
    assert!(spilled > 100_000, "only {spilled} bytes were spilled");
}

#[test]
fn more_runs_than_are_merged_at_once() {
    let rows: Vec<Vec<u64>> = numbers(3).take(300_000).map(|n| vec![n]).collect();
    let (out, _) = sorted(1, 0, &rows);
    assert_eq!(out, expected(&rows));
}

#[test]
fn duplicates_alone_never_spill() {
    let mut sorter = Sorter::new(2, 64 << 10, Arc::new(Memory)).unwrap();
    let column: Vec<u64> = (0..1000).collect();
    for _ in 0..100 {
        sorter.push(&[&column, &column]).unwrap();
    }
    let (mut tuples, cost) = sorter.finish().unwrap();
    let mut block = Block::default();
    assert!(tuples.next(&mut block).unwrap());
    assert_eq!(block.columns(), [column.clone(), column]);
    assert!(!tuples.next(&mut block).unwrap());
    assert_eq!((cost.taken, cost.spilled_bytes), (100_000, 0));
}

#[test]
fn seeking_passes_over_what_is_less() {
    for budget in [0, 1 << 20] {
        let mut sorter = Sorter::new(2, budget, Arc::new(Memory)).unwrap();
        let column: Vec<u64> = (0..40_000).rev().map(|n| n * 2).collect();
        sorter.push(&[&column, &column]).unwrap();
        let (mut tuples, _) = sorter.finish().unwrap();
        let mut block = Block::default();
        for wanted in [0_u64, 3, 39_999, 60_000, 79_998] {
            tuples.seek(&[wanted]).unwrap();
            assert!(tuples.next(&mut block).unwrap());
            let first = block.column(0).first().copied();
            assert!(first >= Some(wanted), "{wanted} {first:?}");
        }
        tuples.seek(&[80_000]).unwrap();
        assert!(!tuples.next(&mut block).unwrap());
    }
}

#[test]
fn rows_are_sorted_in_place() {
    for width in [1_usize, 2, 3, 5, 9, 30] {
        let mut tuples: Vec<u64> = numbers(width as u64).take(width * 5000).map(|n| n % 3).collect();
        let rows: Vec<Vec<u64>> = tuples.chunks(width).map(<[u64]>::to_vec).collect();
        sort_tuples(width, &mut tuples);
        let out: Vec<Vec<u64>> = tuples.chunks(width).map(<[u64]>::to_vec).collect();
        assert_eq!(out, expected(&rows), "width {width}");
    }
}

#[test]
fn sorters_of_several_workers_merge() {
    let mut sorters = Vec::new();
    for worker in 0..3_u64 {
        let mut sorter = Sorter::new(3, 1 << 20, Arc::new(Memory)).unwrap();
        let column: Vec<u64> = (0..50).map(|n| n * 2 + worker % 2).collect();
        sorter.push(&[&column, &column, &column]).unwrap();
        sorters.push(sorter);
    }
    let (mut tuples, _) = Sorter::merge(sorters).unwrap();
    let mut block = Block::default();
    assert!(tuples.next(&mut block).unwrap());
    assert_eq!(block.column(2), (0..100).collect::<Vec<u64>>());
}

#[test]
fn a_shape_that_is_wrong_is_an_error() {
    assert!(Sorter::new(0, 1, Arc::new(Memory)).is_err());
    assert!(Sorter::new(65, 1, Arc::new(Memory)).is_err());
    let mut sorter = Sorter::new(2, 1, Arc::new(Memory)).unwrap();
    assert!(sorter.push(&[&[1]]).is_err());
    assert!(sorter.push(&[&[1], &[1, 2]]).is_err());
}
