//! The access plane for one session: its policies, and the request's facts as condition keys.
//!
//! Deliberately absent: the evaluator itself ([`crate::policy`]), recording.

use std::borrow::Cow;

use craton_base::ResourcePath;

use crate::{
    ask::{Fact, LISTS},
    configuration::{Acl, BucketAccess, acl},
    directory::{ACCOUNT, ANONYMOUS, Actor},
    gate::Verdicts,
    ledger::Verdict,
    policy::{self, Caller, Context, Guarded},
    session::{PrincipalKind, Session},
    tables,
    tags::Tags,
    worker::is_visitor,
};

/// The ARN that policies name a resource of an action by. Listing asks about the bucket, with the prefix as a condition.
pub(crate) fn arn(action: &str, resource: &ResourcePath) -> String {
    if let Some(arn) = tables::arn(action, resource) {
        return arn;
    }
    match resource {
        ResourcePath::Root => "arn:aws:s3:::*".to_owned(),
        ResourcePath::Bucket(b) | ResourcePath::Objects(b, _) => format!("arn:aws:s3:::{b}"),
        ResourcePath::Object(b, k) => format!("arn:aws:s3:::{b}/{k}"),
        ResourcePath::Facts(b, path) => format!("arn:craton:graph:::{b}/{}/{}", path.graph(), path.prefix()),
        ResourcePath::System(part) => system_arn(part),
    }
}

/// Of the system's own, what IAM knows has the ARN that IAM gives it.
fn system_arn(part: &str) -> String {
    let of_iam = [
        ("users/", "user/"),
        ("groups/", "group/"),
        ("roles/", "role/"),
        ("policies/", "policy/"),
        ("providers/", "oidc-provider/"),
    ];
    if let Some(key) = part.strip_prefix("kms/") {
        return key.to_owned();
    }
    let found = of_iam.iter().find_map(|(own, iam)| {
        part.strip_prefix(own)
            .map(|rest| format!("arn:aws:iam::{ACCOUNT}:{iam}{rest}"))
    });
    found.unwrap_or_else(|| match part {
        "account" => "*".to_owned(),
        _ => format!("arn:craton:system:::{part}"),
    })
}

/// What is asked of the access plane.
pub(crate) struct Question<'a> {
    pub(crate) session: &'a Session,
    /// All of them must be allowed.
    pub(crate) actions: &'a [&'a str],
    /// None of them may be denied.
    pub(crate) undenied: &'a [&'a str],
    /// Why it is refused, whatever policies say.
    pub(crate) refusal: Option<&'static str>,
    pub(crate) resource: &'a ResourcePath,
    /// The actions and the path as guard policies see them.
    pub(crate) guarded: (&'a [&'a str], &'a ResourcePath),
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

/// Evaluates every action for everyone in the identity: the one who acts, and each for whom it acts. The answer is
/// that of the first which is not allowed.
pub(crate) fn evaluate(question: &Question<'_>) -> Verdicts {
    let session = question.session;
    let policy = question.bucket.and_then(BucketAccess::policy);
    if let Some(why) = question.refusal {
        return refused(why);
    }
    if session.kind() == PrincipalKind::Root && policy.is_none() {
        return allowed_as_root();
    }
    if session.identity().without_iam() && question.actions.iter().any(|a| needs_iam(a)) {
        return refused("session-without-iam");
    }
    let facts = facts(question);
    let mut statements = Vec::new();
    for actor in session.identity().actors() {
        let decided = evaluate_for(question, actor, &facts);
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

/// What a session that was made by `GetSessionToken` may not do.
fn needs_iam(action: &str) -> bool {
    let of_sts = action.starts_with("sts:") && !matches!(action, "sts:AssumeRole" | "sts:GetCallerIdentity");
    action.starts_with("iam:") || of_sts
}

fn refused(why: &str) -> Verdicts {
    Verdicts {
        allowed: false,
        verdict: Verdict::ExplicitDeny,
        statements: vec![why.to_owned()],
    }
}

fn decide_action(question: &Question<'_>, actor: &Actor, action: &str, context: &Context) -> Verdicts {
    let request = policy::Request {
        action,
        resource: &arn(action, question.resource),
        context,
    };
    decide(question, actor, &request)
}

fn evaluate_for(question: &Question<'_>, actor: &Actor, facts: &[Fact]) -> Verdicts {
    if let Some(why) = question.refusal {
        return refused(why);
    }
    let context = match context(question.session, actor, facts) {
        Ok(context) => context,
        Err(error) => {
            tracing::warn!(%error, "a request's facts can not be evaluated");
            return refused("invalid-context");
        }
    };
    let mut statements = Vec::new();
    for action in question.actions {
        let decided = decide_action(question, actor, action, &context);
        if !decided.allowed {
            return decided;
        }
        statements.extend(decided.statements);
    }
    for action in question.undenied {
        let decided = decide_action(question, actor, action, &context);
        if decided.verdict == Verdict::ExplicitDeny {
            return decided;
        }
    }
    Verdicts {
        allowed: true,
        verdict: Verdict::Allow,
        statements,
    }
}

/// One of those in an identity, and what its own policies say.
pub(crate) struct Link {
    pub(crate) principal: String,
    pub(crate) decided: Verdicts,
    /// The kinds of its policies that would have to allow it, and do not.
    pub(crate) lacking: Vec<&'static str>,
}

/// What is decided for each of the identity: all must be allowed.
pub(crate) fn links(question: &Question<'_>) -> Vec<Link> {
    let facts = facts(question);
    let actors = question.session.identity().actors();
    let link = |actor: &Actor| {
        let decided = evaluate_for(question, actor, &facts);
        let lacking = match decided.verdict {
            Verdict::ImplicitDeny => lacking(question, actor, &facts),
            _ => Vec::new(),
        };
        Link {
            principal: actor.principal.label.to_string(),
            decided,
            lacking,
        }
    };
    actors.map(link).collect()
}

fn lacking(question: &Question<'_>, actor: &Actor, facts: &[Fact]) -> Vec<&'static str> {
    let Ok(context) = context(question.session, actor, facts) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for action in question.actions {
        let request = policy::Request {
            action,
            resource: &arn(action, question.resource),
            context: &context,
        };
        let guarded = question.bucket.and_then(|b| guarded(b, caller(actor)));
        out.extend(actor.policies.lacking(&request, guarded));
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// The request's condition keys, with the object's tags if a policy asks about any.
fn facts<'a>(question: &Question<'a>) -> Cow<'a, [Fact]> {
    let by_bucket = question.bucket.and_then(BucketAccess::policy);
    let asks = question
        .session
        .identity()
        .actors()
        .any(|a| a.policies.asks_for_tags())
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
fn decide(question: &Question<'_>, actor: &Actor, request: &policy::Request<'_>) -> Verdicts {
    let session = question.session;
    let caller = caller(actor);
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
    let decision = actor.policies.decide_about(request, guarded);
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
    let actor = &session.identity().actor;
    let Ok(context) = context(session, actor, &[]) else {
        return true;
    };
    let request = policy::Request {
        action: "s3:PutBucketPolicy",
        resource: &arn("s3:PutBucketPolicy", bucket),
        context: &context,
    };
    let guarded = Guarded {
        policy,
        caller: caller(actor),
        shut_public: false,
        shut_anonymous: false,
    };
    session.kind() != PrincipalKind::Root && !guarded.denies(&request).is_empty()
}

/// Who asks, as resources name callers.
pub(crate) fn caller(actor: &Actor) -> Caller<'_> {
    let id = &*actor.principal.label;
    match actor.principal.kind {
        PrincipalKind::Anonymous => Caller::Anonymous,
        PrincipalKind::Root => Caller::Root { account: ACCOUNT, id },
        PrincipalKind::User | PrincipalKind::System => Caller::User {
            account: ACCOUNT,
            arn: &actor.arn,
            id,
        },
        PrincipalKind::Role => Caller::Role {
            account: ACCOUNT,
            role: &actor.principal.arn,
            session: &actor.arn,
            id,
        },
    }
}

/// The keys about who asks.
pub(crate) fn identify(actor: &Actor, out: &mut Context) -> craton_base::Result<()> {
    let kind = match actor.principal.kind {
        PrincipalKind::User => {
            out.set_username(&actor.principal.name)?;
            "User"
        }
        PrincipalKind::Role => "AssumedRole",
        PrincipalKind::System => "Service",
        PrincipalKind::Root => "Account",
        PrincipalKind::Anonymous => {
            out.set("aws:userid", ANONYMOUS)?;
            out.set("aws:PrincipalType", "Anonymous")?;
            return out.set("aws:PrincipalAccount", ANONYMOUS);
        }
    };
    out.set("aws:PrincipalType", kind)?;
    let root = actor.principal.kind == PrincipalKind::Root;
    out.set("aws:userid", if root { ACCOUNT } else { &*actor.user_id })?;
    // Of a role's session it is the role's ARN.
    out.set_principal_arn(&actor.principal.arn)?;
    out.set("aws:PrincipalAccount", ACCOUNT)?;
    out.set("aws:PrincipalIsAWSService", "false")?;
    for (key, value) in actor.tags() {
        out.set(format!("aws:PrincipalTag/{key}"), value)?;
    }
    Ok(())
}

/// The keys about the session that the request is made in.
fn of_session(session: &Session, out: &mut Context) -> craton_base::Result<()> {
    let Some(facts) = &session.identity().session else {
        return Ok(());
    };
    out.set("aws:TokenIssueTime", policy::iso_8601(facts.issued))?;
    out.set("aws:MultiFactorAuthPresent", "false")?;
    let texts = [
        ("aws:SourceIdentity", &facts.source_identity),
        ("aws:FederatedProvider", &facts.provider),
        ("craton:Run", &facts.run),
        ("craton:Purpose", &facts.purpose),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            out.set(key, &**value)?;
        }
    }
    out.set_list(
        "craton:ActingFor",
        session.chain_arns().map(str::to_owned).collect(),
    )
}

/// Everything that is known of a request when `actor` is asked about it.
pub(crate) fn context(session: &Session, actor: &Actor, extra: &[Fact]) -> craton_base::Result<Context> {
    let mut out = request_context(session)?;
    identify(actor, &mut out)?;
    of_session(session, &mut out)?;
    for (key, value) in extra.iter().filter(|(key, _)| !LISTS.contains(&&**key)) {
        out.set(key.clone(), value.as_str())?;
    }
    for list in LISTS {
        let values = extra.iter().filter(|(key, _)| key == list);
        out.set_list(list, values.map(|(_, value)| value.clone()).collect())?;
    }
    Ok(out)
}

/// The keys about the request itself, whoever makes it.
pub(crate) fn request_context(session: &Session) -> craton_base::Result<Context> {
    let mut out = Context::new();
    let origin = session.origin();
    out.set("aws:ViaAWSService", "false")?;
    out.set("aws:ResourceAccount", ACCOUNT)?;
    out.set("s3:ResourceAccount", ACCOUNT)?;
    out.set_source_ip(origin.source_ip)?;
    out.set_secure_transport(origin.is_secure())?;
    if let Some(version) = origin.tls {
        out.set("s3:TlsVersion", version)?;
    }
    out.set_time(origin.time)?;
    if let Some(agent) = &origin.user_agent {
        out.set("aws:UserAgent", &**agent)?;
    }
    if let Some(referer) = &origin.referer {
        out.set("aws:Referer", &**referer)?;
    }
    proof(session, &mut out)?;
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
