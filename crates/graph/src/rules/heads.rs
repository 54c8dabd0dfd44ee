//! What rules make: templates and sinks.
//!
//! Deliberately absent: bodies.

use std::collections::BTreeSet;

use craton_base::Result;

use super::{Aggregate, Best, Build, Head, Place, Reduce, build, read::Reader};
use crate::term::{Part, Writer};

/// The most rows of a group that `top` and `bottom` keep.
const TOP_MAX: usize = 1_000_000;
/// The most columns that a group's rows have.
const COLUMNS_MAX: usize = 64;
/// What a term begins with that stands for something new.
const NEW: &[u8] = b"some";

/// Templates `(, t …)`.
pub(super) fn plain(reader: &Reader<'_>, templates: &[Part]) -> Result<Vec<Head>> {
    let items = templates.iter().map(|part| reader.items(*part, "the template"));
    items.map(|items| Ok(Head::Add(items?))).collect()
}

/// Sinks `(O k …)`.
pub(super) fn sinks(reader: &Reader<'_>, sinks: &[Part]) -> Result<Vec<Head>> {
    sinks.iter().map(|part| sink(reader, *part)).collect()
}

fn sink(reader: &Reader<'_>, part: Part) -> Result<Head> {
    let unknown = || {
        let why = "is none of (+ t), (count t $k x …), sum, mean, (top n t $k x …), bottom, (min t $k x), max, union";
        reader.about("the sink", part, why)
    };
    let (head, items) = reader.list(part).ok_or_else(unknown)?;
    match (head, items.as_slice()) {
        (b"+", [template]) => Ok(Head::Add(reader.items(*template, "the template")?)),
        (b"min", [template, value, of]) => keep(reader, part, Best::Least, [*template, *value, *of]),
        (b"max", [template, value, of]) => keep(reader, part, Best::Greatest, [*template, *value, *of]),
        (b"union", [template, value, of]) => keep(reader, part, Best::Union, [*template, *value, *of]),
        (b"count", [template, value, over @ ..]) if !over.is_empty() => {
            reduce(reader, part, Aggregate::Count, [*template, *value], over)
        }
        (b"sum", [template, value, over @ ..]) if !over.is_empty() => {
            reduce(reader, part, Aggregate::Sum, [*template, *value], over)
        }
        (b"mean", [template, value, over @ ..]) if !over.is_empty() => {
            reduce(reader, part, Aggregate::Mean, [*template, *value], over)
        }
        (b"top" | b"bottom", [most, template, value, over @ ..]) => {
            let text =
                build::symbol(most.bytes(reader.bytes)).and_then(|text| std::str::from_utf8(text).ok());
            let most = text
                .and_then(|text| text.parse().ok())
                .filter(|n| (1..=TOP_MAX).contains(n));
            let Some(most) = most else {
                let why = format!("does not begin with a whole number from 1 to {TOP_MAX}");
                return Err(reader.about("the sink", part, &why));
            };
            let how = match head {
                b"top" => Aggregate::Top(most),
                _ => Aggregate::Bottom(most),
            };
            ranked(reader, part, how, [*template, *value], over)
        }
        _ => Err(unknown()),
    }
}

/// The items of a template, and the variable that stands for its value.
fn valued(reader: &Reader<'_>, part: Part, [template, value]: [Part; 2]) -> Result<(Vec<Build>, u16)> {
    let items = reader.items(template, "the template")?;
    match reader.variable(value) {
        Some(value) => Ok((items, value)),
        None => Err(reader.about("the sink", part, "has no variable in the place of its value")),
    }
}

/// `(min t $k x)` and the like: `$k` is the last item of `t`.
fn keep(reader: &Reader<'_>, part: Part, best: Best, [template, value, of]: [Part; 3]) -> Result<Head> {
    let (mut items, value) = valued(reader, part, [template, value])?;
    let last = items.pop();
    let mut others = Vec::new();
    items
        .iter()
        .for_each(|item| item.each_variable(&mut |v| others.push(v)));
    if last != Some(Build::Variable(value)) || others.contains(&value) || items.is_empty() {
        return Err(reader.about(
            "the sink",
            part,
            "does not have its value as the last item of its template, and only there",
        ));
    }
    items.push(reader.item(of, build::DEPTH_MAX)?);
    Ok(Head::Keep(best, items))
}

/// `(count t $k x …)` and the like: a fact for each group.
fn reduce(reader: &Reader<'_>, part: Part, how: Aggregate, which: [Part; 2], over: &[Part]) -> Result<Head> {
    let (items, value) = valued(reader, part, which)?;
    let over = over.iter().map(|of| reader.item(*of, build::DEPTH_MAX));
    let over: Vec<Build> = over.collect::<Result<_>>()?;
    let (mut group, mut template) = (Vec::new(), Vec::new());
    for item in items {
        if item == Build::Variable(value) {
            template.push(Place::Value);
            continue;
        }
        template.push(Place::Group(group.len()));
        group.push(item);
    }
    let mut elsewhere = BTreeSet::new();
    group.iter().chain(&over).for_each(|item| {
        item.each_variable(&mut |v| {
            elsewhere.insert(v);
        });
    });
    if elsewhere.contains(&value) {
        return Err(reader.about(
            "the sink",
            part,
            "uses the variable of its value for something else too",
        ));
    }
    narrow(
        reader,
        part,
        Reduce {
            how,
            group,
            over,
            template,
        },
    )
}

/// `(top n t $k x …)`: some facts of each group.
fn ranked(reader: &Reader<'_>, part: Part, how: Aggregate, which: [Part; 2], over: &[Part]) -> Result<Head> {
    let (items, value) = valued(reader, part, which)?;
    let mut ranked = vec![Build::Variable(value)];
    for of in over {
        ranked.push(reader.item(*of, build::DEPTH_MAX)?);
    }
    let (mut group, mut template) = (Vec::new(), Vec::new());
    for item in items {
        if let Some(place) = ranked.iter().position(|other| *other == item) {
            template.push(Place::Over(place));
            continue;
        }
        template.push(Place::Group(group.len()));
        group.push(item);
    }
    narrow(
        reader,
        part,
        Reduce {
            how,
            group,
            over: ranked,
            template,
        },
    )
}

fn narrow(reader: &Reader<'_>, part: Part, reduce: Reduce) -> Result<Head> {
    if reduce.group.len().saturating_add(reduce.over.len()) > COLUMNS_MAX {
        return Err(reader.about("the sink", part, "has too many items"));
    }
    Ok(Head::Reduce(reduce))
}

impl Head {
    /// What it makes of a match.
    pub fn built(&self) -> impl Iterator<Item = &Build> {
        let (items, more) = match self {
            Self::Add(items) | Self::Keep(_, items) => (items, None),
            Self::Reduce(reduce) => (&reduce.group, Some(&reduce.over)),
        };
        items.iter().chain(more.into_iter().flatten())
    }

    fn built_mut(&mut self) -> impl Iterator<Item = &mut Build> {
        let (items, more) = match self {
            Self::Add(items) | Self::Keep(_, items) => (items, None),
            Self::Reduce(reduce) => (&mut reduce.group, Some(&mut reduce.over)),
        };
        items.iter_mut().chain(more.into_iter().flatten())
    }

    /// What its facts begin with, encoded, and how many items they have.
    #[must_use]
    pub fn of(&self) -> super::Of {
        let first = self.built().next();
        let head = match first {
            Some(Build::Constant(head)) => head.to_vec(),
            _ => Vec::new(),
        };
        let width = match self {
            Self::Add(items) | Self::Keep(_, items) => items.len(),
            Self::Reduce(reduce) => reduce.template.len(),
        };
        (head, width)
    }
}

/// A fact that a head makes, with variables for what is computed.
pub(super) fn made(head: &Head) -> Build {
    let unknown = || Build::Value(Box::new(super::Code::Number(super::Operator::Add, Vec::new())));
    Build::Expression(match head {
        Head::Add(items) => items.clone(),
        Head::Keep(_, items) => {
            let key = items.len().saturating_sub(1);
            items.iter().take(key).cloned().chain([unknown()]).collect()
        }
        Head::Reduce(reduce) => {
            let item = |place: &Place| match place {
                Place::Group(n) => reduce.group.get(*n).cloned(),
                Place::Over(n) => reduce.over.get(*n).cloned(),
                Place::Value => None,
            };
            let items = reduce.template.iter();
            items.map(|place| item(place).unwrap_or_else(unknown)).collect()
        }
    })
}

/// Puts terms in the place of variables that stand for something new: one for each different values of what the templates have otherwise.
pub(super) fn make_new(heads: &mut [Head], name: &[u8], new: &[u16]) -> Result<()> {
    let mut frontier = BTreeSet::new();
    for build in heads.iter().flat_map(Head::built) {
        build.each_variable(&mut |variable| {
            frontier.insert(variable);
        });
    }
    frontier.retain(|variable| !new.contains(variable));
    let constant = |text: &[u8]| -> Result<Build> {
        let mut writer = Writer::default();
        writer.symbol(text)?;
        Ok(Build::Constant(writer.as_bytes().into()))
    };
    let mut terms = Vec::new();
    for (number, variable) in new.iter().enumerate() {
        let number = number.to_string();
        let mut items = vec![
            constant(NEW)?,
            Build::Constant(name.into()),
            constant(number.as_bytes())?,
        ];
        items.extend(frontier.iter().map(|variable| Build::Variable(*variable)));
        terms.push((*variable, Build::Expression(items)));
    }
    let with = |variable: u16| {
        let found = terms.iter().find(|(new, _)| *new == variable);
        found.map(|(_, term)| term.clone())
    };
    if !terms.is_empty() {
        heads
            .iter_mut()
            .flat_map(Head::built_mut)
            .for_each(|build| build.put(&with));
    }
    Ok(())
}

/// Checks that all variables of heads are known.
pub(super) fn check(reader: &Reader<'_>, heads: &[Head], bound: &BTreeSet<u16>) -> Result<()> {
    for head in heads {
        let mut unbound = None;
        for build in head.built() {
            build.each_variable(&mut |variable| {
                if !bound.contains(&variable) {
                    unbound = Some(variable);
                }
            });
        }
        if let Some(variable) = unbound {
            let shown = reader.show(&made(head));
            let name = reader.name(variable);
            let what = format!("the template {shown} has a variable that no pattern of facts binds: {name}");
            return Err(reader.wrong(&what));
        }
    }
    Ok(())
}
