//! Finds, among very many texts, those that a given text starts with, in the time of one binary search.
//!
//! Texts are sorted. All starts of a text are no greater than it, and everything sorted between a start of the text
//! and the text begins with that start. So the greatest start that is no greater than the text leads, over links from
//! each start to the longest other start that it begins with, to all of them; and since each of those is a start of
//! the one before, they are starts of the text up to the length that the first has in common with it.
//!
//! Invariant: memory is proportional to what was put in.
//!
//! Deliberately absent: what the items are, and whether one fits: what is found is evaluated in full.

/// Lists up to this length are gone through one by one.
const SHORT: usize = 8;

/// Something that fits only texts with a fixed start.
pub(super) trait Starting {
    /// Literal text with which everything that fits begins.
    fn start(&self) -> String;

    /// Whether what fits is another for another request.
    fn is_dynamic(&self) -> bool {
        false
    }
}

/// Items by the starts that they were given.
#[derive(Debug, Clone)]
pub(super) struct Starts<T> {
    /// All starts, one after the other.
    text: Box<[u8]>,
    nodes: Box<[Node]>,
    items: Box<[T]>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Where its start ends in `text`, and the next one's begins.
    text_end: usize,
    /// Where its items end in `items`, and the next one's begin.
    items_end: usize,
    /// The longest other start with which this one begins.
    shorter: Option<usize>,
}

impl<T> Default for Starts<T> {
    fn default() -> Self {
        Self {
            text: Box::default(),
            nodes: Box::default(),
            items: Box::default(),
        }
    }
}

impl<T: Ord> Starts<T> {
    /// Of items with their starts.
    pub(super) fn new<S: AsRef<str> + Ord>(mut list: Vec<(S, T)>) -> Self {
        list.sort_unstable();
        list.dedup();
        let mut text: Vec<u8> = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut items = Vec::with_capacity(list.len());
        // The starts with which the newest begins, each with its node: where it lies in `text`.
        let mut open: Vec<(usize, std::ops::Range<usize>)> = Vec::new();
        for (start, item) in list {
            let start = start.as_ref().as_bytes();
            items.push(item);
            let is = |range: &std::ops::Range<usize>| text.get(range.clone()).unwrap_or_default();
            if let (Some(last), Some((_, range))) = (nodes.last_mut(), open.last())
                && is(range) == start
            {
                last.items_end = items.len();
                continue;
            }
            while open
                .last()
                .is_some_and(|(_, range)| !start.starts_with(is(range)))
            {
                open.pop();
            }
            let begin = text.len();
            text.extend_from_slice(start);
            let shorter = open.last().map(|(node, _)| *node);
            open.push((nodes.len(), begin..text.len()));
            nodes.push(Node {
                text_end: text.len(),
                items_end: items.len(),
                shorter,
            });
        }
        Self {
            text: text.into(),
            nodes: nodes.into(),
            items: items.into(),
        }
    }
}

impl<T> Starts<T> {
    /// The items whose start `text` begins with; those of the longest first.
    pub(super) fn of(&self, text: &str) -> impl Iterator<Item = &T> {
        let text = text.as_bytes();
        let mut next = self.last_up_to(text);
        let shared = next.map_or(0, |node| common(self.start(node), text));
        let found = std::iter::from_fn(move || {
            loop {
                let at = next?;
                next = self.nodes.get(at)?.shorter;
                if self.start(at).len() <= shared {
                    return Some(self.items(at));
                }
            }
        });
        found.flatten()
    }

    /// The items whose start is longer than `text` and begins with it.
    pub(super) fn beyond(&self, text: &str) -> impl Iterator<Item = &T> {
        let text = text.as_bytes();
        let first = self.last_up_to(text).map_or(0, |node| node.saturating_add(1));
        let longer = (first..self.nodes.len()).take_while(move |node| self.start(*node).starts_with(text));
        longer.flat_map(move |node| self.items(node))
    }

    /// The greatest start that is no greater than `text`.
    fn last_up_to(&self, text: &[u8]) -> Option<usize> {
        let (mut from, mut to) = (0, self.nodes.len());
        while from < to {
            let middle = from.midpoint(to);
            if self.start(middle) <= text {
                from = middle.saturating_add(1);
            } else {
                to = middle;
            }
        }
        from.checked_sub(1)
    }

    fn before(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node.checked_sub(1)?)
    }

    fn start(&self, node: usize) -> &[u8] {
        let begin = self.before(node).map_or(0, |n| n.text_end);
        let end = self.nodes.get(node).map_or(begin, |n| n.text_end);
        self.text.get(begin..end).unwrap_or_default()
    }

    fn items(&self, node: usize) -> &[T] {
        let begin = self.before(node).map_or(0, |n| n.items_end);
        let end = self.nodes.get(node).map_or(begin, |n| n.items_end);
        self.items.get(begin..end).unwrap_or_default()
    }
}

/// How many bytes two texts begin with in common.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Leads to the values of a list that a text may fit. Of a short list that is all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Finder(Option<Starts<usize>>);

impl Finder {
    /// For a list that does not change from here on.
    pub(super) fn new<T: Starting>(values: &[T]) -> Self {
        let starts = || values.iter().zip(0..).map(|(value, at)| (value.start(), at));
        Self((values.len() > SHORT).then(|| Starts::new(starts().collect())))
    }

    /// Whether one of `values`, the list that it was made for, fits `text`.
    pub(super) fn any<T>(&self, values: &[T], text: &str, mut fits: impl FnMut(&T) -> bool) -> bool {
        match &self.0 {
            None => values.iter().any(fits),
            Some(starts) => starts.of(text).filter_map(|at| values.get(*at)).any(&mut fits),
        }
    }
}

#[cfg(test)]
mod tests;
