//! Text patterns of the policy language: literal text, `*` (any run of characters), `?` (exactly
//! one character) and policy variables, compiled once and matched in bounded time.
//!
//! Invariants: the value of a variable is always literal text, whatever characters it holds, so
//! a `*` in a user's name never widens a policy. A pattern whose variable has no value matches
//! nothing. Matching never backtracks over a `*`: every part between two `*` is taken at its
//! leftmost place, which is linear in the text for literal parts and text × part for parts
//! with `?`.
//!
//! Source of the variable syntax: AWS IAM User Guide, "IAM policy elements: Variables and tags".

use super::{Context, Facts, starts::Starting};

/// Which characters of a pattern have a meaning.
#[derive(Clone, Copy)]
pub(super) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// `${…}` is a variable (policy version 2012-10-17 only).
    pub(super) variables: bool,
    /// Upper and lower case are the same.
    pub(super) fold: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Many,
    One,
    Variable { key: String, default: Option<String> },
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    form: Form,
    fold: bool,
}

#[derive(Debug, Clone)]
enum Form {
    Fixed(Glob),
    /// Holds a variable: made into a [`Glob`] for each request.
    Dynamic(Vec<Piece>),
}

impl Pattern {
    /// Compiles `text`; the error says what is wrong with it.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let pieces = split_pieces(text, syntax)?;
        let dynamic = pieces.iter().any(|p| matches!(p, Piece::Variable { .. }));
        let form = if dynamic {
            Form::Dynamic(pieces)
        } else {
            Form::Fixed(Glob::new(&pieces, syntax.fold, &Context::default()).ok_or("has no value")?)
        };
        Ok(Self {
            form,
            fold: syntax.fold,
        })
    }

    /// Whether some text fits that begins with `text`, itself among them; of patterns that tell upper from lower case.
    pub(super) fn fits_beyond(&self, text: &str, context: &dyn Facts) -> bool {
        match &self.form {
            Form::Fixed(glob) => glob.fits_beyond(text),
            Form::Dynamic(pieces) => {
                Glob::new(pieces, self.fold, context).is_some_and(|glob| glob.fits_beyond(text))
            }
        }
    }

    /// Whether the whole of `text` fits. `false` if a variable has no value in `context`.
    pub(super) fn matches(&self, text: &str, context: &dyn Facts) -> bool {
        match self.fold {
            true => self.matches_folded(&text.to_lowercase(), context),
            false => self.matches_folded(text, context),
        }
    }

    /// The same of a text that is in lower case already if this pattern does not tell upper from lower case.
    pub(super) fn matches_folded(&self, text: &str, context: &dyn Facts) -> bool {
        match &self.form {
            Form::Fixed(glob) => glob.matches(text),
            Form::Dynamic(pieces) => {
                Glob::new(pieces, self.fold, context).is_some_and(|glob| glob.matches(text))
            }
        }
    }

    /// Whether every variable in it has a value in `context`.
    pub(super) fn has_value(&self, context: &dyn Facts) -> bool {
        let Form::Dynamic(pieces) = &self.form else {
            return true;
        };
        pieces.iter().all(|piece| match piece {
            Piece::Variable { key, default } => default.is_some() || context.variable(key).is_some(),
            _ => true,
        })
    }

    /// Whether it fits one text only, the same for every request.
    pub(super) fn is_literal(&self) -> bool {
        match &self.form {
            Form::Fixed(glob) => matches!(glob.parts.as_slice(), [] | [Part::Literal(_)]),
            Form::Dynamic(_) => false,
        }
    }

    /// Whether a variable occurs in it.
    pub(super) fn is_dynamic(&self) -> bool {
        matches!(self.form, Form::Dynamic(_))
    }
}

impl Starting for Pattern {
    /// In lower case if the pattern does not tell upper from lower case.
    fn start(&self) -> String {
        let mut first = Part::default();
        match &self.form {
            Form::Fixed(glob) => return glob.parts.first().map(Part::start).unwrap_or_default(),
            Form::Dynamic(pieces) => {
                if let Some(Piece::Text(text)) = pieces.first() {
                    first.push(text, self.fold);
                }
            }
        }
        first.start()
    }
}

fn split_pieces(text: &str, syntax: Syntax) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if syntax.variables
            && c == '$'
            && let Some(inner) = after.strip_prefix('{')
        {
            let (inner, tail) = inner
                .split_once('}')
                .ok_or("has a \"${\" without its closing \"}\"")?;
            match special(inner) {
                Some(c) => literal.push(c),
                None => {
                    flush(&mut literal, &mut pieces);
                    pieces.push(variable(inner)?);
                }
            }
            rest = tail;
            continue;
        }
        match c {
            '*' if syntax.wildcards => {
                flush(&mut literal, &mut pieces);
                if pieces.last() != Some(&Piece::Many) {
                    pieces.push(Piece::Many);
                }
            }
            '?' if syntax.wildcards => {
                flush(&mut literal, &mut pieces);
                pieces.push(Piece::One);
            }
            c => literal.push(c),
        }
        rest = after;
    }
    flush(&mut literal, &mut pieces);
    Ok(pieces)
}

/// `${*}`, `${?}` and `${$}` stand for the character itself.
fn special(inner: &str) -> Option<char> {
    match inner {
        "*" => Some('*'),
        "?" => Some('?'),
        "$" => Some('$'),
        _ => None,
    }
}

fn flush(literal: &mut String, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal)));
    }
}

/// `key` or `key, 'default'`.
fn variable(inner: &str) -> Result<Piece, String> {
    let (key, default) = match inner.split_once(',') {
        None => (inner, None),
        Some((key, default)) => {
            let quoted = default.trim();
            let default = quoted
                .strip_prefix('\'')
                .and_then(|d| d.strip_suffix('\''))
                .ok_or("has a variable whose default is not in single quotes")?;
            (key, Some(default.to_owned()))
        }
    };
    let key = key.trim();
    if key.is_empty() {
        return Err("has an empty variable".into());
    }
    if key.chars().any(|c| c == '$' || c == '{' || c == '\'') {
        return Err("has a variable whose name holds one of $ { '".into());
    }
    Ok(Piece::Variable {
        key: key.to_lowercase(),
        default,
    })
}

/// Parts separated by `*`: the first is at the start, the last at the end, the others in order
/// between them. One part alone is the whole text.
#[derive(Debug, Clone, Default)]
struct Glob {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    /// `None` is a `?`.
    Mixed(Vec<Option<char>>),
}

impl Default for Part {
    fn default() -> Self {
        Self::Literal(String::new())
    }
}

impl Glob {
    /// Puts values in the place of variables; `None` if one has none.
    fn new(pieces: &[Piece], fold: bool, context: &dyn Facts) -> Option<Self> {
        let mut parts = Vec::new();
        let mut part = Part::default();
        for piece in pieces {
            match piece {
                Piece::Text(text) => part.push(text, fold),
                Piece::One => part.push_one(),
                Piece::Many => parts.push(std::mem::take(&mut part)),
                Piece::Variable { key, default } => {
                    let value = context.variable(key);
                    part.push(value.as_deref().or(default.as_deref())?, fold);
                }
            }
        }
        parts.push(part);
        Some(Self { parts })
    }

    /// Behind its first part there is a `*`, which takes whatever `text` goes on with, or nothing.
    fn fits_beyond(&self, text: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else {
            return text.is_empty();
        };
        first.begins_with(text) || (!others.is_empty() && first.strip_start(text).is_some())
    }

    fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else {
            return text.is_empty();
        };
        let Some((last, middle)) = others.split_last() else {
            return first.strip_start(text).is_some_and(str::is_empty);
        };
        let Some(text) = first.strip_start(text) else {
            return false;
        };
        let Some(mut text) = last.strip_end(text) else {
            return false;
        };
        for part in middle {
            match part.skip_past(text) {
                Some(rest) => text = rest,
                None => return false,
            }
        }
        true
    }
}

impl Part {
    fn push(&mut self, text: &str, fold: bool) {
        let folded;
        let text = if fold {
            folded = text.to_lowercase();
            &folded
        } else {
            text
        };
        match self {
            Self::Literal(literal) => literal.push_str(text),
            Self::Mixed(units) => units.extend(text.chars().map(Some)),
        }
    }

    /// The literal text that it begins with.
    fn start(&self) -> String {
        match self {
            Self::Literal(literal) => literal.clone(),
            Self::Mixed(units) => units.iter().map_while(|unit| *unit).collect(),
        }
    }

    fn push_one(&mut self) {
        if let Self::Literal(literal) = self {
            *self = Self::Mixed(literal.chars().map(Some).collect());
        }
        if let Self::Mixed(units) = self {
            units.push(None);
        }
    }

    /// Whether it is at least as long as `text` and fits it so far.
    fn begins_with(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => literal.starts_with(text),
            Self::Mixed(units) => {
                let mut units = units.iter();
                text.chars()
                    .all(|c| units.next().is_some_and(|unit| unit.is_none_or(|u| u == c)))
            }
        }
    }

    /// What follows this part at the start of `text`.
    fn strip_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Literal(literal) => text.strip_prefix(literal.as_str()),
            Self::Mixed(units) => {
                let mut chars = text.chars();
                for unit in units {
                    let c = chars.next()?;
                    if unit.is_some_and(|u| u != c) {
                        return None;
                    }
                }
                Some(chars.as_str())
            }
        }
    }

    /// What precedes this part at the end of `text`.
    fn strip_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Literal(literal) => text.strip_suffix(literal.as_str()),
            Self::Mixed(units) => {
                let mut chars = text.chars();
                for unit in units.iter().rev() {
                    let c = chars.next_back()?;
                    if unit.is_some_and(|u| u != c) {
                        return None;
                    }
                }
                Some(chars.as_str())
            }
        }
    }

    /// What follows the leftmost place of this part in `text`.
    fn skip_past<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Literal(literal) => text.split_once(literal.as_str()).map(|(_, rest)| rest),
            Self::Mixed(_) => {
                let mut from = text;
                loop {
                    if let Some(rest) = self.strip_start(from) {
                        return Some(rest);
                    }
                    let mut chars = from.chars();
                    chars.next()?;
                    from = chars.as_str();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
