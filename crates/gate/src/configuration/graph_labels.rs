//! The labels of a bucket's graphs: one document of the bucket, so that a decision about a graph knows them without a read.
//!
//! Invariants: a graph has at most 16 labels, each one word; it need not exist yet.
//!
//! Deliberately absent: what labels mean, which guard policies say.

use bytes::Bytes;
use craton_base::{Error, GraphName, Kind as ErrorKind, Result};
use prost::Message;

use super::access::malformed;

/// The most labels of a graph.
const GRAPH_LABELS_MAX: usize = 16;

/// The longest label, in bytes.
const LABEL_BYTES_MAX: usize = 128;

/// Labels by graph. The tags are on disk (`docs/formats.md`, "Labels of graphs").
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct GraphLabels {
    /// By name of the graph, in order.
    #[prost(message, repeated, tag = "1")]
    graphs: Vec<OfGraph>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct OfGraph {
    #[prost(string, tag = "1")]
    graph: String,
    #[prost(string, repeated, tag = "2")]
    labels: Vec<String>,
}

impl GraphLabels {
    pub(super) fn parse(document: &Bytes) -> Result<Self> {
        Self::decode(document.clone()).map_err(|e| malformed("labels of graphs").with_source(e))
    }

    fn place(&self, graph: &GraphName) -> std::result::Result<usize, usize> {
        self.graphs
            .binary_search_by(|of| of.graph.as_str().cmp(graph.as_str()))
    }

    /// The labels of a graph.
    pub(crate) fn of(&self, graph: &GraphName) -> &[String] {
        let found = self.place(graph).ok().and_then(|at| self.graphs.get(at));
        found.map_or(&[], |of| &of.labels)
    }

    /// The same with other labels of one graph.
    ///
    /// # Errors
    /// `InvalidLabel`.
    pub(crate) fn with(&self, graph: &GraphName, labels: &[String]) -> Result<Self> {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let is_word = |label: &String| {
            let odd = |c: char| c.is_whitespace() || c.is_control();
            (1..=LABEL_BYTES_MAX).contains(&label.len()) && !label.contains(odd)
        };
        if labels.len() > GRAPH_LABELS_MAX || !labels.iter().all(is_word) {
            let text = format!(
                "a graph has at most {GRAPH_LABELS_MAX} labels, each one word of at most {LABEL_BYTES_MAX} bytes"
            );
            return Err(Error::new(ErrorKind::Invalid, "InvalidLabel", text));
        }
        let mut out = self.clone();
        if let Ok(at) = self.place(graph) {
            out.graphs.remove(at);
        }
        if let (Err(at), false) = (out.place(graph), labels.is_empty()) {
            let graph = graph.as_str().to_owned();
            out.graphs.insert(at, OfGraph { graph, labels });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
