//! What rules mean, said as simply as can be, to compare with: facts are trees in a set, every combination of facts is tried, layers are told by
//! what can be reached. It shares nothing with the product: it reads texts by itself and computes by itself.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Tree {
    Word(String),
    List(Vec<Tree>),
}

use Tree::{List, Word};

type Bindings = BTreeMap<String, Tree>;
type Of = (String, usize);

impl Tree {
    fn word(&self) -> &str {
        match self {
            Word(word) => word,
            List(_) => "",
        }
    }

    fn items(&self) -> &[Self] {
        match self {
            Word(_) => &[],
            List(items) => items,
        }
    }

    fn head(&self) -> &str {
        self.items().first().map_or("", Self::word)
    }

    fn of(&self) -> Of {
        (self.head().to_owned(), self.items().len())
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Word(word) => word.clone(),
            List(items) => format!("({})", items.iter().map(Self::text).collect::<Vec<_>>().join(" ")),
        }
    }
}

pub(crate) fn read(text: &str) -> Vec<Tree> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut open = vec![Vec::new()];
    for word in spaced.split_whitespace() {
        match word {
            "(" => open.push(Vec::new()),
            ")" => {
                let done = List(open.pop().expect("a list"));
                open.last_mut().expect("a list").push(done);
            }
            _ => open.last_mut().expect("a list").push(Word(word.to_owned())),
        }
    }
    open.pop().expect("facts")
}

fn matches(pattern: &Tree, fact: &Tree, mut known: Bindings) -> Option<Bindings> {
    match (pattern, fact) {
        (Word(name), _) if name.starts_with('$') => match known.get(name) {
            Some(value) => (value == fact).then_some(known),
            None => {
                known.insert(name.clone(), fact.clone());
                Some(known)
            }
        },
        (List(patterns), List(facts)) if patterns.len() == facts.len() => {
            let pairs = patterns.iter().zip(facts);
            pairs
                .into_iter()
                .try_fold(known, |known, (p, f)| matches(p, f, known))
        }
        _ => (pattern == fact).then_some(known),
    }
}

/// The number that a word is.
fn number(tree: &Tree) -> Option<f64> {
    tree.word().parse().ok()
}

fn shown(number: f64) -> Tree {
    Word(format!("{number}"))
}

/// The value of an expression; nothing if a variable is unknown (outer) or it has none (inner).
fn value(tree: &Tree, known: &Bindings) -> Option<Option<Tree>> {
    match tree {
        Word(name) if name.starts_with('$') => known.get(name).cloned().map(Some),
        Word(_) => Some(Some(tree.clone())),
        List(items) if tree.head() == "'" => instance(&items[1], known),
        List(items) => {
            let mut numbers = Vec::new();
            for item in &items[1..] {
                match value(item, known)?.as_ref().and_then(number) {
                    Some(number) => numbers.push(number),
                    None => return Some(None),
                }
            }
            let fold = |step: fn(f64, f64) -> f64| numbers.iter().copied().reduce(step);
            let result = match tree.head() {
                "+" => fold(|a, b| a + b),
                "*" => fold(|a, b| a * b),
                "-" if numbers.len() == 1 => Some(-numbers[0]),
                "-" => fold(|a, b| a - b),
                "/" | "//" | "%" if numbers[1] == 0.0 => None,
                "/" => fold(|a, b| a / b),
                "//" => fold(|a, b| (a / b).floor()),
                "%" => fold(f64::rem_euclid),
                "min" => fold(f64::min),
                "max" => fold(f64::max),
                "abs" => Some(numbers[0].abs()),
                other => panic!("no function {other}"),
            };
            Some(result.map(shown))
        }
    }
}

/// A term with variables filled in and `(:= e)` evaluated.
fn instance(tree: &Tree, known: &Bindings) -> Option<Option<Tree>> {
    match tree {
        Word(name) if name.starts_with('$') => known.get(name).cloned().map(Some),
        Word(_) => Some(Some(tree.clone())),
        List(items) if tree.head() == ":=" && items.len() == 2 => value(&items[1], known),
        List(items) => {
            let mut out = Vec::new();
            for item in items {
                match instance(item, known)? {
                    Some(item) => out.push(item),
                    None => return Some(None),
                }
            }
            Some(Some(List(out)))
        }
    }
}

struct Rule {
    name: Tree,
    body: Vec<Tree>,
    heads: Vec<Tree>,
}

const CONDITIONS: [&str; 9] = ["not", "==", "!=", "<", "<=", ">", ">=", ":=", "exists"];
const KEEPS: [&str; 3] = ["min", "max", "union"];

impl Rule {
    fn patterns(&self) -> impl Iterator<Item = &Tree> {
        self.body.iter().filter(|item| !CONDITIONS.contains(&item.head()))
    }

    fn denied(&self) -> impl Iterator<Item = &Tree> {
        self.body
            .iter()
            .filter(|item| item.head() == "not")
            .map(|item| &item.items()[1])
    }

    /// What a sink makes facts of.
    fn template(head: &Tree) -> &Tree {
        match head.head() {
            "top" | "bottom" => &head.items()[2],
            _ => &head.items()[1],
        }
    }

    fn reduces(&self) -> bool {
        self.heads
            .iter()
            .any(|head| head.head() != "+" && !KEEPS.contains(&head.head()))
    }

    /// All bindings that pass.
    fn rows(&self, facts: &BTreeSet<Tree>) -> Vec<Bindings> {
        let mut rows = vec![Bindings::new()];
        for pattern in self.patterns() {
            let next = |known: Bindings| {
                facts
                    .iter()
                    .filter_map(move |fact| matches(pattern, fact, known.clone()))
                    .collect::<Vec<_>>()
            };
            rows = rows.into_iter().flat_map(next).collect();
        }
        rows.into_iter()
            .filter_map(|row| self.passes(row, facts))
            .collect()
    }

    fn passes(&self, mut row: Bindings, facts: &BTreeSet<Tree>) -> Option<Bindings> {
        let mut left: Vec<&Tree> = self
            .body
            .iter()
            .filter(|item| CONDITIONS.contains(&item.head()))
            .collect();
        while !left.is_empty() {
            let before = left.len();
            let mut rest = Vec::new();
            for condition in left {
                match holds(condition, &mut row, facts) {
                    None => rest.push(condition),
                    Some(true) => {}
                    Some(false) => return None,
                }
            }
            assert!(rest.len() < before, "a condition is never decided");
            left = rest;
        }
        let new = self
            .body
            .iter()
            .filter(|item| item.head() == "exists")
            .flat_map(|item| &item.items()[1..]);
        let new: Vec<&Tree> = new.collect();
        let used: BTreeSet<String> = self
            .heads
            .iter()
            .flat_map(words)
            .filter(|w| w.starts_with('$'))
            .collect();
        let order = self.order();
        let frontier = order.iter().filter(|v| used.contains(*v) && row.contains_key(*v));
        let frontier: Vec<Tree> = frontier.map(|v| row[v].clone()).collect();
        for (number, variable) in new.into_iter().enumerate() {
            let mut items = vec![Word("some".into()), self.name.clone(), Word(number.to_string())];
            items.extend(frontier.iter().cloned());
            row.insert(variable.word().to_owned(), List(items));
        }
        Some(row)
    }

    /// The variables in the order in which they appear.
    fn order(&self) -> Vec<String> {
        let mut out = Vec::new();
        for word in self.body.iter().chain(&self.heads).flat_map(words) {
            if word.starts_with('$') && !out.contains(&word) {
                out.push(word);
            }
        }
        out
    }
}

fn words(tree: &Tree) -> Vec<String> {
    match tree {
        Word(word) => vec![word.clone()],
        List(items) => items.iter().flat_map(words).collect(),
    }
}

/// Whether a condition holds; nothing if it can not be told yet.
fn holds(condition: &Tree, row: &mut Bindings, facts: &BTreeSet<Tree>) -> Option<bool> {
    let items = condition.items();
    Some(match condition.head() {
        "exists" => true,
        "not" => !facts.contains(&instance(&items[1], row)??),
        "==" => instance(&items[1], row)? == instance(&items[2], row)?,
        "!=" => instance(&items[1], row)? != instance(&items[2], row)?,
        ":=" => match (value(&items[2], row)?, items[1].word()) {
            (None, _) => false,
            (Some(value), name) => *row.entry(name.to_owned()).or_insert_with(|| value.clone()) == value,
        },
        sign => {
            let both = [value(&items[1], row)?, value(&items[2], row)?];
            match both.map(|side| side.as_ref().and_then(number)) {
                [Some(left), Some(right)] => match sign {
                    "<" => left < right,
                    "<=" => left <= right,
                    ">" => left > right,
                    _ => left >= right,
                },
                _ => false,
            }
        }
    })
}

/// The facts that all sinks of a rule make, and those of which the best are kept.
fn made(rule: &Rule, facts: &BTreeSet<Tree>) -> (Vec<Tree>, Vec<(String, Tree)>) {
    let (mut out, mut kept) = (Vec::new(), Vec::new());
    let rows: Vec<Bindings> = rule.rows(facts);
    // All or nothing of a row's templates.
    let whole = |row: &&Bindings| {
        let parts = rule.heads.iter().flat_map(|head| head.items().iter().skip(1));
        let bound = |part: &Tree| {
            words(part)
                .iter()
                .all(|w| !w.starts_with('$') || row.contains_key(w))
        };
        parts
            .filter(|part| bound(part))
            .all(|part| instance(part, row) != Some(None))
    };
    let rows: Vec<&Bindings> = rows.iter().filter(whole).collect();
    for head in &rule.heads {
        let items = head.items();
        match head.head() {
            "+" => out.extend(
                rows.iter()
                    .map(|row| instance(&items[1], row).flatten().expect("bound")),
            ),
            sink if KEEPS.contains(&sink) => {
                for row in &rows {
                    let mut row = (*row).clone();
                    let value = instance(&items[3], &row).flatten().expect("bound");
                    row.insert(items[2].word().to_owned(), value);
                    kept.push((
                        sink.to_owned(),
                        instance(&items[1], &row).flatten().expect("bound"),
                    ));
                }
            }
            "top" | "bottom" => out.extend(ranked(items, &rows)),
            sink => out.extend(reduced(sink, items, &rows)),
        }
    }
    (out, kept)
}

fn ranked(items: &[Tree], rows: &[&Bindings]) -> BTreeSet<Tree> {
    let most: usize = items[1].word().parse().expect("a number");
    let over: Vec<&Tree> = items[3..].iter().collect();
    let group: Vec<&Tree> = items[2]
        .items()
        .iter()
        .filter(|item| !over.contains(item))
        .collect();
    let all = |parts: &[&Tree], row: &Bindings| -> Vec<Tree> {
        parts
            .iter()
            .map(|part| instance(part, row).flatten().expect("bound"))
            .collect()
    };
    let mut groups: BTreeMap<Vec<Tree>, BTreeMap<Vec<Tree>, Tree>> = BTreeMap::new();
    for row in rows {
        let fact = instance(&items[2], row).flatten().expect("bound");
        groups
            .entry(all(&group, row))
            .or_default()
            .insert(all(&over, row), fact);
    }
    let mut out = BTreeSet::new();
    for rows in groups.into_values() {
        let mut rows: Vec<(Vec<Tree>, Tree)> = rows.into_iter().collect();
        let sign = if items[0].word() == "top" { -1.0 } else { 1.0 };
        rows.sort_by(|(one, _), (other, _)| {
            let rank = |row: &[Tree]| sign * number(&row[0]).expect("a number");
            // Shorter symbols come first, then by their letters.
            let key = |row: &[Tree]| {
                row[1..]
                    .iter()
                    .map(|t| (t.text().len(), t.text()))
                    .collect::<Vec<_>>()
            };
            rank(one)
                .total_cmp(&rank(other))
                .then_with(|| key(one).cmp(&key(other)))
        });
        out.extend(rows.into_iter().take(most).map(|(_, fact)| fact));
    }
    out
}

fn reduced(sink: &str, items: &[Tree], rows: &[&Bindings]) -> Vec<Tree> {
    let name = items[2].word();
    let mut groups: BTreeMap<Tree, BTreeSet<Vec<Tree>>> = BTreeMap::new();
    for row in rows {
        let mut group = (*row).clone();
        group.insert(name.to_owned(), Word("?".into()));
        let over = items[3..]
            .iter()
            .map(|part| instance(part, row).flatten().expect("bound"));
        let fact = instance(&items[1], &group).flatten().expect("bound");
        groups.entry(fact).or_default().insert(over.collect());
    }
    let mut out = Vec::new();
    for (fact, rows) in groups {
        let sum: f64 = match sink {
            "count" => 0.0,
            _ => rows.iter().map(|row| number(&row[0]).expect("a number")).sum(),
        };
        let value = match sink {
            "count" => rows.len() as f64,
            "sum" => sum,
            "mean" => sum / rows.len() as f64,
            other => panic!("no sink {other}"),
        };
        let put = |item: &Tree| match item.word() {
            "?" => shown(value),
            _ => item.clone(),
        };
        out.push(List(fact.items().iter().map(put).collect()));
    }
    out
}

/// Of facts that differ in their last item only, the best.
fn best(kind: &str, all: &BTreeSet<Tree>) -> Tree {
    let split = |fact: &Tree| {
        let (value, key) = fact.items().split_last().expect("items");
        (value.clone(), key.to_vec())
    };
    let values: Vec<Tree> = all.iter().map(|fact| split(fact).0).collect();
    let mut key = split(all.first().expect("a fact")).1;
    key.push(match kind {
        "union" => {
            let mut items: Vec<Tree> = values.iter().flat_map(Tree::items).cloned().collect();
            items.sort_by_key(|t| (t.text().len(), t.text()));
            items.dedup();
            List(items)
        }
        _ => {
            let sign = if kind == "min" { 1.0 } else { -1.0 };
            let rank = |value: &&Tree| sign * number(value).expect("a number");
            values
                .iter()
                .min_by(|a, b| rank(a).total_cmp(&rank(b)))
                .expect("a value")
                .clone()
        }
    });
    List(key)
}

/// Puts facts of which the best are kept among the others.
fn keep(facts: &mut BTreeSet<Tree>, kept: &BTreeMap<Of, String>, new: &[(String, Tree)]) {
    let mut groups: BTreeMap<(Of, Vec<Tree>), BTreeSet<Tree>> = BTreeMap::new();
    for fact in facts.iter().chain(new.iter().map(|(_, fact)| fact)) {
        if kept.contains_key(&fact.of()) {
            let key = fact.items().split_last().expect("items").1.to_vec();
            groups.entry((fact.of(), key)).or_default().insert(fact.clone());
        }
    }
    for ((of, _), all) in groups {
        all.iter().for_each(|fact| {
            facts.remove(fact);
        });
        facts.insert(best(&kept[&of], &all));
    }
}

/// In which layer each rule is.
fn layers(rules: &[Rule], kept: &BTreeMap<Of, String>) -> Vec<usize> {
    let makes =
        |rule: &Rule| -> Vec<Of> { rule.heads.iter().map(|head| Rule::template(head).of()).collect() };
    let uses = |rule: &Rule| -> Vec<Of> { rule.patterns().chain(rule.denied()).map(Tree::of).collect() };
    let mut reach: BTreeSet<(Of, Of)> = BTreeSet::new();
    for rule in rules {
        for made in makes(rule) {
            reach.extend(uses(rule).into_iter().map(|used| (used, made.clone())));
        }
    }
    loop {
        let more: Vec<(Of, Of)> = reach
            .iter()
            .flat_map(|(a, b)| {
                reach
                    .iter()
                    .filter(move |(c, _)| c == b)
                    .map(move |(_, d)| (a.clone(), d.clone()))
            })
            .filter(|pair| !reach.contains(pair))
            .collect();
        if more.is_empty() {
            break;
        }
        reach.extend(more);
    }
    let mut levels = vec![0usize; rules.len()];
    for _ in 0..=rules.len() {
        let known = levels.clone();
        let level = |of: &Of| {
            let makers = rules
                .iter()
                .zip(&known)
                .filter(|(rule, _)| makes(rule).contains(of));
            makers.map(|(_, level)| *level).max()
        };
        for (rule, its) in rules.iter().zip(&mut levels) {
            for used in rule.patterns().map(Tree::of) {
                let recursive = makes(rule)
                    .iter()
                    .any(|made| reach.contains(&(made.clone(), used.clone())));
                let strict = rule.reduces() || (kept.contains_key(&used) && !recursive);
                *its = level(&used).map_or(0, |l| l + usize::from(strict)).max(*its);
            }
            for denied in rule.denied() {
                *its = level(&denied.of()).map_or(0, |l| l + 1).max(*its);
            }
            for made in makes(rule) {
                if kept.contains_key(&made) {
                    *its = level(&made).unwrap_or_default().max(*its);
                }
            }
        }
    }
    levels
}

/// The facts after rules ran over facts.
pub(crate) fn naive(facts: &str, rules: &str) -> BTreeSet<String> {
    let (mut all, mut read_rules) = (BTreeSet::new(), Vec::new());
    for tree in read(facts).into_iter().chain(read(rules)) {
        match tree.items() {
            [head, name, body, heads] if head.word() == "rule" => read_rules.push(Rule {
                name: name.clone(),
                body: body.items()[1..].to_vec(),
                heads: match heads.head() {
                    "," => {
                        let add = |t: &Tree| List(vec![Word("+".into()), t.clone()]);
                        heads.items()[1..].iter().map(add).collect()
                    }
                    _ => heads.items()[1..].to_vec(),
                },
            }),
            _ => {
                all.insert(tree);
            }
        }
    }
    let mut kept = BTreeMap::new();
    for head in read_rules.iter().flat_map(|rule| &rule.heads) {
        if KEEPS.contains(&head.head()) {
            kept.insert(Rule::template(head).of(), head.head().to_owned());
        }
    }
    let levels = layers(&read_rules, &kept);
    for level in 0..=levels.iter().copied().max().unwrap_or_default() {
        let its = |heads: &Rule| {
            heads
                .heads
                .iter()
                .map(|head| Rule::template(head).of())
                .collect::<Vec<_>>()
        };
        let here: Vec<&Rule> = read_rules
            .iter()
            .zip(&levels)
            .filter(|(_, l)| **l == level)
            .map(|(r, _)| r)
            .collect();
        let of_layer = |of: &Of| here.iter().any(|rule| its(rule).contains(of));
        let kept: BTreeMap<Of, String> = kept.clone().into_iter().filter(|(of, _)| of_layer(of)).collect();
        keep(&mut all, &kept, &[]);
        loop {
            let before = all.clone();
            let mut found = Vec::new();
            for rule in &here {
                let (facts, better) = made(rule, &before);
                all.extend(facts);
                found.extend(better);
            }
            keep(&mut all, &kept, &found);
            if all == before {
                break;
            }
        }
    }
    all.iter().map(Tree::text).collect()
}
