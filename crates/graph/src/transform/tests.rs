use std::{collections::BTreeSet, sync::Arc};

use craton_base::clock::SystemClock;

use super::transform;
use crate::{
    Bounds, Control, Id, Limits, Relation, Table,
    join::{Atom, Query, Resources, Slot},
    model::Model,
    storage::Memory,
    tuples::collect,
};

const EDGE: Id = Id::symbol(0);
const HOP: Id = Id::symbol(1);

fn query() -> Query {
    let v = Slot::Variable;
    let edge = |a, b| Atom {
        relation: Relation::with_head(EDGE, 2),
        slots: vec![v(a), v(b)],
    };
    Query {
        atoms: vec![edge(0, 1), edge(1, 2)],
        ranges: Vec::new(),
        outputs: vec![
            vec![Slot::Constant(HOP), v(0), v(2)],
            vec![Slot::Constant(HOP), v(2), v(0)],
        ],
    }
}

fn resources(memory: u64) -> Resources {
    Resources {
        memory,
        threads: 2,
        storage: Arc::new(Memory),
        control: Control::new(Limits::default(), Arc::new(SystemClock::new())),
    }
}

#[test]
fn outputs_become_runs_in_memory_and_by_streams() {
    let model = Model::new();
    for n in 0..5000 {
        model.add(Table::facts(3), &[EDGE.0, n % 700, n * 31 % 700]);
    }
    let edges = model.facts(Table::facts(3));
    let mut expected = BTreeSet::new();
    for a in &edges {
        let to = edges.partition_point(|e| e[1] < a[2]);
        expected.extend(
            edges[to..]
                .iter()
                .take_while(|b| b[1] == a[2])
                .map(|b| (a[1], b[2])),
        );
    }
    for memory in [1 << 24, 0] {
        let tables = [Table::facts(3), Table::facts(3)];
        let made = transform(&query(), &tables, &model, &resources(memory)).unwrap();
        let mut all = Vec::new();
        for (table, run) in &made.runs {
            assert_eq!(*table, Table::facts(3));
            all.extend(collect(&mut run.scan(&Bounds::all())).unwrap());
        }
        let both = expected
            .iter()
            .flat_map(|(a, c)| [vec![HOP.0, *a, *c], vec![HOP.0, *c, *a]]);
        let mut both: Vec<Vec<u64>> = both.collect();
        both.sort_unstable();
        all.sort_unstable();
        assert_eq!(all, both, "with {memory} bytes");
        assert_eq!(made.report.streamed, memory == 0);
    }
}

#[test]
fn an_output_has_its_tables_shape() {
    let tables = [Table::facts(3), Table::facts(2)];
    assert!(transform(&query(), &tables, &Model::new(), &resources(1 << 20)).is_err());
}
