//! Users, groups and roles, their policies, and access keys.

use craton_base::{Error, PrincipalName, Result};
use craton_gate::{Act, Entity, Holder, HolderKind, NewAccessKey, NewEntity};
use serde_json::{Value, json};

use super::Call;

/// The most users, groups or roles in one answer.
const LISTED_MAX: usize = 1000;

fn user(call: &Call<'_>) -> Result<PrincipalName> {
    PrincipalName::new(call.part(0)?)
}

/// The user, group or role that the path names.
fn holder(call: &Call<'_>, kind: HolderKind) -> Result<Holder> {
    Ok(match kind {
        HolderKind::User => Holder::new(kind, user(call)?.as_str()),
        _ => Holder::new(kind, call.part(0)?),
    })
}

pub(super) async fn list(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    let query = std::mem::replace(&mut call.query, super::Query::parse(None)?);
    let (after, limit) = query.page(LISTED_MAX)?;
    let listed = call
        .gate
        .list_entities(call.session, kind, "/", after.as_deref(), limit);
    let (all, next) = listed.await?;
    Ok(names(&format!("{}s", kind.word()), all, next))
}

fn names(what: &str, all: Vec<Entity>, next: Option<String>) -> Value {
    let names: Vec<String> = all.into_iter().map(|e| e.name).collect();
    json!({ what: names, "next": next })
}

pub(super) async fn create(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    let mut new = NewEntity::default();
    if kind == HolderKind::Role {
        new.trust = call.body.clone();
    }
    let made = call
        .gate
        .create_entity(call.session, &holder(call, kind)?, new)
        .await?;
    Ok(json!({ kind.word(): made.name, "id": made.id, "arn": made.arn }))
}

pub(super) async fn delete(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    call.gate
        .delete_entity(call.session, &holder(call, kind)?, true)
        .await?;
    Ok(json!({}))
}

pub(super) async fn list_members(call: &mut Call<'_>) -> Result<Value> {
    let query = std::mem::replace(&mut call.query, super::Query::parse(None)?);
    let (after, limit) = query.page(LISTED_MAX)?;
    let listed = call
        .gate
        .group_members(call.session, call.part(0)?, after.as_deref(), limit);
    let (_, members, next) = listed.await?;
    Ok(names("users", members, next))
}

pub(super) async fn set_member(call: &mut Call<'_>, member: bool) -> Result<Value> {
    call.no_query()?;
    let (group, user) = (call.part(0)?, call.part(1)?);
    call.gate.set_member(call.session, group, user, member).await?;
    Ok(json!({}))
}

pub(super) async fn list_access_keys(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let keys = call
        .gate
        .list_access_keys(call.session, user(call)?.as_str())
        .await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|k| json!({ "id": k.id, "user": k.user, "active": k.active, "created_micros": k.created.micros() }))
        .collect();
    Ok(json!({ "keys": keys }))
}

pub(super) async fn create_access_key(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = user(call)?;
    let NewAccessKey { id, secret } = call.gate.create_access_key(call.session, name.as_str()).await?;
    let secret = std::str::from_utf8(secret.expose())
        .map_err(|e| Error::internal("a new secret is not text").with_source(e))?;
    Ok(json!({ "id": id, "secret": secret }))
}

pub(super) async fn delete_access_key(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate
        .delete_access_key(call.session, user(call)?.as_str(), call.part(1)?)
        .await?;
    Ok(json!({}))
}

pub(super) async fn set_access_key(call: &mut Call<'_>, active: bool) -> Result<Value> {
    call.no_query()?;
    call.gate
        .set_access_key(call.session, user(call)?.as_str(), call.part(1)?, active)
        .await?;
    Ok(json!({}))
}

pub(super) async fn list_policies(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    let act = Act::of(match kind {
        HolderKind::User => "iam:GetUserPolicy",
        HolderKind::Group => "iam:GetGroupPolicy",
        HolderKind::Role => "iam:GetRolePolicy",
    });
    let policies = call
        .gate
        .entity_for(call.session, &holder(call, kind)?, act)
        .await?
        .policies;
    let policies: Vec<Value> = policies
        .iter()
        .map(|(name, document)| Ok(json!({ "name": name, "document": parsed(document)? })))
        .collect::<Result<_>>()?;
    Ok(json!({ "policies": policies }))
}

pub(super) async fn get_policy(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    let name = call.part(1)?;
    let holder = holder(call, kind)?;
    let document = call.gate.policy_of(call.session, &holder, name).await?;
    Ok(json!({ "name": name, "document": parsed(&document)? }))
}

/// A stored document; it was parsed before it was stored.
fn parsed(document: &[u8]) -> Result<Value> {
    serde_json::from_slice(document).map_err(|e| Error::corrupt("a stored policy is not JSON").with_source(e))
}

pub(super) async fn put_policy(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new(call.part(1)?)?;
    let holder = holder(call, kind)?;
    let document = call.body.clone();
    call.gate
        .put_policy(call.session, &holder, name.as_str(), document)
        .await?;
    Ok(json!({ "name": name.as_str() }))
}

pub(super) async fn delete_policy(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new(call.part(1)?)?;
    let holder = holder(call, kind)?;
    call.gate
        .delete_policy_of(call.session, &holder, name.as_str())
        .await?;
    Ok(json!({}))
}
