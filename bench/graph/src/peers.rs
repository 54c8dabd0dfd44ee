//! Peers in this process: datafrog and ascent. Edges are in their relations before the clock starts.

use crate::{
    edges::Task,
    measure::{Row, Start},
};

pub(crate) fn datafrog(task: &Task) -> Row {
    use datafrog::{Relation, RelationLeaper};
    let edges: Relation<(u32, u32)> = task.edges.iter().copied().collect();
    // Joins are on the first column: the other way round is an index, as Craton's other orders are.
    let back: Relation<(u32, u32)> = task.edges.iter().map(|(a, b)| (*b, *a)).collect();
    let start = Start::now();
    let hop = |from: &Relation<(u32, u32)>| -> Relation<(u32, u32)> {
        Relation::from_join(from, &edges, |_, a, c| (*a, *c))
    };
    let results = match task.name {
        "two-hop" => hop(&back).len(),
        "triangles" => {
            let leapers = (
                edges.extend_with(|(_, b): &(u32, u32)| *b),
                edges.extend_with(|(a, _): &(u32, u32)| *a),
            );
            let found: Relation<(u32, u32, u32)> =
                Relation::from_leapjoin(&edges, leapers, |(a, b), c| (*a, *b, *c));
            found.len()
        }
        "star" => Relation::<(u32, u32)>::from_join(&edges, &edges, |_, a, b| (*a, *b)).len(),
        _ => {
            let two = hop(&back);
            let turned = Relation::from_map(&two, |(a, c)| (*c, *a));
            hop(&turned).len()
        }
    };
    Row::new(results as u64, &start)
}

mod programs {
    ascent::ascent! {
        pub struct TwoHop;
        relation edge(u32, u32);
        relation out(u32, u32);
        out(a, c) <-- edge(a, b), edge(b, c);
    }
    ascent::ascent! {
        pub struct Triangles;
        relation edge(u32, u32);
        relation out(u32, u32, u32);
        out(a, b, c) <-- edge(a, b), edge(b, c), edge(a, c);
    }
    ascent::ascent! {
        pub struct Path3;
        relation edge(u32, u32);
        relation two(u32, u32);
        relation out(u32, u32);
        two(a, c) <-- edge(a, b), edge(b, c);
        out(a, d) <-- two(a, c), edge(c, d);
    }
    ascent::ascent! {
        pub struct Star;
        relation edge(u32, u32);
        relation out(u32, u32);
        out(a, b) <-- edge(h, a), edge(h, b);
    }
}

pub(crate) fn ascent(task: &Task) -> Row {
    macro_rules! run {
        ($program:ty) => {{
            let mut program = <$program>::default();
            program.edge = task.edges.clone();
            let start = Start::now();
            program.run();
            Row::new(program.out.len() as u64, &start)
        }};
    }
    match task.name {
        "two-hop" => run!(programs::TwoHop),
        "triangles" => run!(programs::Triangles),
        "star" => run!(programs::Star),
        _ => run!(programs::Path3),
    }
}
