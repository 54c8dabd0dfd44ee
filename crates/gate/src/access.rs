//! The access plane for one session: its policies, put to a request.
//!
//! Deliberately absent: the evaluator itself ([`crate::policy`]), condition keys ([`crate::facts`]), recording.

use std::borrow::Cow;

use craton_base::ResourcePath;
use craton_guard::Restrictions;

use crate::{
    ask::Fact,
    configuration::{Acl, BucketAccess, acl},
    directory::{ACCOUNT, Actor},
    facts::Known,
    gate::Verdicts,
    ledger::Verdict,
    policy::{self, Caller, Guarded},
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
    /// The actions as guard policies see them: what was asked.
    pub(crate) guarded: &'a [&'a str],
    /// The table that it is about or lies in, as guard policies see it.
    pub(crate) table: Option<&'a tables::Shown>,
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
        if let Err(refused) = evaluate_for(question, actor, &facts, &mut statements) {
            return refused;
        }
    }
    Verdicts {
        allowed: !question.actions.is_empty(),
        verdict: Verdict::Allow,
        statements,
        restrictions: Restrictions::default(),
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
        restrictions: Restrictions::default(),
    }
}

/// Adds the statements that allow `actor` all actions.
///
/// # Errors
/// The refusal of the first that is not allowed, or is denied.
fn evaluate_for(
    question: &Question<'_>,
    actor: &Actor,
    facts: &[Fact],
    statements: &mut Vec<String>,
) -> Result<(), Verdicts> {
    if let Some(why) = question.refusal {
        return Err(refused(why));
    }
    let known = Known::new(question.session, actor, facts).map_err(|error| {
        tracing::warn!(%error, "a request's facts can not be evaluated");
        refused("invalid-context")
    })?;
    let decide = |action: &str, statements: &mut Vec<String>| {
        let request = policy::Request {
            action,
            resource: &arn(action, question.resource),
            context: &known,
        };
        decide(question, actor, &request, statements)
    };
    for action in question.actions {
        decide(action, statements)?;
    }
    for action in question.undenied {
        match decide(action, &mut Vec::new()) {
            Err(refused) if refused.verdict == Verdict::ExplicitDeny => return Err(refused),
            _ => {}
        }
    }
    Ok(())
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
        let mut statements = Vec::new();
        let decided = evaluate_for(question, actor, &facts, &mut statements);
        let decided = decided.map_or_else(
            |refused| refused,
            |()| Verdicts {
                allowed: true,
                verdict: Verdict::Allow,
                statements,
                restrictions: Restrictions::default(),
            },
        );
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
    let Ok(known) = Known::new(question.session, actor, facts) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for action in question.actions {
        let request = policy::Request {
            action,
            resource: &arn(action, question.resource),
            context: &known,
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

/// What stands for statements where the account itself asks.
const ROOTS: &str = "root";

fn allowed_as_root() -> Verdicts {
    Verdicts {
        allowed: true,
        verdict: Verdict::Allow,
        statements: vec![ROOTS.to_owned()],
        restrictions: Restrictions::default(),
    }
}

/// One action: by the policies, then by the bucket's list. Adds the statements that allow it.
fn decide(
    question: &Question<'_>,
    actor: &Actor,
    request: &policy::Request<'_>,
    statements: &mut Vec<String>,
) -> Result<(), Verdicts> {
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
            statements.push(ROOTS.to_owned());
            return Ok(());
        }
        return Err(denied(Verdict::ExplicitDeny, &denies));
    }
    let decision = actor.policies.decide_about(request, guarded);
    match decision.kind {
        policy::DecisionKind::Allow => {
            statements.extend(decision.statements.iter().map(ToString::to_string));
            Ok(())
        }
        policy::DecisionKind::ExplicitDeny => Err(denied(Verdict::ExplicitDeny, &decision.statements)),
        policy::DecisionKind::ImplicitDeny => {
            let by_list = match session.kind() {
                PrincipalKind::System => None,
                _ => listed(question, &caller, request.action),
            };
            statements.push(by_list.ok_or_else(|| denied(Verdict::ImplicitDeny, &[]))?);
            Ok(())
        }
    }
}

fn denied(verdict: Verdict, statements: &[policy::StatementRef<'_>]) -> Verdicts {
    Verdicts {
        allowed: false,
        verdict,
        statements: statements.iter().map(ToString::to_string).collect(),
        restrictions: Restrictions::default(),
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
    let Ok(known) = Known::new(session, actor, &[]) else {
        return true;
    };
    let request = policy::Request {
        action: "s3:PutBucketPolicy",
        resource: &arn("s3:PutBucketPolicy", bucket),
        context: &known,
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
