//! The access plane for one session: its policies, and the request's facts as condition keys.
//!
//! Deliberately absent: the evaluator itself ([`crate::policy`]), recording.

use craton_base::ResourcePath;

use crate::{
    directory::ACCOUNT,
    gate::Verdicts,
    ledger::Verdict,
    policy::{self, Context},
    session::{Proof, Session},
};

/// The ARN that policies name a resource by. Listing asks about the bucket, with the prefix as a condition.
pub(crate) fn arn(resource: &ResourcePath) -> String {
    match resource {
        ResourcePath::Root => "arn:aws:s3:::*".to_owned(),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => format!("arn:aws:s3:::{b}"),
        ResourcePath::Object(b, k) => format!("arn:aws:s3:::{b}/{k}"),
        ResourcePath::Facts(b, path) => format!("arn:craton:::{b}/graphs/{}/{}", path.graph(), path.prefix()),
        ResourcePath::System(part) => match part.strip_prefix("users/") {
            Some(user) => format!("arn:aws:iam::{ACCOUNT}:user/{user}"),
            None => format!("arn:craton:::system/{part}"),
        },
    }
}

/// Evaluates every action; the answer is that of the first which is not allowed.
pub(crate) fn evaluate(
    session: &Session,
    actions: &[&str],
    resource: &ResourcePath,
    extra: &[(&'static str, String)],
) -> Verdicts {
    let arn = arn(resource);
    let context = match context(session, extra) {
        Ok(context) => context,
        Err(error) => {
            tracing::warn!(%error, "a request's facts can not be evaluated");
            return Verdicts {
                allowed: false,
                verdict: Verdict::ExplicitDeny,
                statements: vec!["invalid-context".into()],
            };
        }
    };
    let mut statements = Vec::new();
    for action in actions {
        let request = policy::Request {
            action,
            resource: &arn,
            context: &context,
        };
        let decision = session.inner.user.policies().decide(&request);
        let named = decision.statements.iter().map(ToString::to_string);
        if !decision.allowed {
            let verdict = match decision.kind {
                policy::DecisionKind::ExplicitDeny => Verdict::ExplicitDeny,
                _ => Verdict::ImplicitDeny,
            };
            return Verdicts {
                allowed: false,
                verdict,
                statements: named.collect(),
            };
        }
        statements.extend(named);
    }
    Verdicts {
        allowed: !actions.is_empty(),
        verdict: Verdict::Allow,
        statements,
    }
}

fn context(session: &Session, extra: &[(&'static str, String)]) -> craton_base::Result<Context> {
    let mut out = Context::new();
    let origin = session.origin();
    if let Some(name) = session.user_name() {
        out.set_username(name.as_str())?;
        out.set("aws:userid", name.as_str())?;
        out.set("aws:PrincipalType", "User")?;
        out.set_principal_arn(session.arn())?;
    } else {
        out.set("aws:PrincipalType", "Anonymous")?;
    }
    out.set("aws:PrincipalAccount", ACCOUNT)?;
    out.set_source_ip(origin.source_ip)?;
    out.set_secure_transport(origin.secure)?;
    out.set_time(origin.time)?;
    if let Some(agent) = &origin.user_agent {
        out.set("aws:UserAgent", &**agent)?;
    }
    if let Some(referer) = &origin.referer {
        out.set("aws:Referer", &**referer)?;
    }
    proof(session, &mut out)?;
    for (key, value) in extra {
        out.set(key, value.as_str())?;
    }
    Ok(out)
}

fn proof(session: &Session, out: &mut Context) -> craton_base::Result<()> {
    let kind = match session.proof() {
        Proof::Header => "REST-HEADER",
        Proof::Presigned => "REST-QUERY-STRING",
        Proof::Form => "POST",
        Proof::Nothing => return Ok(()),
    };
    out.set("s3:authType", kind)?;
    out.set("s3:signatureversion", "AWS4-HMAC-SHA256")?;
    if let Some(age) = session.inner.signature_age_ms {
        out.set("s3:signatureAge", age.to_string())?;
    }
    if let Some(hash) = &session.inner.content_sha256 {
        out.set("s3:x-amz-content-sha256", &**hash)?;
    }
    Ok(())
}

/// A decision in words: what decided, and what would have to change.
pub(crate) fn explain(
    kind: policy::DecisionKind,
    question: &crate::audit::Question,
    statements: &[String],
) -> (&'static str, String) {
    let crate::audit::Question {
        principal,
        action,
        resource,
        ..
    } = question;
    let named = statements.join(", ");
    match kind {
        policy::DecisionKind::Allow => (
            "allow",
            format!(
                "{principal} may {action} on {resource}: allowed by {named}, and no statement denies it."
            ),
        ),
        policy::DecisionKind::ExplicitDeny => (
            "explicit-deny",
            format!(
                "{principal} may not {action} on {resource}: denied by {named}. A deny wins over every allow; \
                 that statement would have to change."
            ),
        ),
        policy::DecisionKind::ImplicitDeny => (
            "implicit-deny",
            format!(
                "{principal} may not {action} on {resource}: no statement of its policies allows it. A policy of \
                 {principal} would have to allow {action} on it."
            ),
        ),
    }
}
