//! The graphs: uniform, power-law (R-MAT) and a real one (the Gene Ontology with its annotations), the same each time.

use std::{collections::HashMap, io::Read as _};

/// Edges, sorted and distinct, and what is asked of them.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) edges: Vec<(u32, u32)>,
}

/// A task by its name: what is asked, of which graph.
pub(crate) fn task(name: &str) -> Option<Task> {
    let (kind, graph) = name.rsplit_once('-')?;
    let mut edges = match (kind, graph) {
        // 40 million results.
        ("two-hop", "random") => uniform(2_500_000, 10_000_000),
        ("path-3", "random") => uniform(200_000, 1_000_000),
        ("star", "random") => uniform(1_000_000, 4_000_000),
        ("triangles", "random") => low_to_high(uniform(100_000, 4_000_000)),
        // 15.7 million triangles.
        ("triangles", "power") => low_to_high(rmat(16, 16 << 16)),
        ("path-3", "power") => rmat(12, 8 << 12),
        ("two-hop" | "star", "power") => rmat(15, 8 << 15),
        ("two-hop" | "path-3" | "star", "real") => real()?,
        ("triangles", "real") => low_to_high(real()?),
        ("two-hop" | "path-3" | "star" | "triangles", "smoke") => low_to_high(rmat(8, 8 << 8)),
        _ => return None,
    };
    edges.sort_unstable();
    edges.dedup();
    let name = ["two-hop", "triangles", "path-3", "star"]
        .into_iter()
        .find(|n| *n == kind)?;
    Some(Task { name, edges })
}

/// As of a graph without directions: each edge once, from the lower vertex to the higher.
fn low_to_high(edges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let turned = edges.into_iter().map(|(a, b)| (a.min(b), a.max(b)));
    turned.filter(|(a, b)| a != b).collect()
}

/// The rows of a file of the Gene Ontology, without its header.
fn rows(file: &str) -> Option<String> {
    let path = format!("datasets/gene-ontology/{file}.tsv.gz");
    let opened = std::fs::File::open(crate::root().join(path)).ok()?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(opened)
        .read_to_string(&mut text)
        .ok()?;
    text.split_once('\n').map(|(_, rows)| rows.to_owned())
}

/// Gene to term, and term to parent.
fn real() -> Option<Vec<(u32, u32)>> {
    let mut numbers = HashMap::new();
    let mut edges = Vec::new();
    for (file, from, to) in [("parents", 0, 2), ("annotations", 0, 1)] {
        for line in rows(file)?.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let mut number = |at: usize| {
                let next = numbers.len() as u32;
                columns
                    .get(at)
                    .map(|name| *numbers.entry((*name).to_owned()).or_insert(next))
            };
            edges.push((number(from)?, number(to)?));
        }
    }
    Some(edges)
}

/// The real graph's parents and annotations as S-expressions.
pub(crate) fn real_text() -> Option<String> {
    let mut text = String::new();
    for file in ["parents", "annotations"] {
        for line in rows(file)?.lines() {
            text.push_str(&format!("({file} {})\n", line.replace('\t', " ")));
        }
    }
    Some(text)
}

/// A line for each edge.
pub(crate) fn text(edges: &[(u32, u32)], between: &str) -> String {
    let mut text = String::with_capacity(edges.len() * 16);
    for (a, b) in edges {
        text.push_str(&format!("{a}{between}{b}\n"));
    }
    text
}

/// xorshift64*
pub(crate) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
}

fn uniform(vertices: u64, edges: usize) -> Vec<(u32, u32)> {
    let mut random = random(7);
    (0..edges)
        .map(|_| ((random() % vertices) as u32, (random() % vertices) as u32))
        .collect()
}

/// R-MAT with the shares of Graph500: 0.57, 0.19, 0.19, 0.05.
fn rmat(scale: u32, edges: usize) -> Vec<(u32, u32)> {
    let mut random = random(42);
    let mut edge = || {
        let (mut a, mut b) = (0, 0);
        for _ in 0..scale {
            let (down, right) = match random() % 100 {
                0..57 => (0, 0),
                57..76 => (0, 1),
                76..95 => (1, 0),
                _ => (1, 1),
            };
            (a, b) = (a * 2 + down, b * 2 + right);
        }
        (a, b)
    };
    (0..edges).map(|_| edge()).collect()
}
