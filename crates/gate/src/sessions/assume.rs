//! `AssumeRole` and `GetSessionToken`: a session of a role, or of oneself.
//!
//! As AWS's, and beyond it: the tag `craton:acting-for` and a source identity that is a user's name put that user
//! into the chain, so that the session has no right that the user lacks; `craton:run` and `craton:purpose` say what
//! the session is for, `craton:budget` what it may use up; a session that acts for somebody makes only sessions that do so too; and what limits a session
//! limits those that are made from it, of whichever role (decision 0023).
//!
//! Deliberately absent: the query protocol (the door), evidence from elsewhere ([`super::web`]).
//!
//! Source: AWS STS API Reference; IAM User Guide, "Passing session tags in AWS STS".

use std::time::Duration;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Sequence};

use super::issue::{Issued, actor_record, made_from, tag_records};
use crate::{
    access,
    ask::Ask,
    budgets::SessionBudget,
    directory::{
        ACCOUNT, ActorRecord, EntityRecord, HolderKind, LayerRecord, SessionRecord, entity_arn, holder_key,
    },
    facts::Known,
    gate::{Gate, Verdicts},
    policy::{Asker, Context, Facts, Limits as PolicyLimits, Policy, Request, TrustPolicy},
    session::{PrincipalKind, Session},
};

/// The shortest session, in seconds.
pub const SESSION_SECONDS_MIN: u32 = 900;
/// The longest session of a role, in seconds.
pub const SESSION_SECONDS_MAX: u32 = 43_200;
/// How long a session of a role is if nobody says.
const SESSION_SECONDS_DEFAULT: u32 = 3600;
/// The longest session of a role that is made from a session of a role.
const CHAINED_SECONDS_MAX: u32 = 3600;
/// The longest session of oneself, in seconds.
const OWN_SECONDS_MAX: u32 = 129_600;
/// The most tags of a session.
const TAGS_MAX: usize = 50;
/// The most managed policies that limit a session.
const POLICIES_MAX: usize = 10;
/// The longest policy that limits a session, in bytes.
const POLICY_BYTES_MAX: usize = 2048;

/// The session acts for this user.
const ACTING_FOR: &str = "craton:acting-for";
/// The run that the session is for.
const RUN: &str = "craton:run";
/// What the session is for.
const PURPOSE: &str = "craton:purpose";
/// What the session may use up.
const BUDGET: &str = "craton:budget";

/// What limits a session, and how it is named.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// A policy: what it does not allow is refused.
    pub policy: Option<Bytes>,
    /// ARNs of managed policies, to the same end.
    pub policy_arns: Vec<String>,
    /// How long it lasts, in seconds.
    pub seconds: Option<u32>,
}

/// Asks to become a role.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    /// The role's ARN.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// What limits it.
    pub limits: Limits,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The tags that sessions made from it keep.
    pub transitive_tag_keys: Vec<String>,
    /// What a trust policy may ask for.
    pub external_id: Option<String>,
    /// Who is behind it.
    pub source_identity: Option<String>,
}

/// A role, found by its ARN.
pub(super) struct Role {
    pub(super) record: EntityRecord,
    pub(super) trust: TrustPolicy,
}

impl Role {
    pub(super) fn path(&self) -> ResourcePath {
        role_path(&self.record)
    }

    pub(super) fn arn(&self) -> String {
        entity_arn(HolderKind::Role, &self.record.path, &self.record.name)
    }

    /// The ARN and the user id of a session.
    pub(super) fn names(&self, session_name: &str) -> (String, String) {
        let arn = format!(
            "arn:aws:sts::{ACCOUNT}:assumed-role/{}/{session_name}",
            self.record.name
        );
        (arn, format!("{}:{session_name}", self.record.id))
    }
}

pub(super) fn role_path(record: &EntityRecord) -> ResourcePath {
    ResourcePath::System(format!("roles{}{}", record.path, record.name))
}

impl Gate {
    /// A session of a role.
    ///
    /// # Errors
    /// `Denied`, `AccessDenied`, also if there is no such role; `Invalid`, `ValidationError` and the like.
    pub async fn assume_role(&self, session: &Session, wanted: AssumeRole) -> Result<Issued> {
        check_session_name("roleSessionName", &wanted.session_name)?;
        check_tags(&wanted.tags, &wanted.transitive_tag_keys)?;
        if let Some(name) = &wanted.source_identity {
            check_session_name("sourceIdentity", name)?;
        }
        let layers = self.session_layers(&wanted.limits)?;
        let role = self.role(&wanted.role_arn)?;
        let verdicts = match &role {
            Some(role) => self.may_assume(session, role, &wanted)?,
            None => Verdicts::nobody(),
        };
        let path = role.as_ref().map_or_else(
            || {
                ResourcePath::System(format!(
                    "roles/{}",
                    crate::directory::managed::name_of(&wanted.role_arn)
                ))
            },
            Role::path,
        );
        let ask = Ask::new("AssumeRole", "sts:AssumeRole", path);
        let permit = self
            .write_decided(session, ask, verdicts)
            .map_err(|e| not_authorized(session, &wanted.role_arn, e))?;
        let Some(role) = role else {
            return Err(Error::internal("a role that is not there was assumed"));
        };
        let record = self.role_session(session, &role, wanted.clone(), layers)?;
        let names = role.names(&wanted.session_name);
        self.issue(&permit, record, names).await
    }

    /// A session of oneself, which may not use IAM.
    ///
    /// # Errors
    /// `Denied`, `AccessDenied`: for sessions, `root` and nobody.
    pub async fn session_token(&self, session: &Session, seconds: Option<u32>) -> Result<Issued> {
        let seconds = seconds.unwrap_or(SESSION_SECONDS_MAX);
        check_seconds(seconds, OWN_SECONDS_MAX)?;
        let identity = session.identity();
        let plain = session.kind() == PrincipalKind::User && identity.session.is_none();
        let ask = Ask::new(
            "GetSessionToken",
            "sts:GetSessionToken",
            ResourcePath::System("sessions".into()),
        );
        let verdicts = if plain {
            Verdicts::always()
        } else {
            Verdicts::nobody()
        };
        let permit = self.write_decided(session, ask, verdicts).map_err(|e| {
            Error::new(
                e.kind(),
                e.reason(),
                "Cannot call GetSessionToken with session credentials",
            )
        })?;
        let record = SessionRecord {
            actor: actor_record(identity, 0),
            made_from: made_from(identity),
            without_iam: true,
            ..self.session_until(seconds)
        };
        let names = (session.arn().to_owned(), session.user_id().to_owned());
        self.issue(&permit, record, names).await
    }

    /// A session's entry that begins now.
    pub(super) fn session_until(&self, seconds: u32) -> SessionRecord {
        let now = self.inner.clock.now();
        SessionRecord {
            issued_micros: now.micros(),
            expires_micros: now.plus(Duration::from_secs(seconds.into())).micros(),
            ..SessionRecord::default()
        }
    }

    /// The role with this ARN.
    pub(super) fn role(&self, arn: &str) -> Result<Option<Role>> {
        let name = crate::directory::managed::name_of(arn);
        let Some(stored) = self
            .inner
            .store
            .get(&holder_key(HolderKind::Role, name), Sequence::MAX)?
        else {
            return Ok(None);
        };
        let record = EntityRecord::from_stored(&stored)?;
        let trust = TrustPolicy::parse(&record.trust, &PolicyLimits::default())?;
        let role = Role { record, trust };
        Ok((role.arn() == arn).then_some(role))
    }

    /// Whether a session may become a role, with these tags and this source identity.
    fn may_assume(&self, session: &Session, role: &Role, wanted: &AssumeRole) -> Result<Verdicts> {
        let actor = &session.identity().actor;
        if !session.makes_sessions() || !self.inner.is_in_force(session)? {
            return Ok(Verdicts::nobody());
        }
        let known = Known::new(session, actor, &[])?;
        let added = describe(wanted)?;
        let mut actions = vec!["sts:AssumeRole"];
        if !wanted.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        if wanted.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        let arn = role.arn();
        let mut statements = Vec::new();
        for action in actions {
            let request = Request {
                action,
                resource: &arn,
                context: &[&added as &dyn Facts, &known],
            };
            let asker = Asker::Known {
                caller: access::caller(actor),
                policies: &actor.policies,
            };
            let decided = Verdicts::of(&role.trust.decide(asker, &request));
            if !decided.allowed {
                return Ok(decided);
            }
            statements.extend(decided.statements);
        }
        Ok(Verdicts {
            statements,
            ..Verdicts::always()
        })
    }

    /// The entry of a session of a role.
    fn role_session(
        &self,
        session: &Session,
        role: &Role,
        wanted: AssumeRole,
        layers: Vec<LayerRecord>,
    ) -> Result<SessionRecord> {
        let identity = session.identity();
        let chained = session.kind() == PrincipalKind::Role;
        let most = if chained {
            CHAINED_SECONDS_MAX
        } else {
            role.record.session_seconds_max.max(SESSION_SECONDS_DEFAULT)
        };
        let seconds = wanted.limits.seconds.unwrap_or(SESSION_SECONDS_DEFAULT);
        check_seconds(seconds, most)?;
        let (tags, transitive_tags) = inherit(session, &wanted)?;
        let source_identity = match (session.source_identity(), wanted.source_identity) {
            (Some(kept), Some(wanted)) if kept != wanted => {
                let text = "the source identity of a session can not be changed";
                return Err(Error::new(ErrorKind::Denied, "AccessDenied", text));
            }
            (Some(kept), _) => Some(kept.to_owned()),
            (None, wanted) => wanted,
        };
        let chain = self.chain_of(session, &tags, source_identity.as_deref())?;
        let limits = [identity.actor.layers.clone(), layers].concat();
        let tag = |name: &str| {
            let found = tags
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone());
            found.unwrap_or_default()
        };
        let budget = SessionBudget::parse(&tag(BUDGET)).map_err(|e| invalid(e.message().to_owned()))?;
        Ok(SessionRecord {
            budget: Some(budget).filter(|budget| !budget.is_empty()),
            actor: Some(ActorRecord {
                kind: 2,
                name: role.record.name.clone(),
                id: role.record.id.clone(),
                session_name: wanted.session_name,
                layers: limits,
                tags: tag_records(&tags),
            }),
            chain,
            transitive_tags,
            source_identity: source_identity.unwrap_or_default(),
            run: Some(tag(RUN))
                .filter(|s| !s.is_empty())
                .or_else(|| session.run().map(str::to_owned))
                .unwrap_or_default(),
            purpose: Some(tag(PURPOSE))
                .filter(|s| !s.is_empty())
                .or_else(|| session.purpose().map(str::to_owned))
                .unwrap_or_default(),
            made_from: made_from(identity),
            chained,
            ..self.session_until(seconds)
        })
    }

    /// For whom a new session acts: for whom the one that makes it does, and the user that it names.
    fn chain_of(
        &self,
        session: &Session,
        tags: &[(String, String)],
        source_identity: Option<&str>,
    ) -> Result<Vec<ActorRecord>> {
        let identity = session.identity();
        let mut chain: Vec<ActorRecord> = (1..=identity.chain.len())
            .filter_map(|n| actor_record(identity, n))
            .collect();
        let named = tags
            .iter()
            .find(|(key, _)| key == ACTING_FOR)
            .map(|(_, value)| value.as_str());
        let behind = source_identity.filter(|name| *name != session.principal());
        for (name, must_exist) in [(named, true), (behind, false)] {
            let Some(name) = name else { continue };
            let user = self.inner.directory.user(&self.inner.store, name)?;
            let user = user.filter(|u| u.kind == PrincipalKind::User && *u.name == *name);
            match user {
                Some(user) if !chain.iter().any(|link| link.kind == 1 && link.id == *user.id) => {
                    chain.push(ActorRecord {
                        kind: 1,
                        name: user.name.to_string(),
                        id: user.id.to_string(),
                        ..ActorRecord::default()
                    });
                }
                None if must_exist => return Err(invalid(format!("there is no user {name:?} to act for"))),
                _ => {}
            }
        }
        Ok(chain)
    }

    /// The policies that limit a session, checked.
    pub(super) fn session_layers(&self, limits: &Limits) -> Result<Vec<LayerRecord>> {
        if limits.policy.is_none() && limits.policy_arns.is_empty() {
            return Ok(Vec::new());
        }
        if limits.policy_arns.len() > POLICIES_MAX {
            return Err(invalid(format!(
                "a session has at most {POLICIES_MAX} managed policies"
            )));
        }
        if let Some(document) = &limits.policy {
            if document.len() > POLICY_BYTES_MAX {
                return Err(invalid(format!(
                    "a session's policy has at most {POLICY_BYTES_MAX} bytes"
                )));
            }
            Policy::parse(document, &PolicyLimits::default())?;
        }
        for arn in &limits.policy_arns {
            if self.inner.directory.managed(&self.inner.store, arn)?.is_none() {
                return Err(invalid(format!("there is no policy {arn:?}")));
            }
        }
        Ok(vec![LayerRecord {
            documents: limits.policy.iter().cloned().collect(),
            managed: limits.policy_arns.clone(),
        }])
    }
}

/// Tags: keys and values.
type Tags = Vec<(String, String)>;

/// The tags of a new session: those it keeps from the one that makes it, and its own.
fn inherit(session: &Session, wanted: &AssumeRole) -> Result<(Tags, Vec<String>)> {
    let keeps = session.transitive_tag_keys();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    if let Some((key, _)) = wanted
        .tags
        .iter()
        .find(|(key, _)| keeps.iter().any(|k| same(k, key)))
    {
        return Err(invalid(format!(
            "the tag {key:?} is kept from the session and can not be changed"
        )));
    }
    let kept = session
        .tags()
        .filter(|(key, _)| keeps.iter().any(|k| same(k, key)));
    let kept = kept.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let tags = kept.chain(wanted.tags.iter().cloned()).collect();
    let transitive = keeps.iter().chain(&wanted.transitive_tag_keys).cloned().collect();
    Ok((tags, transitive))
}

/// The keys about the session that is asked for.
fn describe(wanted: &AssumeRole) -> Result<Context> {
    let mut context = Context::new();
    context.set("sts:RoleSessionName", wanted.session_name.as_str())?;
    let texts = [
        ("sts:ExternalId", &wanted.external_id),
        ("sts:SourceIdentity", &wanted.source_identity),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            context.set(key, value.as_str())?;
        }
    }
    if let Some(seconds) = wanted.limits.seconds {
        context.set("sts:DurationSeconds", seconds.to_string())?;
    }
    for (key, value) in &wanted.tags {
        context.set(format!("aws:RequestTag/{key}"), value.as_str())?;
    }
    context.set_list(
        "aws:TagKeys",
        wanted.tags.iter().map(|(key, _)| key.clone()).collect(),
    )?;
    context.set_list("sts:TransitiveTagKeys", wanted.transitive_tag_keys.clone())?;
    Ok(context)
}

/// AWS's words for a role that one may not become, whether or not there is one.
fn not_authorized(session: &Session, role: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::Denied {
        return error;
    }
    let decision = error
        .message()
        .split_once(" (")
        .map(|(_, id)| format!(" ({id}"))
        .unwrap_or_default();
    let text = format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}{decision}",
        session.arn()
    );
    Error::new(ErrorKind::Denied, "AccessDenied", text)
}

pub(super) fn check_seconds(seconds: u32, most: u32) -> Result<()> {
    if (SESSION_SECONDS_MIN..=most).contains(&seconds) {
        return Ok(());
    }
    Err(invalid(format!(
        "The requested DurationSeconds must be between {SESSION_SECONDS_MIN} and {most} seconds for this session"
    )))
}

pub(super) fn check_session_name(what: &str, name: &str) -> Result<()> {
    let good = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
    if good && (2..=64).contains(&name.len()) {
        return Ok(());
    }
    Err(invalid(format!(
        "{what} must have 2 to 64 letters, digits and _+=,.@-"
    )))
}

/// Tags of a session: few, told apart without case, of limited length.
pub(super) fn check_tags(tags: &[(String, String)], transitive: &[String]) -> Result<()> {
    if tags.len() > TAGS_MAX || transitive.len() > TAGS_MAX {
        return Err(invalid(format!("a session has at most {TAGS_MAX} tags")));
    }
    crate::identities::check_tags(tags)?;
    let known = |key: &String| tags.iter().any(|(k, _)| k.eq_ignore_ascii_case(key));
    if let Some(key) = transitive.iter().find(|key| !known(key)) {
        return Err(invalid(format!(
            "the transitive tag key {key:?} is not the key of a tag"
        )));
    }
    Ok(())
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "ValidationError", message)
}
