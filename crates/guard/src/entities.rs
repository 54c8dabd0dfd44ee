//! What a question is about, as Cedar's entities: names, what they lie in, attributes.

use cedar_policy::{EntityUid, RestrictedExpression};
use craton_base::{FactPath, ResourcePath, Timestamp};

use crate::{
    index::Rules,
    judge::{Asker, AskerType},
    labels::labels,
    language::{Language, uid},
};

/// Whether an entity is what was asked about, or lies in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Asked,
    Below,
}

/// Something that a question is about.
pub(crate) struct Subject {
    pub(crate) uid: EntityUid,
    /// What it lies in, all of it.
    pub(crate) above: Vec<EntityUid>,
    pub(crate) place: Place,
}

pub(crate) fn principal(language: &Language, asker: &Asker<'_>) -> EntityUid {
    let name = match asker.asker_type {
        AskerType::User => &language.types.user,
        AskerType::Role => &language.types.role,
    };
    uid(name, asker.name)
}

pub(crate) fn groups(language: &Language, asker: &Asker<'_>) -> Vec<EntityUid> {
    let name = &language.types.group;
    asker.groups.iter().map(|group| uid(name, group)).collect()
}

/// What a path is about: itself, and every named part of a graph under it, since who reads or writes a graph as a whole
/// reads or writes its parts.
pub(crate) fn subjects(rules: &Rules, language: &Language, path: &ResourcePath) -> Vec<Subject> {
    let mut out = vec![subject(rules, language, path)];
    if let ResourcePath::Facts(bucket, facts) = path {
        let own = format!("{bucket}/{}/{}", facts.graph(), facts.prefix());
        let below = rules.graph_prefixes_under(&own).filter(|id| **id != own);
        for id in below {
            out.push(Subject {
                uid: uid(&language.types.graph_prefix, id),
                above: around_facts(rules, language, id),
                place: Place::Below,
            });
        }
    }
    out
}

fn subject(rules: &Rules, language: &Language, path: &ResourcePath) -> Subject {
    let types = &language.types;
    let (uid, above) = match path {
        ResourcePath::Root => (uid(&types.service, "craton"), Vec::new()),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => (uid(&types.bucket, b.as_str()), Vec::new()),
        ResourcePath::Object(b, key) => {
            let id = format!("{b}/{key}");
            let mut above = vec![uid(&types.bucket, b.as_str())];
            if rules.names_prefixes() {
                let prefixes = parts(&id, &['/']).skip(1).filter(|p| rules.names_prefix(p));
                above.extend(prefixes.map(|p| uid(&types.prefix, p)));
            }
            (uid(&types.object, &id), above)
        }
        ResourcePath::Facts(b, facts) => facts_of(rules, language, b.as_str(), facts),
        ResourcePath::System(part) => (uid(&types.system, part), Vec::new()),
    };
    Subject {
        uid,
        above,
        place: Place::Asked,
    }
}

fn facts_of(
    rules: &Rules,
    language: &Language,
    bucket: &str,
    facts: &FactPath,
) -> (EntityUid, Vec<EntityUid>) {
    let types = &language.types;
    let graph = format!("{bucket}/{}", facts.graph());
    if facts.prefix().is_empty() {
        return (uid(&types.graph, &graph), vec![uid(&types.bucket, bucket)]);
    }
    let id = format!("{graph}/{}", facts.prefix());
    let above = around_facts(rules, language, &id);
    (uid(&types.graph_prefix, &id), above)
}

/// What a prefix of facts lies in: bucket, graph, and the shorter prefixes that policies name.
fn around_facts(rules: &Rules, language: &Language, id: &str) -> Vec<EntityUid> {
    let types = &language.types;
    let mut slashes = id.match_indices('/').map(|(at, _)| at);
    let [bucket, graph] = [slashes.next(), slashes.next()].map(|at| id.get(..at?));
    let mut above = Vec::new();
    above.extend(bucket.map(|bucket| uid(&types.bucket, bucket)));
    above.extend(graph.map(|graph| uid(&types.graph, graph)));
    let shorter = parts(id, &[' ', '(']).filter(|p| p.len() < id.len() && rules.names_graph_prefix(p));
    above.extend(shorter.map(|p| uid(&types.graph_prefix, p)));
    above
}

/// Every beginning of `text` that ends with one of `ends`.
fn parts<'a>(text: &'a str, ends: &'a [char]) -> impl Iterator<Item = &'a str> {
    text.match_indices(ends)
        .filter_map(move |(at, end)| text.get(..at.saturating_add(end.len())))
}

type Attributes = Vec<(String, RestrictedExpression)>;

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Attributes {
    let pair = |(name, value): (&str, &str)| {
        (
            name.to_owned(),
            RestrictedExpression::new_string(value.to_owned()),
        )
    };
    pairs.into_iter().map(pair).collect()
}

pub(crate) fn asker_attributes(asker: &Asker<'_>) -> Attributes {
    texts([("name", asker.name), ("kind", asker.kind)])
}

/// The attributes of a subject of a question about `path`, which has these tags.
pub(crate) fn attributes(
    path: &ResourcePath,
    subject: &Subject,
    owner: &str,
    tags: &[(String, String)],
) -> Attributes {
    match path {
        ResourcePath::Root => Vec::new(),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => {
            texts([("name", b.as_str()), ("owner", owner)])
        }
        ResourcePath::Object(b, key) => {
            let mut all = texts([("bucket", b.as_str()), ("key", key.as_str())]);
            let labels = labels(tags).into_iter().map(RestrictedExpression::new_string);
            all.push(("labels".to_owned(), RestrictedExpression::new_set(labels)));
            all
        }
        ResourcePath::Facts(b, facts) if subject.place == Place::Asked && facts.prefix().is_empty() => {
            texts([("bucket", b.as_str()), ("name", facts.graph().as_str())])
        }
        ResourcePath::Facts(b, facts) => {
            let prefix = subject.uid.id().unescaped().splitn(3, '/').nth(2);
            let graph = facts.graph().as_str();
            texts([
                ("bucket", b.as_str()),
                ("graph", graph),
                ("prefix", prefix.unwrap_or_default()),
            ])
        }
        ResourcePath::System(part) => texts([("path", part)]),
    }
}

/// A time as Cedar writes it, to the millisecond.
pub(crate) fn datetime(time: Timestamp) -> String {
    let utc = time.to_utc();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.millisecond()
    )
}
