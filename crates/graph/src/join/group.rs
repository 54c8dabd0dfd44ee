//! The values that bindings with one key lead to, without duplicates: a few are sorted, many are marked in a bitmap.
//!
//! Deliberately absent: where values come from and go to.

use super::marks::Marks;

/// Up to so many values sorting beats marking, whatever the bitmap's size.
const SORTED_MIN: usize = 64;
/// A bitmap of so many numbers a value is too large to be gone through.
const SUMMARY_NUMBERS: u32 = 1 << 15;
/// Numbers beyond which there is no bitmap.
pub(super) const MARKS_BOUND_MAX: u32 = 1 << 28;

/// One group at a time.
pub(super) struct Group {
    pub(super) is_open: bool,
    pub(super) key: Vec<u32>,
    /// Whether any value was found, where values do not matter.
    pub(super) found: bool,
    pending: Vec<u32>,
    /// Up to so many pending values are sorted.
    sorted_max: usize,
    marks: Option<Marks>,
    marked: bool,
    bound: u32,
    scratch: Vec<u32>,
}

impl Group {
    /// For values below `bound`.
    pub(super) fn new(bound: u32) -> Self {
        Self {
            is_open: false,
            key: Vec::new(),
            found: false,
            pending: Vec::new(),
            sorted_max: SORTED_MIN.max((bound / SUMMARY_NUMBERS) as usize),
            marks: None,
            marked: false,
            bound,
            scratch: Vec::new(),
        }
    }

    /// Whether the open group has this key: row `row` of the columns.
    #[inline]
    pub(super) fn is(&self, keys: &[&[u32]], row: usize) -> bool {
        self.is_open
            && self
                .key
                .iter()
                .zip(keys)
                .all(|(value, column)| column.get(row) == Some(value))
    }

    /// Opens the group with this key.
    #[inline]
    pub(super) fn open(&mut self, keys: &[&[u32]], row: usize) {
        self.is_open = true;
        self.found = false;
        self.key.clear();
        self.key
            .extend(keys.iter().filter_map(|column| column.get(row).copied()));
    }

    /// Says that up to so many values are about to come.
    #[inline]
    pub(super) fn expect(&mut self, count: usize) {
        if !self.marked && self.pending.len() + count > self.sorted_max {
            self.mark();
        }
    }

    fn mark(&mut self) {
        if self.bound > MARKS_BOUND_MAX {
            // Sorting in between keeps what is pending within twice what is different.
            self.pending.sort_unstable();
            self.pending.dedup();
            self.sorted_max = self.sorted_max.max(2 * self.pending.len());
            return;
        }
        let marks = self.marks.get_or_insert_with(|| Marks::new(self.bound));
        for value in self.pending.drain(..) {
            marks.insert(value);
        }
        self.marked = true;
    }

    /// Adds values.
    #[inline]
    pub(super) fn add(&mut self, values: &[u32]) {
        match &mut self.marks {
            Some(marks) if self.marked => {
                for value in values {
                    marks.insert(*value);
                }
            }
            _ => self.pending.extend_from_slice(values),
        }
    }

    /// The group's key and its values, ascending, each once.
    pub(super) fn take(&mut self) -> (&[u32], &[u32]) {
        self.scratch.clear();
        match &mut self.marks {
            Some(marks) if self.marked => {
                self.marked = false;
                marks.drain(&mut self.scratch);
            }
            _ => {
                std::mem::swap(&mut self.scratch, &mut self.pending);
                self.scratch.sort_unstable();
                self.scratch.dedup();
            }
        }
        (&self.key, &self.scratch)
    }
}
