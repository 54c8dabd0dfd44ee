//! An `exec` fact taken apart.

use std::sync::LazyLock;

use craton_base::{Error, Kind, Result};

use crate::term::{Item, Part, Term, Writer, is_ground, parts, read};

/// How the encoding of every `exec` begins.
pub static EXEC_PREFIX: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut writer = Writer::default();
    // Both are within every limit.
    let _ = writer.expression(4).and_then(|()| writer.symbol(b"exec"));
    writer.as_bytes().to_vec()
});

/// Most patterns of one `exec`.
const PATTERNS_MAX: usize = 256;
const SHOWN_MAX: usize = 400;

/// Where the facts of a pattern come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The space.
    Space(Part),
    /// Another set of facts, by name.
    Other(Vec<u8>, Part),
    /// `(== l r)`: one fact of the space that both unify with.
    Same(Part, Part),
    /// `(!= l r)`: two different facts of the space, one for each.
    Different(Part, Part),
}

/// How a reducing sink makes one value of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// How many.
    Count,
    /// The sum of integers.
    Sum,
    /// The bits that all have.
    And,
    /// A hash of all.
    Hash,
    /// The sum of floats.
    FloatSum,
    /// The least float.
    FloatMin,
    /// The greatest float.
    FloatMax,
    /// The product of floats.
    FloatProduct,
}

/// What is done with the instances of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Add them.
    Add(Part),
    /// Remove them.
    Remove(Part),
    /// Add what all of them unify to.
    Unify(Part),
    /// Add what all of them are instances of.
    Generalise(Part),
    /// Add the first so many.
    Head(usize, Part),
    /// Add the last so many.
    Tail(usize, Part),
    /// `(… t k x)`: add `t` with `k` unified with the value of the `x`s.
    Reduce(Reduction, [Part; 3]),
    /// `(pure t k e)`: add `t` with `k` unified with the value of `e`.
    Pure([Part; 3]),
    /// Write them to another set of facts, by name.
    Write(Vec<u8>, Part),
}

/// A rule: patterns and what is done for each match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The whole fact; parts are of its bytes, and variables are numbered by it.
    pub exec: Term,
    /// The patterns in the order that they are written.
    pub sources: Vec<Source>,
    /// The sinks in the order that they are written.
    pub sinks: Vec<Sink>,
}

impl Rule {
    /// Takes an `exec` fact apart.
    pub fn read(exec: Term) -> Result<Self> {
        let bytes = exec.as_bytes();
        let malformed = |what: &str| malformed(&exec, what);
        let whole = exec.parts().unwrap_or_default();
        let [head, location, patterns, templates] = whole.as_slice() else {
            return Err(malformed("it is (exec <location> <patterns> <templates>)"));
        };
        if symbol(bytes, *head) != Some(b"exec") {
            return Err(malformed("it is (exec <location> <patterns> <templates>)"));
        }
        if !is_ground(location.bytes(bytes)) {
            return Err(malformed("the location has a variable in it"));
        }
        let (form, items) =
            list(bytes, *patterns).ok_or_else(|| malformed("the patterns are (, …) or (I …)"))?;
        if !matches!(form, b"," | b"I") {
            return Err(malformed("the patterns are (, …) or (I …)"));
        }
        let mut sources = Vec::with_capacity(items.len());
        for item in items {
            let source = match form {
                b"," => Some(Source::Space(item)),
                _ => source(bytes, item),
            };
            sources.push(source.ok_or_else(|| malformed("a source is none of BTM, ACT, == and !="))?);
        }
        if sources.len() > PATTERNS_MAX {
            return Err(malformed("it has more patterns than the limit of 256"));
        }
        let (form, items) =
            list(bytes, *templates).ok_or_else(|| malformed("the templates are (, …) or (O …)"))?;
        if !matches!(form, b"," | b"O") {
            return Err(malformed("the templates are (, …) or (O …)"));
        }
        let mut sinks = Vec::with_capacity(items.len());
        for item in items {
            sinks.push(match form {
                b"," => Sink::Add(item),
                _ => sink(bytes, item).map_err(malformed)?,
            });
        }
        Ok(Self { exec, sources, sinks })
    }

    /// The parts of the space that it reads, then those that it writes, each as the encoded prefix
    /// that all of its facts begin with.
    #[must_use]
    pub fn prefixes(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let bytes = self.exec.as_bytes();
        let prefix = |part: &Part| ground_prefix(part.bytes(bytes)).to_vec();
        let mut reads = Vec::new();
        for source in &self.sources {
            match source {
                Source::Space(part) => reads.push(prefix(part)),
                Source::Other(..) => {}
                Source::Same(left, right) | Source::Different(left, right) => {
                    reads.extend([prefix(left), prefix(right)]);
                }
            }
        }
        let writes = self.sinks.iter().filter_map(|sink| match sink {
            Sink::Add(part) | Sink::Remove(part) | Sink::Unify(part) | Sink::Generalise(part) => {
                Some(prefix(part))
            }
            Sink::Head(_, part) | Sink::Tail(_, part) => Some(prefix(part)),
            Sink::Reduce(_, [part, ..]) | Sink::Pure([part, ..]) => Some(prefix(part)),
            Sink::Write(..) => None,
        });
        (reads, writes.collect())
    }
}

/// The bytes of an encoded term before its first variable.
pub(crate) fn ground_prefix(bytes: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some((item, next)) = read(bytes, at) {
        if matches!(item, Item::NewVariable | Item::Reference(_)) {
            break;
        }
        at = next;
    }
    bytes.get(..at).unwrap_or_default()
}

/// An error about an `exec` that says which.
pub(crate) fn malformed(exec: &Term, what: &str) -> Error {
    let mut shown = crate::print::term(exec);
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(cut);
        shown.push('…');
    }
    Error::new(Kind::Invalid, "MalformedExec", format!("{what}: {shown}"))
}

fn symbol(bytes: &[u8], part: Part) -> Option<&[u8]> {
    match read(bytes, part.start as usize)?.0 {
        Item::Symbol(text) => Some(text),
        _ => None,
    }
}

/// The head symbol of an expression and its other parts.
fn list(bytes: &[u8], part: Part) -> Option<(&[u8], Vec<Part>)> {
    let mut items = parts(bytes, part)?;
    let head = symbol(bytes, *items.first()?)?;
    items.remove(0);
    Some((head, items))
}

fn source(bytes: &[u8], part: Part) -> Option<Source> {
    let (head, items) = list(bytes, part)?;
    match (head, items.as_slice()) {
        (b"BTM", [pattern]) => Some(Source::Space(*pattern)),
        (b"ACT", [name, pattern]) => Some(Source::Other(symbol(bytes, *name)?.to_vec(), *pattern)),
        (b"==", [left, right]) => Some(Source::Same(*left, *right)),
        (b"!=", [left, right]) => Some(Source::Different(*left, *right)),
        _ => None,
    }
}

fn sink(bytes: &[u8], part: Part) -> std::result::Result<Sink, &'static str> {
    const UNKNOWN: &str = "a sink is none of those there are, or has a wrong number of parts";
    let (head, items) = list(bytes, part).ok_or(UNKNOWN)?;
    let reduce = |reduction| match items.as_slice() {
        [template, value, over] => Ok(Sink::Reduce(reduction, [*template, *value, *over])),
        _ => Err(UNKNOWN),
    };
    match head {
        b"count" => return reduce(Reduction::Count),
        b"sum" => return reduce(Reduction::Sum),
        b"and" => return reduce(Reduction::And),
        b"hash" => return reduce(Reduction::Hash),
        b"fsum" => return reduce(Reduction::FloatSum),
        b"fmin" => return reduce(Reduction::FloatMin),
        b"fmax" => return reduce(Reduction::FloatMax),
        b"fprod" => return reduce(Reduction::FloatProduct),
        _ => {}
    }
    match (head, items.as_slice()) {
        (b"+", [template]) => Ok(Sink::Add(*template)),
        (b"-", [template]) => Ok(Sink::Remove(*template)),
        (b"U", [template]) => Ok(Sink::Unify(*template)),
        (b"AU", [template]) => Ok(Sink::Generalise(*template)),
        (b"head", [number, template]) => Ok(Sink::Head(at_least_one(bytes, *number)?, *template)),
        (b"tail", [number, template]) => Ok(Sink::Tail(at_least_one(bytes, *number)?, *template)),
        (b"pure", [template, value, expression]) => Ok(Sink::Pure([*template, *value, *expression])),
        (b"ACT", [name, template]) => {
            let name = symbol(bytes, *name).ok_or("the name of an ACT is a symbol")?;
            Ok(Sink::Write(name.to_vec(), *template))
        }
        _ => Err(UNKNOWN),
    }
}

fn at_least_one(bytes: &[u8], part: Part) -> std::result::Result<usize, &'static str> {
    let text = symbol(bytes, part).and_then(|text| std::str::from_utf8(text).ok());
    match text.and_then(|text| text.parse().ok()) {
        Some(number @ 1..) => Ok(number),
        _ => Err("the number of a head or tail is a whole number from 1"),
    }
}
