//! What is known of a session's request, as condition keys: looked up when a policy asks, and not collected before.
//!
//! Invariants: what the request's own ask says of a key counts before what the session says; of what it says twice, the
//! last counts.
//!
//! Deliberately absent: what policies make of it ([`crate::policy`]).

use craton_base::Result;

use crate::{
    ask::{Fact, LISTS},
    directory::{ACCOUNT, ANONYMOUS, Actor},
    policy::{CONTEXT_KEYS_MAX, Facts, Value, Values, is_key},
    session::{PrincipalKind, Session},
};

/// Everything that is known of a request when one of its actors is asked about it.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    session: &'a Session,
    actor: &'a Actor,
    extra: &'a [Fact],
}

impl<'a> Known<'a> {
    /// # Errors
    /// `TooLarge` above [`CONTEXT_KEYS_MAX`] facts.
    pub(crate) fn new(session: &'a Session, actor: &'a Actor, extra: &'a [Fact]) -> Result<Self> {
        if extra.len() > CONTEXT_KEYS_MAX {
            return Err(crate::policy::too_many_keys());
        }
        Ok(Self {
            session,
            actor,
            extra,
        })
    }
}

impl Facts for Known<'_> {
    fn values_of(&self, key: &str) -> Option<Values<'_>> {
        of_ask(self.extra, key)
            .or_else(|| of_request(self.session, key))
            .or_else(|| of_actor(self.actor, key))
            .or_else(|| of_session(self.session, key))
    }
}

/// What is known of a request, whoever makes it.
#[derive(Clone, Copy)]
pub(crate) struct OfRequest<'a>(pub(crate) &'a Session);

impl Facts for OfRequest<'_> {
    fn values_of(&self, key: &str) -> Option<Values<'_>> {
        of_request(self.0, key)
    }
}

fn of_request<'a>(session: &'a Session, key: &str) -> Option<Values<'a>> {
    let origin = session.origin();
    Some(Values::One(match key {
        "aws:viaawsservice" => "false".into(),
        "aws:resourceaccount" | "s3:resourceaccount" => ACCOUNT.into(),
        "aws:sourceip" => Value::Address(origin.source_ip),
        "aws:securetransport" => truth(origin.is_secure()),
        "s3:tlsversion" => origin.tls?.into(),
        "aws:currenttime" => Value::Time(origin.time),
        "aws:epochtime" => origin.time.seconds().to_string().into(),
        "aws:useragent" => origin.user_agent.as_deref()?.into(),
        "aws:referer" => origin.referer.as_deref()?.into(),
        _ => of_proof(session, key)?,
    }))
}

fn truth(holds: bool) -> Value<'static> {
    if holds { "true" } else { "false" }.into()
}

fn of_proof<'a>(session: &'a Session, key: &str) -> Option<Value<'a>> {
    let kind = session.proof().auth_type()?;
    Some(match key {
        "s3:authtype" => kind.into(),
        "s3:signatureversion" => "AWS4-HMAC-SHA256".into(),
        "s3:signatureage" => session.inner.signature_age_ms?.to_string().into(),
        "s3:x-amz-content-sha256" => session.inner.content_sha256.as_deref()?.into(),
        _ => return None,
    })
}

/// What an ask says of a key.
fn of_ask<'a>(extra: &'a [Fact], key: &str) -> Option<Values<'a>> {
    let mut named = extra.iter().filter(|(known, _)| is_key(known, key));
    if LISTS.iter().any(|list| is_key(list, key)) {
        return Some(Values::Many(
            named.map(|(_, value)| value.as_str().into()).collect(),
        ));
    }
    named.next_back().map(|(_, value)| Values::one(value.as_str()))
}

/// Who asks.
fn of_actor<'a>(actor: &'a Actor, key: &str) -> Option<Values<'a>> {
    let kind = match actor.principal.kind {
        PrincipalKind::User => "User",
        PrincipalKind::Role => "AssumedRole",
        PrincipalKind::System => "Service",
        PrincipalKind::Root => "Account",
        PrincipalKind::Anonymous => {
            return match key {
                "aws:principaltype" => Some(Values::one("Anonymous")),
                "aws:userid" | "aws:principalaccount" => Some(Values::one(ANONYMOUS)),
                _ => None,
            };
        }
    };
    let is = |of: PrincipalKind| actor.principal.kind == of;
    Some(Values::one(match key {
        "aws:principaltype" => kind,
        "aws:username" if is(PrincipalKind::User) => &*actor.principal.name,
        "aws:userid" if is(PrincipalKind::Root) => ACCOUNT,
        "aws:userid" => &*actor.user_id,
        // Of a role's session it is the role's ARN.
        "aws:principalarn" => &*actor.principal.arn,
        "aws:principalaccount" => ACCOUNT,
        "aws:principalisawsservice" => "false",
        _ => {
            let tag = key.strip_prefix("aws:principaltag/")?;
            let mut named = actor.all_tags.iter().filter(|(known, _)| is_key(known, tag));
            named.next_back()?.1.as_str()
        }
    }))
}

/// The session that the request is made in.
fn of_session<'a>(session: &'a Session, key: &str) -> Option<Values<'a>> {
    let facts = session.identity().session.as_ref()?;
    let text = match key {
        "aws:tokenissuetime" => return Some(Values::One(Value::Time(facts.issued))),
        "aws:multifactorauthpresent" => return Some(Values::one("false")),
        "craton:actingfor" => {
            return Some(Values::Many(session.chain_arns().map(Value::from).collect()));
        }
        "aws:sourceidentity" => &facts.source_identity,
        "aws:federatedprovider" => &facts.provider,
        "craton:run" => &facts.run,
        "craton:purpose" => &facts.purpose,
        _ => return None,
    };
    text.as_deref().map(Values::one)
}

#[cfg(test)]
mod tests;
