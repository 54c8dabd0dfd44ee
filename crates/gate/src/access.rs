//! The access plane for one session: its policies, and the request's facts as condition keys.
//!
//! Deliberately absent: the evaluator itself ([`crate::policy`]), recording.

use std::borrow::Cow;

use craton_base::ResourcePath;

use crate::{
    ask::{Fact, LISTS},
    configuration::{Acl, BucketAccess, acl},
    directory::{ACCOUNT, ANONYMOUS},
    gate::Verdicts,
    ledger::Verdict,
    policy::{self, Caller, Context, Guarded},
    session::{PrincipalKind, Session},
    tags::Tags,
    worker::is_visitor,
};

/// The ARN that policies name a resource by. Listing asks about the bucket, with the prefix as a condition.
pub(crate) fn arn(resource: &ResourcePath) -> String {
    match resource {
        ResourcePath::Root => "arn:aws:s3:::*".to_owned(),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => format!("arn:aws:s3:::{b}"),
        ResourcePath::Object(b, k) => format!("arn:aws:s3:::{b}/{k}"),
        ResourcePath::Facts(b, path) => format!("arn:craton:graph:::{b}/{}/{}", path.graph(), path.prefix()),
        ResourcePath::System(part) => match (part.strip_prefix("users/"), part.strip_prefix("kms/")) {
            (Some(user), _) => format!("arn:aws:iam::{ACCOUNT}:user/{user}"),
            (_, Some(key)) => key.to_owned(),
            _ => format!("arn:craton:system:::{part}"),
        },
    }
}

/// What is asked of the access plane.
pub(crate) struct Question<'a> {
    pub(crate) session: &'a Session,
    /// All of them must be allowed.
    pub(crate) actions: &'a [&'a str],
    pub(crate) resource: &'a ResourcePath,
    /// Condition keys beyond the session's.
    pub(crate) extra: &'a [Fact],
    /// The documents of the bucket that the resource lies in.
    pub(crate) bucket: Option<&'a BucketAccess>,
    /// Reads the list of the object that it is about, where it has one of its own.
    pub(crate) object_acl: &'a dyn Fn() -> Option<Acl>,
    /// Reads the tags of the object that it is about.
    pub(crate) object_tags: &'a dyn Fn() -> Option<Tags>,
}

/// What the account itself may always do with a bucket's policy, whatever the policy says: else a mistake in
/// it could not be undone.
const ALWAYS_ROOTS: [&str; 3] = [
    "s3:DeleteBucketPolicy",
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
];

/// Evaluates every action; the answer is that of the first which is not allowed.
pub(crate) fn evaluate(question: &Question<'_>) -> Verdicts {
    let session = question.session;
    let policy = question.bucket.and_then(BucketAccess::policy);
    if session.kind() == PrincipalKind::Root && policy.is_none() {
        return allowed_as_root();
    }
    let context = match context(session, &facts(question)) {
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
    let arn = arn(question.resource);
    let mut statements = Vec::new();
    for action in question.actions {
        let request = policy::Request {
            action,
            resource: &arn,
            context: &context,
        };
        let decided = decide(question, &request);
        if !decided.allowed {
            return decided;
        }
        statements.extend(decided.statements);
    }
    Verdicts {
        allowed: !question.actions.is_empty(),
        verdict: Verdict::Allow,
        statements,
    }
}

/// The request's condition keys, with the object's tags if a policy asks about any.
fn facts<'a>(question: &Question<'a>) -> Cow<'a, [Fact]> {
    let by_bucket = question.bucket.and_then(BucketAccess::policy);
    let asks = question.session.inner.user.policies().asks_for_tags()
        || by_bucket.is_some_and(policy::ResourcePolicy::asks_for_tags);
    let Some(tags) = asks.then(question.object_tags).flatten() else {
        return Cow::Borrowed(question.extra);
    };
    let named = tags
        .list
        .into_iter()
        .map(|t| (format!("s3:ExistingObjectTag/{}", t.key).into(), t.value));
    question.extra.iter().cloned().chain(named).collect()
}

fn allowed_as_root() -> Verdicts {
    Verdicts {
        allowed: true,
        verdict: Verdict::Allow,
        statements: vec!["root".to_owned()],
    }
}

/// One action: by the policies, then by the bucket's list.
fn decide(question: &Question<'_>, request: &policy::Request<'_>) -> Verdicts {
    let session = question.session;
    let caller = caller(session);
    // What the system does by itself is what its owner configured: a bucket's documents are about callers, and about
    // who comes from another bucket.
    let bucket = question
        .bucket
        .filter(|_| session.kind() != PrincipalKind::System || is_visitor(session.principal()));
    let guarded = bucket.and_then(|b| guarded(b, caller));
    if session.kind() == PrincipalKind::Root {
        let denies = match guarded {
            Some(guarded) if !ALWAYS_ROOTS.contains(&request.action) => guarded.denies(request),
            _ => Vec::new(),
        };
        if denies.is_empty() {
            return allowed_as_root();
        }
        return Verdicts {
            allowed: false,
            verdict: Verdict::ExplicitDeny,
            statements: denies.iter().map(ToString::to_string).collect(),
        };
    }
    let decision = session.inner.user.policies().decide_about(request, guarded);
    let verdict = match decision.kind {
        policy::DecisionKind::Allow => Verdict::Allow,
        policy::DecisionKind::ExplicitDeny => Verdict::ExplicitDeny,
        policy::DecisionKind::ImplicitDeny => Verdict::ImplicitDeny,
    };
    if verdict == Verdict::ImplicitDeny
        && session.kind() != PrincipalKind::System
        && let Some(listed) = listed(question, &caller, request.action)
    {
        return Verdicts {
            allowed: true,
            verdict: Verdict::Allow,
            statements: vec![listed],
        };
    }
    Verdicts {
        allowed: decision.allowed,
        verdict,
        statements: decision.statements.iter().map(ToString::to_string).collect(),
    }
}

/// What in the bucket's list or the object's allows an action.
fn listed(question: &Question<'_>, caller: &Caller<'_>, action: &str) -> Option<String> {
    let bucket = question.bucket?;
    if !bucket.ownership().has_acls() || (bucket.requester_pays() && *caller == Caller::Anonymous) {
        return None;
    }
    let ignore_public = bucket.public_access_block().ignore_public_acls;
    let grants = |acl: &Acl, of: &str, table| {
        let permission = acl.granting(caller, action, ignore_public, table)?;
        Some(format!("{of}#{}", permission.name()))
    };
    let by_bucket = bucket
        .acl()
        .and_then(|acl| grants(acl, "bucket-acl", acl::bucket_allows));
    by_bucket.or_else(|| {
        let is_about_object = matches!(question.resource, ResourcePath::Object(..));
        let acl = (is_about_object && acl::is_of_object(action)).then(question.object_acl)??;
        grants(&acl, "object-acl", acl::object_allows)
    })
}

/// The bucket's policy as it counts for `caller`.
pub(crate) fn guarded<'a>(bucket: &'a BucketAccess, caller: Caller<'a>) -> Option<Guarded<'a>> {
    Some(Guarded {
        policy: bucket.policy()?,
        caller,
        shut_public: bucket.public_access_block().restrict_public_buckets,
        // Who pays for a request must be known.
        shut_anonymous: bucket.requester_pays(),
    })
}

/// Whether `policy` on the bucket would deny the session to change it again.
pub(crate) fn locks_out(session: &Session, policy: &policy::ResourcePolicy, bucket: &ResourcePath) -> bool {
    let Ok(context) = context(session, &[]) else {
        return true;
    };
    let request = policy::Request {
        action: "s3:PutBucketPolicy",
        resource: &arn(bucket),
        context: &context,
    };
    let guarded = Guarded {
        policy,
        caller: caller(session),
        shut_public: false,
        shut_anonymous: false,
    };
    session.kind() != PrincipalKind::Root && !guarded.denies(&request).is_empty()
}

/// Who asks, as resources name callers.
fn caller(session: &Session) -> Caller<'_> {
    match session.kind() {
        PrincipalKind::Anonymous => Caller::Anonymous,
        PrincipalKind::Root => Caller::Root {
            account: ACCOUNT,
            id: session.principal(),
        },
        PrincipalKind::User | PrincipalKind::System => Caller::User {
            account: ACCOUNT,
            arn: session.arn(),
            id: session.principal(),
        },
    }
}

fn context(session: &Session, extra: &[Fact]) -> craton_base::Result<Context> {
    let mut out = Context::new();
    let origin = session.origin();
    match session.kind() {
        PrincipalKind::User => {
            out.set_username(session.principal())?;
            out.set("aws:userid", session.principal())?;
            out.set("aws:PrincipalType", "User")?;
        }
        PrincipalKind::System => {
            out.set("aws:userid", session.principal())?;
            out.set("aws:PrincipalType", "Service")?;
        }
        PrincipalKind::Root => {
            out.set("aws:userid", ACCOUNT)?;
            out.set("aws:PrincipalType", "Account")?;
        }
        PrincipalKind::Anonymous => {
            out.set("aws:userid", ANONYMOUS)?;
            out.set("aws:PrincipalType", "Anonymous")?;
            out.set("aws:PrincipalAccount", ANONYMOUS)?;
        }
    }
    if session.kind() != PrincipalKind::Anonymous {
        out.set_principal_arn(session.arn())?;
        out.set("aws:PrincipalAccount", ACCOUNT)?;
        out.set("aws:PrincipalIsAWSService", "false")?;
    }
    out.set("aws:ViaAWSService", "false")?;
    out.set("aws:ResourceAccount", ACCOUNT)?;
    out.set("s3:ResourceAccount", ACCOUNT)?;
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
    for (key, value) in extra.iter().filter(|(key, _)| !LISTS.contains(&&**key)) {
        out.set(key, value.as_str())?;
    }
    for list in LISTS {
        let values = extra.iter().filter(|(key, _)| key == list);
        out.set_list(list, values.map(|(_, value)| value.clone()).collect())?;
    }
    Ok(out)
}

fn proof(session: &Session, out: &mut Context) -> craton_base::Result<()> {
    let Some(kind) = session.proof().auth_type() else {
        return Ok(());
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
