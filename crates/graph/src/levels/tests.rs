use super::{TAIL_OF_FACTS, TAIL_OF_NAMES, merge_runs, tail, write_rows};
use crate::{Bounds, storage::Memory, tuples::collect};

#[test]
fn a_tail_of_like_levels_is_merged() {
    assert_eq!(tail(&[], 4), None);
    assert_eq!(tail(&[100, 1, 1, 1], 4), None);
    assert_eq!(tail(&[100, 1, 1, 1, 1], 4), Some(1));
    assert_eq!(
        tail(&[4, 1, 1, 1], 4),
        Some(0),
        "a level that is not much larger goes along"
    );
}

#[test]
fn levels_stay_few_and_rewriting_is_logarithmic() {
    for (least, most) in [(TAIL_OF_NAMES, 12), (TAIL_OF_FACTS, 11)] {
        let (mut levels, mut written) = (Vec::new(), 0u64);
        for _ in 0..10_000 {
            levels.push(1u64);
            written += 1;
            if let Some(start) = tail(&levels, least) {
                let sum: u64 = levels.drain(start..).sum();
                written += sum;
                levels.push(sum);
            }
            assert!(levels.len() < 48, "{levels:?}");
        }
        assert!(written < 10_000 * most, "{written}");
    }
}

#[test]
fn merging_is_the_union() {
    let a = write_rows(&Memory, 2, &[1, 1, 3, 3]).unwrap();
    let b = write_rows(&Memory, 2, &[1, 1, 2, 2]).unwrap();
    let run = merge_runs(&[a, b], &Memory).unwrap();
    let all = collect(&mut run.scan(&Bounds::all())).unwrap();
    assert_eq!(all, [[1, 1], [2, 2], [3, 3]]);
}
