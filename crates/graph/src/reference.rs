//! What a program means, said as simply as can be, to compare with: facts are trees, every tuple of
//! facts is tried, unification is a recursive function on a map. Slow, and only for tests.
//!
//! Deliberately absent: everything that makes it fast, and what it shares with the product: it has its
//! own unification, its own order (MM2's bytes), its own sinks.

use std::collections::{BTreeMap, BTreeSet};

use crate::term::{Item, Term, Writer};

/// A term as a tree; variables by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tree {
    Symbol(Vec<u8>),
    Variable(String),
    Expression(Vec<Tree>),
}

use Tree::{Expression, Symbol, Variable};

pub(crate) type Bindings = BTreeMap<String, Tree>;

/// A tree of a term, its variables named `prefix` and a number.
pub(crate) fn tree(term: &Term, prefix: &str) -> Tree {
    fn next<'a>(items: &mut impl Iterator<Item = Item<'a>>, seen: &mut u32, prefix: &str) -> Tree {
        match items.next().unwrap() {
            Item::Symbol(text) => Symbol(text.to_vec()),
            Item::Reference(number) => Variable(format!("{prefix}{number}")),
            Item::NewVariable => {
                *seen += 1;
                Variable(format!("{prefix}{}", *seen - 1))
            }
            Item::Expression(arity) => Expression((0..arity).map(|_| next(items, seen, prefix)).collect()),
        }
    }
    next(&mut term.items(), &mut 0, prefix)
}

/// The term of a tree.
pub(crate) fn term(tree: &Tree) -> Term {
    fn put(tree: &Tree, names: &mut Vec<String>, out: &mut Writer) {
        match tree {
            Symbol(text) => out.symbol(text).unwrap(),
            Variable(name) => match names.iter().position(|known| known == name) {
                Some(number) => out.reference(number as u32).unwrap(),
                None => {
                    names.push(name.clone());
                    out.new_variable().unwrap();
                }
            },
            Expression(items) => {
                out.expression(items.len() as u32).unwrap();
                items.iter().for_each(|item| put(item, names, out));
            }
        }
    }
    let mut out = Writer::default();
    put(tree, &mut Vec::new(), &mut out);
    out.finish()
}

/// The bytes that MM2 encodes a term as, where it can.
pub(crate) fn mm2_bytes(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in term.items() {
        match item {
            Item::Expression(arity) => bytes.push(arity as u8),
            Item::Reference(number) => bytes.push(0x80 | number as u8),
            Item::NewVariable => bytes.push(0xC0),
            Item::Symbol(text) => {
                bytes.push(0xC0 | text.len() as u8);
                bytes.extend_from_slice(text);
            }
        }
    }
    bytes
}

pub(crate) fn apply(tree: &Tree, bindings: &Bindings) -> Tree {
    match tree {
        Symbol(_) => tree.clone(),
        Variable(name) => bindings
            .get(name)
            .map_or_else(|| tree.clone(), |bound| apply(bound, bindings)),
        Expression(items) => Expression(items.iter().map(|item| apply(item, bindings)).collect()),
    }
}

fn occurs(name: &str, tree: &Tree) -> bool {
    match tree {
        Symbol(_) => false,
        Variable(other) => other == name,
        Expression(items) => items.iter().any(|item| occurs(name, item)),
    }
}

/// The most general unifier that adds to `bindings`.
pub(crate) fn unify(left: &Tree, right: &Tree, bindings: Bindings) -> Option<Bindings> {
    let (left, right) = (apply(left, &bindings), apply(right, &bindings));
    match (&left, &right) {
        _ if left == right => Some(bindings),
        (Variable(name), other) | (other, Variable(name)) => {
            if occurs(name, other) {
                return None;
            }
            let mut bindings = bindings;
            bindings.insert(name.clone(), other.clone());
            Some(bindings)
        }
        (Expression(some), Expression(others)) if some.len() == others.len() => some
            .iter()
            .zip(others)
            .try_fold(bindings, |bindings, (one, other)| unify(one, other, bindings)),
        _ => None,
    }
}

fn items(tree: &Tree) -> &[Tree] {
    match tree {
        Expression(items) => items,
        _ => &[],
    }
}

fn head(tree: &Tree) -> &[u8] {
    match items(tree).first() {
        Some(Symbol(text)) => text,
        _ => b"",
    }
}

/// The space after a program ran, at most `steps` of it.
pub(crate) fn run(mut space: BTreeSet<Term>, steps: usize) -> BTreeSet<Term> {
    for _ in 0..steps {
        let exec = space
            .iter()
            .filter(|fact| matches!(tree(fact, "r"), Expression(items) if items.len() == 4 && items[0] == Symbol(b"exec".to_vec())))
            .min_by_key(|fact| mm2_bytes(fact))
            .cloned();
        let Some(exec) = exec else { break };
        step(&mut space, &exec);
    }
    space
}

fn step(space: &mut BTreeSet<Term>, exec: &Term) {
    let rule = tree(exec, "r");
    let [_, _, patterns, templates] = items(&rule) else {
        panic!("no exec")
    };
    let facts: Vec<&Term> = space.iter().collect();
    let mut matches = vec![Bindings::new()];
    for (number, pattern) in items(patterns)[1..].iter().enumerate() {
        matches = matches
            .iter()
            .flat_map(|known| sources(&facts, patterns, pattern, number, known))
            .collect();
    }
    let mut removed = BTreeSet::new();
    let mut added = BTreeSet::new();
    space.remove(exec);
    for template in &items(templates)[1..] {
        let plain = head(templates) == b",";
        let sink = if plain { &b"+"[..] } else { head(template) };
        let of = if plain {
            template
        } else {
            items(template).last().unwrap()
        };
        let instances = || {
            matches
                .iter()
                .map(|found| term(&apply(of, found)))
                .collect::<BTreeSet<_>>()
        };
        match sink {
            b"+" => space.extend(instances()),
            b"-" => removed.extend(instances()),
            b"head" => added.extend(few(instances(), template, false)),
            b"tail" => added.extend(few(instances(), template, true)),
            b"count" | b"sum" => added.extend(reduced(template, &matches)),
            other => panic!("the reference has no sink {}", String::from_utf8_lossy(other)),
        }
    }
    // The programs of the tests write removals before what is added by other sinks.
    space.retain(|fact| !removed.contains(fact));
    space.extend(added);
}

fn sources(
    facts: &[&Term],
    patterns: &Tree,
    pattern: &Tree,
    number: usize,
    known: &Bindings,
) -> Vec<Bindings> {
    let with = |pattern: &Tree, fact: &Term, side: &str, known: &Bindings| {
        unify(pattern, &tree(fact, &format!("{side}{number}_")), known.clone())
    };
    let one = |pattern: &Tree| {
        facts
            .iter()
            .filter_map(|fact| with(pattern, fact, "f", known))
            .collect()
    };
    if head(patterns) == b"," {
        return one(pattern);
    }
    let parts = items(pattern);
    match head(pattern) {
        b"BTM" => one(&parts[1]),
        kind => {
            let mut found = Vec::new();
            for first in facts {
                for second in facts {
                    if (first == second) == (kind == b"==")
                        && let Some(half) = with(&parts[1], first, "f", known)
                        && let Some(whole) = with(&parts[2], second, "g", &half)
                    {
                        found.push(whole);
                    }
                }
            }
            found
        }
    }
}

fn few(instances: BTreeSet<Term>, template: &Tree, last: bool) -> Vec<Term> {
    let Symbol(number) = &items(template)[1] else {
        panic!("no number")
    };
    let number: usize = String::from_utf8_lossy(number).parse().unwrap();
    let mut sorted: Vec<Term> = instances.into_iter().collect();
    sorted.sort_by_key(mm2_bytes);
    if last {
        sorted.reverse();
    }
    sorted.truncate(number);
    sorted
}

fn reduced(template: &Tree, matches: &[Bindings]) -> Vec<Term> {
    let of = Expression(items(template)[1..].to_vec());
    let instances: BTreeSet<Term> = matches.iter().map(|found| term(&apply(&of, found))).collect();
    let mut groups: BTreeMap<(Term, Option<Tree>), Vec<Tree>> = BTreeMap::new();
    for instance in &instances {
        let whole = tree(instance, "x");
        let [shape, value, over] = items(&whole) else {
            panic!("no triple")
        };
        let counts = head(template) == b"count";
        groups
            .entry((term(shape), (!counts).then(|| value.clone())))
            .or_default()
            .push(over.clone());
    }
    let mut facts = Vec::new();
    for instance in &instances {
        let whole = tree(instance, "x");
        let [shape, value, _] = items(&whole) else {
            panic!("no triple")
        };
        let counts = head(template) == b"count";
        let group = &groups[&(term(shape), (!counts).then(|| value.clone()))];
        let number = |over: &Tree| match over {
            Symbol(text) => String::from_utf8_lossy(text).parse::<i64>().unwrap(),
            _ => panic!("no number"),
        };
        let total = if counts {
            group.len() as i64
        } else {
            group.iter().map(number).sum()
        };
        if let Some(found) = unify(value, &Symbol(total.to_string().into_bytes()), Bindings::new()) {
            facts.push(term(&apply(shape, &found)));
        }
    }
    facts
}

/// Random trees for property tests.
pub(crate) mod random {
    use proptest::prelude::*;

    use super::Tree::{self, Expression, Symbol, Variable};

    /// Trees over few symbols and the given variables, so that they often meet.
    pub(crate) fn tree(variables: &'static [&'static str]) -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            3 => prop::sample::select(vec!["a", "b", "cc", "f"]).prop_map(|text| Symbol(text.into())),
            2 => prop::sample::select(variables.to_vec()).prop_map(|name| Variable(name.into())),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(Expression)
        })
    }

    /// Trees with any symbols.
    pub(crate) fn any_tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            prop::collection::vec(any::<u8>(), 1..80).prop_map(Symbol),
            "[a-z()\"; $\\\\x0-9]{1,12}".prop_map(|text| Symbol(text.into_bytes())),
            "[a-z]{1,2}".prop_map(Variable),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop::collection::vec(inner, 0..8).prop_map(Expression)
        })
    }
}
