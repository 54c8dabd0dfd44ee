//! A question to the policies in force, and their ruling.
//!
//! Deliberately absent: what a session or a bucket is: the gate says what is known of them.

use std::{collections::HashSet, net::IpAddr};

use cedar_policy::{Authorizer, Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use craton_base::{ResourcePath, Timestamp};

use crate::{
    document::Rule,
    entities::{self, As, Subject, What},
    index::{Rules, Scope},
    language::{Language, bare},
    needs::Needs,
    rows::{About, Leaves, Restrictions},
    tables::TableFacts,
};

/// The most policies that a ruling names; more of them change nothing.
const NAMED_MAX: usize = 16;

/// The type of who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskerType {
    /// A user: also `root`, and `anonymous` for nobody.
    User,
    /// A role that someone took on.
    Role,
}

/// Who asks, or for whom it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Its type.
    pub asker_type: AskerType,
    /// Its name.
    pub name: &'a str,
    /// `root`, `user`, `role` or `anonymous`.
    pub kind: &'a str,
    /// The groups that it is in.
    pub groups: &'a [String],
    /// Its tags.
    pub tags: &'a [(String, String)],
}

/// What is known of the bucket that a question is about, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct BucketFacts<'a> {
    /// Who made it.
    pub owner: &'a str,
}

/// The session that a question is asked in.
#[derive(Clone, Copy, Debug)]
pub struct SessionFacts<'a> {
    /// Its id.
    pub id: &'a str,
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// What else is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The door: `s3`.
    pub door: &'a str,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Where it came from.
    pub source: IpAddr,
    /// When it came.
    pub time: Timestamp,
    /// Who asks and for whom, nearest first.
    pub chain: &'a [String],
    /// Labels that the session has picked up.
    pub labels: &'a [String],
    /// Bytes of content that the session has moved so far.
    pub bytes: u64,
    /// What it is for.
    pub purpose: Option<&'a str>,
    /// The run that it belongs to.
    pub run: Option<&'a str>,
    /// The session's name.
    pub session: Option<&'a str>,
    /// The access key that signed.
    pub access_key: Option<&'a str>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a str>,
    /// The prefix of a listing.
    pub prefix: Option<&'a str>,
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Everyone whose rights count: who asks and for whom. No policy may forbid it to any of them.
    pub askers: &'a [Asker<'a>],
    /// The action.
    pub action: &'a str,
    /// What it is about.
    pub resource: &'a ResourcePath,
    /// The bucket that it lies in.
    pub bucket: BucketFacts<'a>,
    /// What else is known.
    pub circumstances: &'a Circumstances<'a>,
    /// The session, if it is asked in one.
    pub session: Option<SessionFacts<'a>>,
    /// The table that it is about or that its object lies in, or the namespace of tables that it is about.
    pub table: Option<TableFacts<'a>>,
    /// The labels of the graph that it is about.
    pub labels: &'a [String],
    /// Reads the tags of the object that it is about.
    pub tags: &'a dyn Fn() -> Vec<(String, String)>,
}

/// What the policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// The policies that forbid it, as `document#id`.
    pub forbidden_by: Vec<String>,
    /// Those among them that forbid because they failed to evaluate.
    pub failed: Vec<String>,
    /// What they advise.
    pub advice: Vec<String>,
    /// What they leave, to who applies it.
    pub restrictions: Restrictions,
    /// Whether they forbid it for more than single columns.
    pub as_a_whole: bool,
}

impl Ruling {
    /// Whether nothing forbids it.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.forbidden_by.is_empty()
    }

    fn forbid(&mut self, rule: &Rule, failed: bool) {
        if self.forbidden_by.contains(&rule.name) || self.forbidden_by.len() >= NAMED_MAX {
            return;
        }
        self.forbidden_by.push(rule.name.clone());
        if failed {
            self.failed.push(rule.name.clone());
        }
        self.advice.extend(rule.advice.clone());
    }

    /// What a policy that holds comes to for one thing asked about.
    fn apply(&mut self, question: &Question<'_>, case: &Case<'_>, rule: &Rule) {
        let by_columns = question.table.is_some_and(|table| table.reads.is_some());
        match (&rule.leaves, &case.subject.what) {
            (Some(Leaves::Rows(rows)), What::Table | What::Path) if by_columns => {
                let rows = rows.about(&case.about(question));
                self.restrictions.join(Restrictions {
                    rows: vec![(rule.name.clone(), rows)],
                    ..Restrictions::default()
                });
            }
            (Some(Leaves::Mask(mask)), What::Column(column)) if by_columns => {
                self.restrictions.join(Restrictions {
                    masks: vec![(rule.name.clone(), column.name.clone(), mask.clone())],
                    ..Restrictions::default()
                });
            }
            (_, What::Column(column)) => {
                self.restrictions.join(Restrictions {
                    refused: vec![column.name.clone()],
                    ..Restrictions::default()
                });
                self.forbid(rule, false);
            }
            _ => {
                self.as_a_whole = true;
                self.forbid(rule, false);
            }
        }
    }
}

/// One asker and one thing asked about, as entities.
struct Case<'a> {
    asker: &'a Asker<'a>,
    /// Its place among the askers.
    place: usize,
    role: As,
    principal: EntityUid,
    groups: Vec<EntityUid>,
    action: EntityUid,
    action_in: &'a [EntityUid],
    subject: &'a Subject,
}

impl Rules {
    /// Rules on a question. Nothing is evaluated whose scope can not match.
    #[must_use]
    pub fn judge(&self, language: &Language, question: &Question<'_>) -> Ruling {
        let mut ruling = Ruling::default();
        self.each_case(language, question, |case, rules| {
            self.judge_case(question, case, &rules, &mut ruling);
        });
        ruling
    }

    /// What the policies that would be evaluated look at.
    #[must_use]
    pub fn looks_at(&self, language: &Language, question: &Question<'_>) -> Needs {
        let mut needs = Needs::default();
        self.each_case(language, question, |_, rules| {
            rules.iter().for_each(|rule| needs.join(&rule.needs));
        });
        needs
    }

    fn each_case<'q>(
        &'q self,
        language: &'q Language,
        question: &'q Question<'q>,
        mut then: impl FnMut(&Case<'_>, Vec<&'q Rule>),
    ) {
        let subjects = entities::subjects(self, language, question);
        let (action, action_in) = language.action(question.action);
        for (place, asker) in question.askers.iter().enumerate() {
            for role in entities::roles(self.needs().says, question, place) {
                for subject in &subjects {
                    let case = Case {
                        asker,
                        place,
                        role,
                        principal: entities::principal(language, question, asker, role),
                        groups: entities::groups(language, asker),
                        action: action.clone(),
                        action_in,
                        subject,
                    };
                    let places = self.candidates(&case.scope());
                    let found = places.into_iter().filter_map(|p| self.rule(p));
                    let rules: Vec<&Rule> = found.filter(|rule| case.is_for(rule)).collect();
                    if !rules.is_empty() {
                        then(&case, rules);
                    }
                }
            }
        }
    }

    fn judge_case(&self, question: &Question<'_>, case: &Case<'_>, rules: &[&Rule], ruling: &mut Ruling) {
        let mut needs = Needs::default();
        rules.iter().for_each(|rule| needs.join(&rule.needs));
        let Some((request, entities)) = case.described(question, &needs) else {
            // It can not be put to Cedar: whoever could forbid it does.
            ruling.as_a_whole = true;
            rules.iter().for_each(|rule| ruling.forbid(rule, true));
            return;
        };
        let authorizer = Authorizer::new();
        for rule in rules {
            match rule.alone() {
                Some(alone) => {
                    let answer = authorizer.is_authorized(&request, alone, &entities);
                    if answer.diagnostics().errors().next().is_some() {
                        ruling.as_a_whole = true;
                        ruling.forbid(rule, true);
                    } else if answer.diagnostics().reason().next().is_some() {
                        ruling.apply(question, case, rule);
                    }
                }
                None => {
                    ruling.as_a_whole = true;
                    ruling.forbid(rule, true);
                }
            }
        }
    }
}

impl Case<'_> {
    /// Whether a policy says the types that are asked about only if it does.
    fn is_for(&self, rule: &Rule) -> bool {
        let says = rule.needs.says;
        let by_principal = match self.role {
            As::Itself => true,
            As::Agent => says.agents,
            As::Session => says.sessions,
        };
        by_principal && (says.columns || !matches!(self.subject.what, What::Column(_)))
    }

    /// Who `${…}` in a condition on rows is about.
    fn about<'a>(&'a self, question: &'a Question<'_>) -> About<'a> {
        let known = question.circumstances;
        About {
            principal: self.asker.name,
            groups: self.asker.groups,
            labels: known.labels,
            purpose: known.purpose,
            run: known.run,
            tags: self.asker.tags,
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            principal: &self.principal,
            principal_in: &self.groups,
            action: &self.action,
            action_in: self.action_in,
            resource: &self.subject.uid,
            resource_in: &self.subject.above,
        }
    }

    /// The request and its entities, described as far as the policies look.
    fn described(&self, question: &Question<'_>, needs: &Needs) -> Option<(Request, Entities)> {
        let (asker_tags, tags) = match needs.tags {
            true if self.subject.what == What::Path => (self.asker.tags.to_vec(), (question.tags)()),
            true => (self.asker.tags.to_vec(), Vec::new()),
            false => (Vec::new(), Vec::new()),
        };
        let principal = described(
            &self.principal,
            entities::asker_attributes(question, self.place, self.asker, self.role),
            &self.groups,
            asker_tags,
        )?;
        let attributes = entities::attributes(question, self.subject, &tags, needs);
        let resource = described(&self.subject.uid, attributes, &self.subject.above, tags)?;
        let action = bare(self.action.clone(), self.action_in);
        let context = context(question.circumstances, needs)?;
        let request = Request::new(
            self.principal.clone(),
            self.action.clone(),
            self.subject.uid.clone(),
            context,
            None,
        );
        let entities = Entities::from_entities([principal, resource, action], None);
        Some((request.ok()?, entities.ok()?))
    }
}

fn described(
    uid: &EntityUid,
    attributes: Vec<(String, RestrictedExpression)>,
    above: &[EntityUid],
    tags: Vec<(String, String)>,
) -> Option<Entity> {
    let tags = tags
        .into_iter()
        .map(|(k, v)| (k, RestrictedExpression::new_string(v)));
    let above: HashSet<EntityUid> = above.iter().cloned().collect();
    Entity::new_with_tags(uid.clone(), attributes, above, tags).ok()
}

/// The circumstances that policies look at. One that is not known is not there.
fn context(known: &Circumstances<'_>, needs: &Needs) -> Option<Context> {
    let texts = [
        ("door", Some(known.door)),
        ("purpose", known.purpose),
        ("run", known.run),
        ("session", known.session),
        ("accessKey", known.access_key),
        ("userAgent", known.user_agent),
        ("prefix", known.prefix),
    ];
    let mut pairs = Vec::new();
    for (name, value) in texts {
        if let Some(value) = value.filter(|_| needs.circumstance(name)) {
            pairs.push((
                name.to_owned(),
                RestrictedExpression::new_string(value.to_owned()),
            ));
        }
    }
    for (name, values) in [("chain", known.chain), ("labels", known.labels)] {
        if needs.circumstance(name) {
            let texts = values.iter().cloned().map(RestrictedExpression::new_string);
            pairs.push((name.to_owned(), RestrictedExpression::new_set(texts)));
        }
    }
    if needs.circumstance("bytes") {
        let bytes = i64::try_from(known.bytes).unwrap_or(i64::MAX);
        pairs.push(("bytes".to_owned(), RestrictedExpression::new_long(bytes)));
    }
    if needs.circumstance("secure") {
        pairs.push(("secure".to_owned(), RestrictedExpression::new_bool(known.secure)));
    }
    if needs.circumstance("source") {
        let address = known.source.to_canonical().to_string();
        pairs.push(("source".to_owned(), RestrictedExpression::new_ip(address)));
    }
    if needs.circumstance("time") {
        let time = RestrictedExpression::new_datetime(entities::datetime(known.time));
        pairs.push(("time".to_owned(), time));
    }
    Context::from_pairs(pairs).ok()
}

#[cfg(test)]
mod tests;
