//! The graphs: uniform and power-law (R-MAT), the same each time.

/// Edges, sorted and distinct, and what is asked of them.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) edges: Vec<(u32, u32)>,
}

pub(crate) fn task(name: &str) -> Option<Task> {
    let (name, mut edges) = match name {
        // 40 million results.
        "two-hop" => ("two-hop", uniform(2_500_000, 10_000_000)),
        "triangles" => ("triangles", rmat(16, 16 << 16)),
        "path-3" => ("path-3", uniform(200_000, 1_000_000)),
        "path-3-power" => ("path-3-power", rmat(12, 8 << 12)),
        "star" => ("star", uniform(1_000_000, 4_000_000)),
        _ => return None,
    };
    edges.sort_unstable();
    edges.dedup();
    Some(Task { name, edges })
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
fn random(seed: u64) -> impl FnMut() -> u64 {
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
