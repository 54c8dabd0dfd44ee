//! What a question is about, as Cedar's entities: names, what they lie in, attributes.

use cedar_policy::{EntityUid, RestrictedExpression};
use craton_base::{FactPath, ResourcePath, Timestamp};

use crate::{
    index::Rules,
    judge::{Asker, AskerType, Question},
    labels::labels,
    language::{Language, uid},
    needs::Says,
    tables::{self, Column},
};

/// What an entity is of a question's path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// What it names.
    Path,
    /// Facts of it.
    Facts,
    /// The namespace of tables.
    Namespace,
    /// The table.
    Table,
    /// A column of the table.
    Column(Column),
}

/// Something that a question is about.
pub(crate) struct Subject {
    pub(crate) uid: EntityUid,
    /// What it lies in, all of it.
    pub(crate) above: Vec<EntityUid>,
    pub(crate) what: What,
}

/// Who asks, as one of the types that it is asked about as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum As {
    /// A user or a role.
    Itself,
    /// One who acts for others.
    Agent,
    /// A session.
    Session,
}

/// As what an asker is asked about: of those types that no policy says it is not.
pub(crate) fn roles(says: Says, question: &Question<'_>, place: usize) -> impl Iterator<Item = As> {
    let acts = place.saturating_add(1) < question.askers.len();
    let agent = (says.agents && acts).then_some(As::Agent);
    let session = (says.sessions && place == 0 && question.session.is_some()).then_some(As::Session);
    std::iter::once(As::Itself).chain(agent).chain(session)
}

pub(crate) fn principal(
    language: &Language,
    question: &Question<'_>,
    asker: &Asker<'_>,
    role: As,
) -> EntityUid {
    let types = &language.types;
    match role {
        As::Itself => match asker.asker_type {
            AskerType::User => uid(&types.user, asker.name),
            AskerType::Role => uid(&types.role, asker.name),
        },
        As::Agent => uid(&types.agent, &label(asker)),
        As::Session => uid(&types.session, question.session.map_or("", |s| s.id)),
    }
}

/// An asker's name as records and chains have it.
fn label(asker: &Asker<'_>) -> String {
    match asker.asker_type {
        AskerType::User => asker.name.to_owned(),
        AskerType::Role => format!("role/{}", asker.name),
    }
}

pub(crate) fn groups(language: &Language, asker: &Asker<'_>) -> Vec<EntityUid> {
    let name = &language.types.group;
    asker.groups.iter().map(|group| uid(name, group)).collect()
}

/// What a question is about: its path, and every named part of a graph under it, since who reads or writes a graph as a whole
/// reads or writes its parts; or the table, with its columns.
pub(crate) fn subjects(rules: &Rules, language: &Language, question: &Question<'_>) -> Vec<Subject> {
    if let Some(of_tables) = tables::subjects(rules, language, question) {
        return of_tables;
    }
    let mut out = vec![subject(rules, language, question)];
    if let ResourcePath::Facts(bucket, facts) = question.resource {
        let own = format!("{bucket}/{}/{}", facts.graph(), facts.prefix());
        let below = rules.graph_prefixes_under(&own).filter(|id| **id != own);
        for id in below {
            out.push(Subject {
                uid: uid(&language.types.graph_prefix, id),
                above: around_facts(rules, language, id),
                what: What::Facts,
            });
        }
    }
    out
}

fn subject(rules: &Rules, language: &Language, question: &Question<'_>) -> Subject {
    let types = &language.types;
    let (uid, above) = match question.resource {
        ResourcePath::Root => (uid(&types.service, "craton"), Vec::new()),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => (uid(&types.bucket, b.as_str()), Vec::new()),
        ResourcePath::Object(b, key) => {
            let id = format!("{b}/{key}");
            let mut above = match &question.table {
                Some(facts) => tables::above(rules, language, b.as_str(), facts),
                None => vec![uid(&types.bucket, b.as_str())],
            };
            if rules.names_prefixes() {
                above.extend(prefixes(rules, &id).map(|p| uid(&types.prefix, p)));
            }
            (uid(&types.object, &id), above)
        }
        ResourcePath::Facts(b, facts) => facts_of(rules, language, b.as_str(), facts),
        ResourcePath::System(part) => (uid(&types.system, part), Vec::new()),
    };
    Subject {
        uid,
        above,
        what: What::Path,
    }
}

/// The prefixes that policies name of `bucket/path`.
pub(crate) fn prefixes<'a>(rules: &'a Rules, id: &'a str) -> impl Iterator<Item = &'a str> {
    parts(id, &['/']).skip(1).filter(|p| rules.names_prefix(p))
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

pub(crate) fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Attributes {
    let pair = |(name, value): (&str, &str)| {
        (
            name.to_owned(),
            RestrictedExpression::new_string(value.to_owned()),
        )
    };
    pairs.into_iter().map(pair).collect()
}

pub(crate) fn asker_attributes(
    question: &Question<'_>,
    place: usize,
    asker: &Asker<'_>,
    role: As,
) -> Attributes {
    let mut out = texts([("name", asker.name), ("kind", asker.kind)]);
    if role == As::Itself {
        return out;
    }
    let known = question.circumstances;
    for (name, value) in [("purpose", known.purpose), ("run", known.run)] {
        out.extend(value.into_iter().flat_map(|value| texts([(name, value)])));
    }
    if role == As::Agent {
        let others = question.askers.iter().skip(place.saturating_add(1));
        out.push(("actsFor".to_owned(), set(others.map(label))));
    }
    if let Some(session) = question.session.filter(|_| role == As::Session) {
        out.extend(texts([("principal", &label(asker))]));
        out.push(("labels".to_owned(), set(known.labels.iter().cloned())));
        for (name, time) in [("issued", session.issued), ("expires", session.expires)] {
            let time = RestrictedExpression::new_datetime(datetime(time.min(TIME_MAX)));
            out.push((name.to_owned(), time));
        }
    }
    out
}

/// The end of the year 9999.
const TIME_MAX: Timestamp = Timestamp(253_402_300_799_000_000);

fn set(values: impl Iterator<Item = String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.map(RestrictedExpression::new_string))
}

/// The attributes of a subject of a question, whose path has these tags.
pub(crate) fn attributes(
    question: &Question<'_>,
    subject: &Subject,
    tags: &[(String, String)],
    needs: &crate::Needs,
) -> Attributes {
    if let (What::Namespace | What::Table | What::Column(_), Some(facts)) = (&subject.what, &question.table) {
        return tables::attributes(question, facts, &subject.what, needs.column_names);
    }
    match question.resource {
        ResourcePath::Root => Vec::new(),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => {
            texts([("name", b.as_str()), ("owner", question.bucket.owner)])
        }
        ResourcePath::Object(b, key) => {
            let mut all = texts([("bucket", b.as_str()), ("key", key.as_str())]);
            let of_table = tables::labels(question).iter().cloned();
            all.push(("labels".to_owned(), set(labels(tags).into_iter().chain(of_table))));
            all
        }
        ResourcePath::Facts(b, facts) => {
            let graph = facts.graph().as_str();
            let mut all = match subject.what == What::Path && facts.prefix().is_empty() {
                true => texts([("bucket", b.as_str()), ("name", graph)]),
                false => {
                    let prefix = subject.uid.id().unescaped().splitn(3, '/').nth(2);
                    let prefix = prefix.unwrap_or_default();
                    texts([("bucket", b.as_str()), ("graph", graph), ("prefix", prefix)])
                }
            };
            all.push(("labels".to_owned(), set(question.labels.iter().cloned())));
            all
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
