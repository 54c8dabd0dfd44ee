//! Patterns of actions (`s3:Get*`, without case) and of resources (ARNs, with case, by segment).
//!
//! Invariants: the request's side is always literal text: a `*` in an object's key is a
//! character. In an ARN the first five segments are matched one by one, so a `*` there never
//! crosses a `:`; the sixth, the resource, is everything that follows and `*` covers `/` and `:`.

use super::{
    Context, Facts,
    pattern::{Pattern, Syntax},
    starts::Starting,
};

/// Segments of an ARN: `arn:partition:service:region:account:resource`.
const ARN_SEGMENTS: usize = 6;

/// A pattern of actions.
#[derive(Debug, Clone)]
pub(super) enum ActionPattern {
    All,
    /// `service` is `None` for `*:Name`.
    Named {
        service: Option<String>,
        name: Pattern,
        exact: Option<String>,
        /// In lower case, with its wildcards.
        text: Box<str>,
    },
}

impl ActionPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|b| b == b'*') {
            return Ok(Self::All);
        }
        let (service, name) = text
            .split_once(':')
            .ok_or("expected \"service:Action\" or \"*\"")?;
        let service_ok = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if service != "*" && (service.is_empty() || !service.bytes().all(service_ok)) {
            return Err("expected a service of letters, digits and '-' before the ':'".into());
        }
        let name_ok = |b: u8| b.is_ascii_alphanumeric() || b"*?-_".contains(&b);
        if name.is_empty() || !name.bytes().all(name_ok) {
            return Err("expected an action of letters, digits, '-', '*' and '?' after the ':'".into());
        }
        let lower = name.to_ascii_lowercase();
        let exact = !lower.contains(['*', '?']);
        let syntax = Syntax {
            wildcards: true,
            variables: false,
            fold: false,
        };
        Ok(Self::Named {
            service: (service != "*").then(|| service.to_ascii_lowercase()),
            name: Pattern::parse(&lower, syntax)?,
            text: lower.as_str().into(),
            exact: exact.then_some(lower),
        })
    }

    /// Whether it names actions of this service alone, or of all services.
    pub(super) fn is_for_service(&self, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named { service: named, .. } => named.as_deref().is_none_or(|n| n == service),
        }
    }

    /// Both in lower case.
    pub(super) fn matches(&self, service: &str, action: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named {
                service: wanted,
                name,
                exact,
                ..
            } => {
                wanted.as_deref().is_none_or(|w| w == service)
                    && match exact {
                        Some(exact) => exact == action,
                        None => name.matches(action, &Context::default()),
                    }
            }
        }
    }
}

impl Starting for ActionPattern {
    fn start(&self) -> String {
        match self {
            Self::Named {
                service: Some(service),
                text,
                ..
            } => format!("{service}:{}", before_wildcard(text)),
            Self::All | Self::Named { service: None, .. } => String::new(),
        }
    }
}

/// What stands before the first wildcard or variable.
fn before_wildcard(text: &str) -> &str {
    text.split(['*', '?', '$']).next().unwrap_or_default()
}

/// An ARN taken apart; the segments borrow from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arn<'a> {
    text: &'a str,
    segments: [&'a str; ARN_SEGMENTS],
}

impl<'a> Arn<'a> {
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(ARN_SEGMENTS, ':');
        let mut segments = [""; ARN_SEGMENTS];
        for segment in &mut segments {
            *segment = parts.next()?;
        }
        (segments.first() == Some(&"arn")).then_some(Self { text, segments })
    }
}

/// How a pattern of ARNs is compared. What is literal up to its sixth segment needs no comparison by segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// It is one ARN.
    Whole,
    /// It is the beginning of an ARN, and a `*`.
    Beginning,
    Segments,
}

/// A pattern of ARNs.
#[derive(Debug, Clone)]
pub(super) struct ArnPattern {
    segments: Vec<Pattern>,
    start: String,
    shape: Shape,
    /// As it was written, each segment for itself.
    texts: Box<[Box<str>]>,
}

impl ArnPattern {
    /// Missing segments become `*`, as AWS completes an incomplete ARN.
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, String> {
        let syntax = Syntax {
            wildcards: true,
            variables,
            fold: false,
        };
        let mut raw = split_segments(text, variables);
        raw.resize(ARN_SEGMENTS.max(raw.len()), "*");
        let texts = raw.iter().map(|segment| Box::from(*segment)).collect();
        let segments = raw
            .into_iter()
            .map(|segment| Pattern::parse(segment, syntax))
            .collect::<Result<Vec<_>, _>>()?;
        let start = before_wildcard(text);
        let reaches_resource = start.bytes().filter(|b| *b == b':').count() >= ARN_SEGMENTS - 1;
        let shape = match text.get(start.len()..) {
            Some("") if reaches_resource => Shape::Whole,
            Some("*") if reaches_resource => Shape::Beginning,
            _ => Shape::Segments,
        };
        Ok(Self {
            segments,
            start: start.to_owned(),
            shape,
            texts,
        })
    }

    /// Its segments as they were written.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    pub(super) fn matches(&self, arn: &Arn<'_>, context: &dyn Facts) -> bool {
        match self.shape {
            Shape::Whole => arn.text == self.start,
            Shape::Beginning => arn.text.starts_with(&self.start),
            Shape::Segments => {
                let mut pairs = self.segments.iter().zip(arn.segments);
                pairs.all(|(pattern, segment)| pattern.matches(segment, context))
            }
        }
    }

    /// Whether it matches something whose name begins with this ARN.
    fn matches_beyond(&self, arn: &Arn<'_>, context: &dyn Facts) -> bool {
        let mut pairs = (1..).zip(self.segments.iter().zip(arn.segments));
        pairs.all(|(number, (pattern, segment))| match number {
            ARN_SEGMENTS => pattern.fits_beyond(segment, context),
            _ => pattern.matches(segment, context),
        })
    }

    fn has_value(&self, context: &dyn Facts) -> bool {
        self.segments.iter().all(|pattern| pattern.has_value(context))
    }

    /// Whether it names one ARN.
    pub(super) fn is_literal(&self) -> bool {
        self.segments.iter().all(Pattern::is_literal)
    }

    /// Literal text with which every matching ARN starts.
    fn literal(&self) -> &str {
        &self.start
    }
}

/// At the first five `:` that are not inside a `${…}`.
fn split_segments(text: &str, variables: bool) -> Vec<&str> {
    let mut segments = Vec::with_capacity(ARN_SEGMENTS);
    let mut rest = text;
    while segments.len() + 1 < ARN_SEGMENTS {
        let Some(end) = colon(rest, variables) else { break };
        let Some((segment, tail)) = rest.split_at_checked(end) else {
            break;
        };
        segments.push(segment);
        rest = tail.strip_prefix(':').unwrap_or(tail);
    }
    segments.push(rest);
    segments
}

fn colon(text: &str, variables: bool) -> Option<usize> {
    let mut inside = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if variables && before == '$' => inside = true,
            '}' => inside = false,
            ':' if !inside => return Some(at),
            _ => {}
        }
        before = c;
    }
    None
}

/// What a `Resource` or `NotResource` entry names.
#[derive(Debug, Clone)]
pub(super) enum ResourcePattern {
    All,
    Arn(ArnPattern),
}

impl ResourcePattern {
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|b| b == b'*') {
            return Ok(Self::All);
        }
        if !text.starts_with("arn:") {
            return Err("expected an ARN (\"arn:…\") or \"*\"".into());
        }
        ArnPattern::parse(text, variables).map(Self::Arn)
    }

    /// `arn` is `None` where the request is for no resource in particular (`*`).
    pub(super) fn matches(&self, arn: Option<&Arn<'_>>, context: &dyn Facts) -> bool {
        match (self, arn) {
            (Self::All, _) => true,
            (Self::Arn(pattern), Some(arn)) => pattern.matches(arn, context),
            (Self::Arn(_), None) => false,
        }
    }

    /// Whether it matches something whose name begins with this ARN, itself among them.
    pub(super) fn matches_beyond(&self, arn: Option<&Arn<'_>>, context: &dyn Facts) -> bool {
        match (self, arn) {
            (Self::All, _) => true,
            (Self::Arn(pattern), Some(arn)) => pattern.matches_beyond(arn, context),
            (Self::Arn(_), None) => false,
        }
    }

    /// Whether every variable in it has a value in `context`.
    pub(super) fn has_value(&self, context: &dyn Facts) -> bool {
        match self {
            Self::All => true,
            Self::Arn(pattern) => pattern.has_value(context),
        }
    }

    /// What stands in the last segment of an ARN of a service: behind `arn:aws:s3:::`.
    pub(super) fn of_service(&self, service: &str) -> Option<&str> {
        let Self::Arn(pattern) = self else { return None };
        let mut texts = pattern.texts();
        (texts.nth(2) == Some(service)).then(|| texts.last()).flatten()
    }

    /// Literal text with which every matching ARN starts.
    pub(super) fn literal(&self) -> &str {
        match self {
            Self::All => "",
            Self::Arn(pattern) => pattern.literal(),
        }
    }

    /// Whether it can name a bucket.
    pub(super) fn can_name_bucket(&self) -> bool {
        match self {
            Self::All => true,
            // What holds a slash before its first wildcard begins with a bucket and goes on to a key.
            Self::Arn(pattern) => !pattern.literal().contains('/'),
        }
    }

    /// Whether it can name an object.
    pub(super) fn can_name_object(&self) -> bool {
        match self {
            Self::All => true,
            Self::Arn(pattern) => pattern.literal().contains('/') || !pattern.is_literal(),
        }
    }

    /// Whether it can name the bucket with this ARN, or objects in it.
    pub(super) fn can_name(&self, bucket_arn: &str) -> bool {
        let Self::Arn(pattern) = self else { return true };
        match pattern.literal().strip_prefix(bucket_arn) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => bucket_arn.starts_with(pattern.literal()) && !pattern.is_literal(),
        }
    }
}

impl Starting for ArnPattern {
    fn start(&self) -> String {
        self.literal().to_owned()
    }
}

impl Starting for ResourcePattern {
    fn start(&self) -> String {
        self.literal().to_owned()
    }

    fn is_dynamic(&self) -> bool {
        matches!(self, Self::Arn(pattern) if pattern.segments.iter().any(Pattern::is_dynamic))
    }
}

#[cfg(test)]
mod tests;
