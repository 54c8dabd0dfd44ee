use std::{collections::BTreeSet, sync::Arc};

use craton_base::clock::SystemClock;

use super::*;
use crate::{
    Bounds, Limits, Names, NewNames,
    exec::{Options, run},
    join::Resources,
    memory::MemorySpace,
    model::Model,
    parse,
    read::{Format, OnBad, load},
    storage::Memory,
    transform::transform,
    tuples::collect,
};

fn control() -> Control {
    Control::new(Limits::default(), Arc::new(SystemClock::new()))
}

fn rule(text: &str) -> Rule {
    Rule::read(parse::term(text.as_bytes()).unwrap()).unwrap()
}

/// The id of a ground term in the model.
fn id(model: &Model, bytes: &[u8], make: bool) -> Option<Id> {
    match read(bytes, 0)?.0 {
        Item::Symbol(text) if make => {
            Some(Id::of_text(text).unwrap_or_else(|| model.make_symbol(text).unwrap()))
        }
        Item::Symbol(text) => Id::of_text(text).or(model.symbol(text).unwrap()),
        _ => {
            let parts = parts(bytes, Part::whole(bytes))?;
            let items: Option<Vec<Id>> = parts
                .iter()
                .map(|part| id(model, part.bytes(bytes), make))
                .collect();
            let items = items?;
            if make {
                Some(model.make_expression(&items).unwrap())
            } else {
                model.expression(&items).unwrap()
            }
        }
    }
}

fn show(model: &Model, id: Id, out: &mut Vec<u8>) {
    if id.is_atom() {
        return model.text(id, out).unwrap();
    }
    let mut items = Vec::new();
    model.items(id, &mut items).unwrap();
    shown(model, &items, out);
}

fn shown(model: &Model, items: &[Id], out: &mut Vec<u8>) {
    out.push(b'(');
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        show(model, *item, out);
    }
    out.push(b')');
}

/// The facts that a flat rule makes by a join over the model.
fn joined(facts: &str, rule: &Rule) -> BTreeSet<String> {
    let model = Model::new();
    load(
        facts.as_bytes(),
        &Format::Expressions,
        OnBad::Stop,
        &mut model.builder(),
        &mut |_| Ok(()),
    )
    .unwrap();
    let flat = Flat::of(rule).unwrap();
    let query = flat.query(&mut |term| Ok(id(&model, term, false)), &mut |term| {
        Ok(id(&model, term, true).unwrap())
    });
    let Some(query) = query.unwrap() else {
        return BTreeSet::new();
    };
    let tables: Vec<Table> = flat
        .outputs
        .iter()
        .map(|(_, cells)| Table::facts(cells.len()))
        .collect();
    let resources = Resources {
        memory: 1 << 24,
        threads: 2,
        storage: Arc::new(Memory),
        control: control(),
    };
    let made = transform(&query, &tables, &model, &resources).unwrap();
    let mut found = BTreeSet::new();
    for (_, run) in &made.runs {
        for tuple in collect(&mut run.scan(&Bounds::all())).unwrap() {
            let items: Vec<Id> = tuple.into_iter().map(Id).collect();
            let mut out = Vec::new();
            shown(&model, &items, &mut out);
            found.insert(String::from_utf8(out).unwrap());
        }
    }
    found
}

/// The facts that the same rule adds in memory.
fn unified(facts: &str, rule: &Rule) -> BTreeSet<String> {
    let mut space = MemorySpace::read(facts.as_bytes()).unwrap();
    let before: BTreeSet<Term> = space.facts().cloned().collect();
    space.insert(rule.exec.clone()).unwrap();
    run(&mut space, Options::default(), &control()).unwrap();
    space
        .facts()
        .filter(|fact| !before.contains(*fact))
        .map(crate::print::term)
        .collect()
}

#[test]
fn a_join_finds_what_unification_finds() {
    let mut facts = String::new();
    for n in 0..60 {
        facts += &format!(
            "(edge {n} {}) (edge {n} {}) (gene g{n} (at chr{} {n}))",
            n * 7 % 60,
            n * 13 % 60,
            n % 3
        );
        facts += &format!("(pair {n} (p {} (q {n})))", n % 4);
    }
    for text in [
        "(exec 0 (, (edge $x $y) (edge $y $z)) (, (hop $x $z)))",
        "(exec 0 (, (edge $x $y) (edge $y $z) (edge $z $x)) (, (triangle $x $y $z) (seen $y)))",
        "(exec 0 (, (edge $x $x)) (, (loop $x)))",
        "(exec 0 (, (edge 3 $x)) (, (from3 $x) (also $x new (nested constant))))",
        "(exec 0 (, (gene $g (at chr1 $p)) (gene $h (at chr1 $q)) (edge $p $q)) (, (near $g $h)))",
        "(exec 0 (, (pair $x (p $k (q $y))) (edge $x $y)) (, (deep $x $k $y)))",
        "(exec 0 (, (gene $g $where) (pair $n $what)) (, (all $g $where)))",
        "(exec 0 (, (edge $x nothing)) (, (none $x)))",
        "(exec 0 (, (edge $x $y) (edge $u $v) (gene $g (at chr2 $x))) (, (some $x $g)))",
    ] {
        let rule = rule(text);
        assert_eq!(joined(&facts, &rule), unified(&facts, &rule), "{text}");
    }
}

#[test]
fn what_is_flat_and_what_is_not() {
    let flat = Flat::of(&rule(
        "(exec 0 (, (go) (f $x)) (O (- (f $x)) (+ (done)) (+ (exec 1 (, (f $y)) (, $y)))))",
    ))
    .unwrap();
    assert_eq!(flat.present.len(), 1);
    assert_eq!(flat.outputs.len(), 1);
    assert_eq!(flat.outputs[0].0, Does::Remove);
    assert_eq!(flat.once.len(), 2);
    for text in [
        "(exec 0 (, $x) (, (f $x)))",
        "(exec 0 (, ($h a) ) (, (f $h)))",
        "(exec 0 (, (exec $l $p $t)) (, (f $l)))",
        "(exec 0 (, (f $x)) (, (g (h $x))))",
        "(exec 0 (, (f $x)) (, (g $x $new)))",
        "(exec 0 (, (f $x)) (, $x))",
        "(exec 0 (, (f $x)) (O (head 1 (g $x))))",
        "(exec 0 (I (!= (f $x) (f $y))) (, (g $x)))",
        "(exec 0 (,) (, (g)))",
    ] {
        assert_eq!(Flat::of(&rule(text)), None, "{text}");
    }
}

#[test]
fn a_rule_without_outputs_asks_whether_there_is_a_match() {
    let flat = Flat::of(&rule("(exec 0 (, (f $x)) (, (done)))")).unwrap();
    let id = Id::symbol(1);
    let query = flat
        .query(&mut |_| Ok(Some(id)), &mut |_| Ok(id))
        .unwrap()
        .unwrap();
    assert_eq!(query.outputs, [vec![Slot::Variable(0)]]);
}

#[test]
fn patterns_that_facts_with_variables_match_are_taken_out() {
    let text = "(exec (1 Z) (, (exec (1 $l) $ps $ts) (ancestor $l $a $b) (parent $b $c))
        (, (ancestor (S $l) $a $c) (exec (1 (S $l)) $ps $ts)))";
    let rule = rule(text);
    let space = MemorySpace::read(format!("{text} (exec (2 x) (, a) (, b))").as_bytes()).unwrap();
    assert!(meets(&rule, &space).unwrap());
    let special = specialise(&rule, 0, &space, &control()).unwrap();
    assert_eq!(special.len(), 1);
    let flat = Flat::of(&special[0]).unwrap();
    assert_eq!(flat.patterns.len(), 2);
    assert_eq!(flat.outputs.len(), 1);
    let [(Does::Add, again)] = flat.once.as_slice() else {
        panic!()
    };
    assert!(
        crate::print::term(again).starts_with("(exec (1 (S Z)) (, (exec (1 $a) $b $c) (ancestor $a $d $e)")
    );
    assert!(!meets(&special[0], &space).unwrap());
}
