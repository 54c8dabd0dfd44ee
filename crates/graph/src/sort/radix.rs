//! Sorting keys in memory: buckets by their highest differing bits until a bucket fits the processor's cache,
//! there by digits from the lowest. Digits in which all keys of a bucket agree cost nothing. Keys that differ in many digits, as hashes
//! do, are told apart by a few of them: their buckets are divided further until comparing is faster.
//!
//! Deliberately absent: budgets, duplicates.

use super::key::Key;

/// Below this, comparing is faster than counting.
const COMPARE_KEYS_MAX: usize = 160;
/// Bytes of a bucket that is sorted by digits from the lowest: it and its copy stay in the second-level cache.
const CACHED_BYTES_MAX: usize = 256 << 10;

/// With more digits that differ, most of them decide nothing.
const DIGITS_MAX: usize = 10;

/// Sorts `keys`. `scratch` must be as long; its content is lost.
pub(crate) fn sort<K: Key>(keys: &mut [K], scratch: &mut [K]) {
    let count = keys.len();
    let Some(scratch) = scratch.get_mut(..count) else {
        keys.sort_unstable();
        return;
    };
    if count <= COMPARE_KEYS_MAX {
        keys.sort_unstable();
        return;
    }
    let differing = differing(keys);
    if is_by_digits(keys, differing) {
        if by_digits(keys, scratch, differing) {
            keys.copy_from_slice(scratch);
        }
        return;
    }
    let Some(shift) = top_digit(differing) else { return };
    let counts = partition(keys, scratch, shift);
    buckets(scratch, keys, &counts, |from, to| sort_into(from, to));
}

/// Sorts `from` into `to`, which is as long; the content of `from` is lost.
fn sort_into<K: Key>(from: &mut [K], to: &mut [K]) {
    if from.len() <= COMPARE_KEYS_MAX {
        to.copy_from_slice(from);
        to.sort_unstable();
        return;
    }
    let differing = differing(from);
    if is_by_digits(from, differing) {
        if !by_digits(from, to, differing) {
            to.copy_from_slice(from);
        }
        return;
    }
    let Some(shift) = top_digit(differing) else {
        to.copy_from_slice(from);
        return;
    };
    let counts = partition(from, to, shift);
    buckets(to, from, &counts, |bucket, scratch| sort(bucket, scratch));
}

/// The bits in which any two of the keys differ.
fn differing<K: Key>(keys: &[K]) -> K {
    let first = keys.first().copied().unwrap_or_default();
    keys.iter()
        .fold(K::default(), |all, key| all.union(key.differing(first)))
}

/// Whether a bucket is sorted by its digits from the lowest.
fn is_by_digits<K: Key>(keys: &[K], differing: K) -> bool {
    let digits = || {
        let shifts = (0..differing.bits()).step_by(8);
        shifts.filter(|shift| differing.digit(*shift) != 0).count()
    };
    size_of_val(keys) <= CACHED_BYTES_MAX && digits() <= DIGITS_MAX
}

/// Where the highest eight bits of those that differ begin.
fn top_digit<K: Key>(differing: K) -> Option<u32> {
    match differing.bits() {
        0 => None,
        bits => Some(bits.saturating_sub(8)),
    }
}

/// Calls `each` with the same parts of both slices, bucket by bucket.
fn buckets<K: Key>(a: &mut [K], b: &mut [K], counts: &[usize; 256], each: impl Fn(&mut [K], &mut [K])) {
    let (mut a, mut b) = (a, b);
    for count in counts {
        let (Some((bucket_a, rest_a)), Some((bucket_b, rest_b))) =
            (a.split_at_mut_checked(*count), b.split_at_mut_checked(*count))
        else {
            return;
        };
        if *count > 0 {
            each(bucket_a, bucket_b);
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// Sorts by each digit that differs, the lowest first, from one slice to the other and back. Whether the
/// result lies in `scratch`.
fn by_digits<K: Key>(keys: &mut [K], scratch: &mut [K], differing: K) -> bool {
    let (mut from, mut to, mut swapped) = (keys, scratch, false);
    for shift in (0..differing.bits()).step_by(8) {
        if differing.digit(shift) == 0 {
            continue;
        }
        partition(from, to, shift);
        (from, to, swapped) = (to, from, !swapped);
    }
    swapped
}

/// Moves `from` to `to`, ordered by the digit at `shift` and otherwise as it was. How many keys have each digit.
fn partition<K: Key>(from: &[K], to: &mut [K], shift: u32) -> [usize; 256] {
    let mut counts = [0_usize; 256];
    for key in from {
        let digit = usize::from(key.digit(shift));
        if let Some(count) = counts.get_mut(digit) {
            *count += 1;
        }
    }
    let mut places = [0_usize; 256];
    let mut sum = 0;
    for (place, count) in places.iter_mut().zip(&counts) {
        *place = sum;
        sum += count;
    }
    for key in from {
        let digit = usize::from(key.digit(shift));
        if let Some(place) = places.get_mut(digit) {
            if let Some(slot) = to.get_mut(*place) {
                *slot = *key;
            }
            *place += 1;
        }
    }
    counts
}
