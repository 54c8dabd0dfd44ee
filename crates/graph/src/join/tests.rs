use std::{collections::BTreeSet, sync::Arc};

use craton_base::{Result, clock::SystemClock};
use proptest::prelude::*;

use super::{Atom, Query, Range, Report, Resources, Sink, Slot, explain, join};
use crate::{
    Block, Bounds, Control, Facts, Id, Limits, Order, Relation, Statistics, Table, Tuples, model::Model,
    storage::Memory,
};

/// Keeps what each worker was given of each output.
#[derive(Default)]
struct Rows(Vec<Vec<Vec<u64>>>);

impl Sink for Rows {
    fn push(&mut self, output: usize, block: &Block) -> Result<()> {
        self.0.resize_with(self.0.len().max(output + 1), Vec::new);
        for at in 0..block.rows() {
            let mut row = Vec::new();
            block.row(at, &mut row);
            self.0[output].push(row);
        }
        Ok(())
    }
}

fn resources(memory: u64, threads: usize) -> Resources {
    Resources {
        memory,
        threads,
        storage: Arc::new(Memory),
        control: Control::new(Limits::default(), Arc::new(SystemClock::new())),
    }
}

/// A model that has natural orders only, as a graph that was just loaded.
struct Natural<'a>(&'a Model);

impl Facts for Natural<'_> {
    fn tables(&self) -> Vec<Table> {
        self.0.tables()
    }

    fn scan(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>> {
        assert!(order.is_natural(), "an order was asked for that is not there");
        self.0.scan(relation, order, bounds)
    }

    fn statistics(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Statistics> {
        self.0.statistics(relation, order, bounds)
    }

    fn has_order(&self, _: &Relation, order: &Order) -> bool {
        order.is_natural()
    }

    fn split(&self, relation: &Relation, order: &Order, parts: usize) -> Result<Vec<u64>> {
        self.0.split(relation, order, parts)
    }
}

/// The outputs of a join, checked to be in order and without overlap.
fn joined(query: &Query, model: &dyn Facts, resources: &Resources) -> (Vec<BTreeSet<Vec<u64>>>, Report) {
    let (sinks, report) = join(query, model, resources, || Ok(Rows::default())).unwrap();
    let mut outputs = vec![BTreeSet::new(); query.outputs.len()];
    for sink in sinks {
        for (output, rows) in outputs.iter_mut().zip(sink.0) {
            assert!(rows.is_sorted_by(|a, b| a < b), "not in order: {rows:?}");
            for row in rows {
                assert!(output.insert(row.clone()), "{row:?} comes twice");
            }
        }
    }
    (outputs, report)
}

/// The same by trying everything.
fn expected(query: &Query, model: &Model) -> Vec<BTreeSet<Vec<u64>>> {
    let mut bindings: Vec<Vec<Option<u64>>> = vec![vec![None; 16]];
    for atom in &query.atoms {
        let mut next = Vec::new();
        for earlier in &bindings {
            for tuple in model.facts(atom.relation.table) {
                let columns = match atom.relation.head {
                    Some(head) if tuple[0] != head.0 => continue,
                    Some(_) => &tuple[1..],
                    None => &tuple[..],
                };
                let mut binding = earlier.clone();
                let fits = atom.slots.iter().zip(columns).all(|(slot, id)| match slot {
                    Slot::Constant(constant) => constant.0 == *id,
                    Slot::Variable(v) => *binding[usize::from(*v)].get_or_insert(*id) == *id,
                });
                if fits {
                    next.push(binding);
                }
            }
        }
        bindings = next;
    }
    for range in &query.ranges {
        let within = |id: Option<u64>| id.is_none_or(|id| (range.least.0..=range.most.0).contains(&id));
        bindings.retain(|binding| within(binding[usize::from(range.variable)]));
    }
    let instance = |slots: &Vec<Slot>, binding: &Vec<Option<u64>>| -> Vec<u64> {
        let value = |slot: &Slot| match slot {
            Slot::Constant(id) => id.0,
            Slot::Variable(v) => binding[usize::from(*v)].unwrap(),
        };
        slots.iter().map(value).collect()
    };
    let output = |slots: &Vec<Slot>| bindings.iter().map(|binding| instance(slots, binding)).collect();
    query.outputs.iter().map(output).collect()
}

fn head(n: u64) -> Id {
    Id::symbol(1000 + n)
}

fn relation(n: u64, width: usize) -> Relation {
    Relation::with_head(head(n), width)
}

fn add(model: &Model, n: u64, columns: &[u64]) {
    let mut tuple = vec![head(n).0];
    tuple.extend(columns);
    model.add(Table::facts(columns.len() + 1), &tuple);
}

fn atom(n: u64, slots: &[Slot]) -> Atom {
    Atom {
        relation: relation(n, slots.len()),
        slots: slots.to_vec(),
    }
}

const fn v(variable: u16) -> Slot {
    Slot::Variable(variable)
}

fn query(atoms: Vec<Atom>, outputs: Vec<Vec<Slot>>) -> Query {
    Query {
        atoms,
        ranges: Vec::new(),
        outputs,
    }
}

/// Different kinds of ids, near together and far apart.
fn value(kind: u8, n: u64) -> u64 {
    match kind {
        0 => Id::symbol(n).0,
        1 => Id::integer(n as i64 - 3).unwrap().0,
        2 if n.is_multiple_of(2) => Id::symbol(n).0,
        2 => Id::expression(2, n, false).unwrap().0,
        _ => Id::integer((n as i64) << 40).unwrap().0,
    }
}

#[derive(Clone, Debug)]
struct Case {
    facts: Vec<(u64, Vec<u64>)>,
    query: Query,
    threads: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let facts = prop::collection::vec((0_u64..3, prop::collection::vec(0_u64..7, 3)), 0..120);
    let slots = prop::collection::vec((any::<bool>(), 0_u16..5, 0_u64..7), 3);
    let atoms = prop::collection::vec((0_u64..3, slots), 1..4);
    let outputs = prop::collection::vec(prop::collection::vec(0_u16..8, 0..4), 1..3);
    let range = prop::option::of((0_u16..5, 0_u64..7, 0_u64..7));
    (0_u8..4, facts, atoms, outputs, range, 1_usize..3).prop_map(
        |(kind, facts, atoms, outputs, range, threads)| {
            let width = |relation: u64| relation as usize + 1;
            let facts = facts
                .into_iter()
                .map(|(n, columns)| {
                    (
                        n,
                        columns.iter().take(width(n)).map(|c| value(kind, *c)).collect(),
                    )
                })
                .collect();
            let slot = |(constant, variable, id): &(bool, u16, u64)| match (constant, id % 3) {
                (true, 0) => Slot::Constant(Id(value(kind, *id))),
                _ => v(*variable),
            };
            let atoms: Vec<Atom> = atoms
                .iter()
                .map(|(n, slots)| atom(*n, &slots.iter().take(width(*n)).map(slot).collect::<Vec<_>>()))
                .collect();
            let known: Vec<u16> = crate::plan::variables(atoms.iter().flat_map(|atom| &atom.slots));
            let outputs = outputs
                .iter()
                .map(|columns| {
                    let slot = |n: &u16| {
                        known
                            .get(usize::from(*n))
                            .map_or(Slot::Constant(Id::symbol(5)), |n| v(*n))
                    };
                    std::iter::once(Slot::Constant(head(9)))
                        .chain(columns.iter().map(slot))
                        .collect()
                })
                .collect();
            let ranges = range
                .map(|(variable, a, b)| Range {
                    variable,
                    least: Id(value(kind, a)),
                    most: Id(value(kind, b)),
                })
                .into_iter()
                .filter(|range| known.contains(&range.variable))
                .collect();
            let query = Query {
                atoms,
                ranges,
                outputs,
            };
            Case {
                facts,
                query,
                threads,
            }
        },
    )
}

fn model(facts: &[(u64, Vec<u64>)]) -> Model {
    let model = Model::new();
    for (n, columns) in facts {
        add(&model, *n, columns);
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn joins_in_memory_find_what_trying_everything_finds(case in cases()) {
        let model = model(&case.facts);
        let (outputs, _) = joined(&case.query, &model, &resources(1 << 24, case.threads));
        prop_assert_eq!(&outputs, &expected(&case.query, &model));
        let (natural, _) = joined(&case.query, &Natural(&model), &resources(1 << 24, case.threads));
        prop_assert_eq!(&natural, &outputs);
        let (streamed, report) = joined(&case.query, &Natural(&model), &resources(0, case.threads));
        prop_assert!(report.streamed || report.outputs.is_empty() || report.read == 0);
        prop_assert_eq!(streamed, outputs);
    }
}

/// Numbers that look random and are the same each time.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

fn graph(vertices: u64, edges: usize, kind: u8) -> Model {
    let model = Model::new();
    let mut random = numbers(vertices);
    for _ in 0..edges {
        // Some vertices have far more edges than others.
        let a = random.next().unwrap() % vertices;
        let b = random.next().unwrap() % (a % 17 * vertices / 17 + 1);
        add(&model, 0, &[value(kind, a), value(kind, b)]);
    }
    model
}

fn shapes() -> Vec<Query> {
    let edge = |a, b| atom(0, &[v(a), v(b)]);
    let out = |vs: &[u16]| vec![vs.iter().map(|n| v(*n)).collect::<Vec<_>>()];
    vec![
        query(vec![edge(0, 1), edge(1, 2)], out(&[0, 2])),
        query(vec![edge(0, 1), edge(1, 2)], out(&[2, 0])),
        query(vec![edge(0, 1), edge(1, 2)], out(&[1])),
        query(vec![edge(0, 1), edge(1, 2), edge(0, 2)], out(&[0, 1, 2])),
        query(vec![edge(0, 1), edge(1, 2), edge(2, 0)], out(&[2, 1, 0])),
        query(vec![edge(0, 1), edge(1, 2), edge(2, 3)], out(&[0, 3])),
        query(vec![edge(0, 1), edge(0, 2)], out(&[1, 2])),
        query(vec![edge(0, 1), edge(1, 0)], vec![vec![v(0), v(1)], vec![v(1)]]),
    ]
}

fn pairs(model: &Model) -> Vec<(u64, u64)> {
    model
        .facts(Table::facts(3))
        .iter()
        .map(|tuple| (tuple[1], tuple[2]))
        .collect()
}

/// 2-hop by nested maps: quick enough for thousands of edges.
fn two_hop(model: &Model) -> BTreeSet<Vec<u64>> {
    let pairs = pairs(model);
    let mut from = std::collections::BTreeMap::<u64, Vec<u64>>::new();
    for (a, b) in &pairs {
        from.entry(*a).or_default().push(*b);
    }
    let mut out = BTreeSet::new();
    for (a, b) in &pairs {
        out.extend(from.get(b).into_iter().flatten().map(|c| vec![*a, *c]));
    }
    out
}

#[test]
fn shapes_of_graphs_with_hubs() {
    for kind in 0..4 {
        let model = graph(60, 400, kind);
        for query in shapes() {
            let (outputs, _) = joined(&query, &model, &resources(1 << 24, 2));
            assert_eq!(outputs, expected(&query, &model), "{query:?}");
        }
    }
}

#[test]
fn many_values_go_through_bitmaps_and_batches() {
    let model = graph(3000, 30_000, 1);
    let query = shapes().remove(0);
    let (outputs, report) = joined(&query, &model, &resources(1 << 26, 2));
    assert_eq!(outputs, [two_hop(&model)]);
    assert!(!report.outputs[0].sorted(), "{report}");
    let reversed = shapes().remove(1);
    let (outputs, _) = joined(&reversed, &model, &resources(1 << 26, 2));
    let expected: BTreeSet<Vec<u64>> = two_hop(&model)
        .into_iter()
        .map(|row| vec![row[1], row[0]])
        .collect();
    assert_eq!(outputs, [expected]);
}

#[test]
fn what_begins_alike_takes_four_bytes_a_tuple() {
    let model = Model::new();
    for (n, b) in (0..20_000).zip(numbers(7)) {
        add(&model, 0, &[value(0, n % 200), value(0, b % 2000)]);
    }
    let triangles = &shapes()[3];
    let (outputs, report) = joined(triangles, &Natural(&model), &resources(128 << 10, 2));
    assert!(!report.streamed, "{report}");
    let (all, _) = joined(triangles, &Natural(&model), &resources(1 << 24, 2));
    assert_eq!(outputs, all);
    let (streamed, report) = joined(triangles, &Natural(&model), &resources(32 << 10, 2));
    assert!(report.streamed, "{report}");
    assert_eq!(streamed, all);
}

#[test]
fn the_plan_reads_in_order_and_drops_what_is_not_needed() {
    let model = graph(500, 3000, 0);
    let lines = explain(&shapes()[0], &model).unwrap();
    let text = lines.join("\n");
    assert!(
        text.contains("bind variable 2 from patterns 1, duplicates dropped"),
        "{text}"
    );
    assert!(text.contains("output 0: in order"), "{text}");
    assert!(!text.contains("sorted"), "{text}");
}

#[test]
fn cancelled_and_limited_joins_end_with_an_error() {
    let model = graph(500, 3000, 0);
    let resources = resources(1 << 24, 2);
    resources.control.cancel();
    let error = join(&shapes()[0], &model, &resources, || Ok(Rows::default()))
        .err()
        .unwrap();
    assert_eq!(error.reason(), "Cancelled");
    let limits = Limits {
        facts: 10,
        ..Limits::default()
    };
    let limited = Resources {
        control: Control::new(limits, Arc::new(SystemClock::new())),
        ..resources
    };
    let error = join(&shapes()[0], &model, &limited, || Ok(Rows::default()))
        .err()
        .unwrap();
    assert_eq!(error.reason(), "FactLimit");
}

#[test]
fn queries_that_are_none_are_refused() {
    let model = Model::new();
    let short = query(
        vec![Atom {
            relation: relation(0, 2),
            slots: vec![v(0)],
        }],
        vec![vec![v(0)]],
    );
    assert!(join(&short, &model, &resources(1 << 20, 1), || Ok(Rows::default())).is_err());
    let unbound = query(vec![atom(0, &[v(0), v(1)])], vec![vec![v(7)]]);
    assert!(join(&unbound, &model, &resources(1 << 20, 1), || Ok(Rows::default())).is_err());
}
