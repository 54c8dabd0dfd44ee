//! Labels: words that say what may be done with what is in them.
//!
//! Objects have theirs in a tag, tables in a property, graphs in their bucket's configuration. A table's are those of the files
//! in its folder, too.

/// The tag whose value is an object's labels, with spaces between them: `secret pii`.
pub const LABELS_TAG: &str = "craton:labels";

/// The labels among an object's tags, each once, in order.
#[must_use]
pub fn labels(tags: &[(String, String)]) -> Vec<String> {
    let found = tags.iter().filter(|(key, _)| key == LABELS_TAG);
    sorted(found.flat_map(|(_, value)| value.split_whitespace()))
}

/// The labels in a text of words, each once, in order.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    sorted(text.split_whitespace())
}

fn sorted<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut labels: Vec<String> = words.map(str::to_owned).collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}
