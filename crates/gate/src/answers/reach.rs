//! What one can reach: every bucket, and in it every name that a policy draws a line at.
//!
//! What policies name in a bucket (`reports/*`, `reports/2026.csv`) is asked about as it is written, with its wildcards as
//! characters: what is said of `reports/*` holds for every name under it that no other line of the answer is about,
//! unless a condition looks at more.
//!
//! Deliberately absent: graphs, and the system's own.

use std::collections::BTreeSet;

use craton_base::{BucketName, Error, ObjectKey, ResourcePath, Result};
use craton_guard::actions::{self, About};

use super::{Question, lint, stand_in::Said};
use crate::{
    ask::Ask,
    configuration::state::BucketState,
    decide::Put,
    gate::{Gate, Inner},
    ledger::Verdict,
    session::Session,
};

/// The most buckets that one call asks about.
pub const REACH_BUCKETS_MAX: usize = 20;

/// The most actions that one call asks about.
pub const REACH_ACTIONS_MAX: usize = 8;

/// The most names in one bucket that are asked about.
const NAMES_MAX: usize = 200;

/// A page of what one can reach.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Where something is allowed, or denied by name.
    pub places: Vec<Reached>,
    /// Buckets in which policies name more than are asked about.
    pub incomplete: Vec<String>,
    /// The bucket to go on after, if there are more.
    pub next: Option<String>,
}

/// One place.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The bucket.
    pub bucket: String,
    /// What in it, as policies name it; `None` for the bucket itself.
    pub name: Option<String>,
    /// The actions that are allowed, with what allows them.
    pub allowed: Vec<(String, Vec<String>)>,
    /// Those that a statement or a guard policy denies.
    pub denied: Vec<(String, Vec<String>)>,
}

impl Gate {
    /// What the principal of `question` can do in the buckets after one; the question's action and resource are not looked at.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchEntity`; `Invalid` for an action that is not about buckets or objects.
    pub async fn reach(
        &self,
        session: &Session,
        question: Question,
        actions: Vec<String>,
        after: Option<BucketName>,
    ) -> Result<Reach> {
        self.may_ask_about(session, "Reach", &question).await?;
        let resource = ResourcePath::System("access".into());
        let ask = Ask::new("Reach", "craton:ReadAccess", resource);
        let _permit = self.read(session, ask).await?;
        if actions.len() > REACH_ACTIONS_MAX {
            let text = format!("at most {REACH_ACTIONS_MAX} actions are asked about at once");
            return Err(Error::invalid(text));
        }
        let actions: Vec<(String, bool)> = actions.into_iter().map(about_objects).collect::<Result<_>>()?;
        let said = Said::of(self.inner.clock.now(), &question.context)?;
        let who = self
            .inner
            .stand_in(&question.principal, &question.acting_for, &said)?;
        self.blocking(move |gate| gate.inner.reach(&who, &said, &actions, after.as_ref()))
            .await
    }
}

/// An action, and whether it is about objects; otherwise it is about buckets.
fn about_objects(action: String) -> Result<(String, bool)> {
    match actions::find(&action).map(|a| a.about) {
        Some(About::Object) => Ok((action, true)),
        Some(About::Bucket) => Ok((action, false)),
        _ => Err(Error::invalid(format!(
            "{action:?} is not an action on buckets or objects"
        ))),
    }
}

impl Inner {
    fn reach(
        &self,
        who: &Session,
        said: &Said,
        actions: &[(String, bool)],
        after: Option<&BucketName>,
    ) -> Result<Reach> {
        let most = REACH_BUCKETS_MAX.saturating_add(1);
        let buckets = self.list_buckets(after, self.store.latest(), most)?;
        let mut out = Reach::default();
        for info in buckets.iter().take(REACH_BUCKETS_MAX) {
            out.next = (buckets.len() > REACH_BUCKETS_MAX).then(|| info.name.to_string());
            // Deleted since the page was read.
            let Some(bucket) = self.bucket(&info.name)? else {
                continue;
            };
            let (names, complete) = self.names_in(who, &info.name, &bucket);
            if !complete {
                out.incomplete.push(info.name.to_string());
            }
            let itself = ResourcePath::Bucket(info.name.clone());
            out.places
                .extend(self.reached(who, said, (&itself, &bucket), actions, None));
            for key in names {
                let name = key.as_str().to_owned();
                let path = ResourcePath::Object(info.name.clone(), key);
                out.places
                    .extend(self.reached(who, said, (&path, &bucket), actions, Some(name)));
            }
        }
        Ok(out)
    }

    /// What of a place is allowed or denied; `None` if neither.
    fn reached(
        &self,
        who: &Session,
        said: &Said,
        (resource, bucket): (&ResourcePath, &BucketState),
        actions: &[(String, bool)],
        name: Option<String>,
    ) -> Option<Reached> {
        let mut out = Reached {
            bucket: bucket.info.name.to_string(),
            name,
            allowed: Vec::new(),
            denied: Vec::new(),
        };
        for (action, _) in actions.iter().filter(|(_, object)| *object == out.name.is_some()) {
            let put = Put {
                actions: &[action.as_str()],
                resource,
                bucket: Some(bucket),
                extra: &said.facts,
            };
            let found = self.verdicts(who, &put, None);
            match found.verdict {
                Verdict::Allow => out.allowed.push((action.clone(), found.statements)),
                Verdict::ExplicitDeny => out.denied.push((action.clone(), found.statements)),
                _ => {}
            }
        }
        (!out.allowed.is_empty() || !out.denied.is_empty()).then_some(out)
    }

    /// The names that policies of either plane draw a line at, and whether these are all.
    fn names_in(&self, who: &Session, name: &BucketName, bucket: &BucketState) -> (Vec<ObjectKey>, bool) {
        let state = self.guards.state();
        let own = who.identity().actors().flat_map(|a| a.policies.s3_resources());
        let of_bucket = bucket.access.policy().into_iter();
        let of_bucket = of_bucket.flat_map(|p| p.s3_resources());
        let by_access = own
            .chain(of_bucket)
            .filter_map(|text| key_in(name.as_str(), text));
        let by_guard = state.rules.prefixes().filter_map(|prefix| {
            let key = prefix.strip_prefix(name.as_str())?.strip_prefix('/')?;
            Some(format!("{key}*"))
        });
        let all: BTreeSet<String> = std::iter::once("*".to_owned())
            .chain(by_access)
            .chain(by_guard)
            .collect();
        let complete = all.len() <= NAMES_MAX;
        let keys = all.into_iter().take(NAMES_MAX);
        (keys.filter_map(|k| ObjectKey::new(&k).ok()).collect(), complete)
    }
}

/// The keys that a policy's resource names in a bucket, if any; a variable may stand for anything.
fn key_in(bucket: &str, resource: &str) -> Option<String> {
    let (buckets, key) = resource.split_once('/')?;
    let named = lint::covers(buckets, bucket, false) && !key.is_empty();
    named.then(|| match key.split_once("${") {
        Some((before, _)) => format!("{before}*"),
        None => key.to_owned(),
    })
}

#[cfg(test)]
mod tests;
