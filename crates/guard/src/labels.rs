//! Labels of objects: words that say what may be done with what is in them.
//!
//! Invariant: there is one place that says where an object's labels stand.

/// The tag whose value is an object's labels, with spaces between them: `secret pii`.
pub const LABELS_TAG: &str = "craton:labels";

/// The labels among an object's tags, each once, in order.
#[must_use]
pub fn labels(tags: &[(String, String)]) -> Vec<String> {
    let found = tags.iter().filter(|(key, _)| key == LABELS_TAG);
    let words = found.flat_map(|(_, value)| value.split_whitespace());
    let mut labels: Vec<String> = words.map(str::to_owned).collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}
