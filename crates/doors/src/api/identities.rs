//! Users, their access keys and policies.

use craton_base::{Error, PrincipalName, Result};
use craton_gate::{Act, Holder, HolderKind, NewAccessKey, NewEntity};
use serde_json::{Value, json};

use super::Call;

/// The most users in one answer.
const USERS_MAX: usize = 1000;

fn user(call: &Call<'_>) -> Result<PrincipalName> {
    PrincipalName::new(call.part(0)?)
}

fn holder(call: &Call<'_>) -> Result<Holder> {
    Ok(Holder::new(HolderKind::User, user(call)?.as_str()))
}

pub(super) async fn list_users(call: &mut Call<'_>) -> Result<Value> {
    let query = std::mem::replace(&mut call.query, super::Query::parse(None)?);
    let (after, limit) = query.page(USERS_MAX)?;
    let listed = call
        .gate
        .list_entities(call.session, HolderKind::User, "/", after.as_deref(), limit);
    let (users, next) = listed.await?;
    let users: Vec<String> = users.into_iter().map(|u| u.name).collect();
    Ok(json!({ "users": users, "next": next }))
}

pub(super) async fn create_user(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let new = NewEntity::default();
    let made = call.gate.create_entity(call.session, &holder(call)?, new).await?;
    Ok(json!({ "user": made.name, "id": made.id, "arn": made.arn }))
}

pub(super) async fn delete_user(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate
        .delete_entity(call.session, &holder(call)?, true)
        .await?;
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

pub(super) async fn list_user_policies(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let act = Act::of("iam:GetUserPolicy");
    let policies = call
        .gate
        .entity_for(call.session, &holder(call)?, act)
        .await?
        .policies;
    let policies: Vec<Value> = policies
        .iter()
        .map(|(name, document)| Ok(json!({ "name": name, "document": parsed(document)? })))
        .collect::<Result<_>>()?;
    Ok(json!({ "policies": policies }))
}

pub(super) async fn get_user_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = call.part(1)?;
    let document = call.gate.policy_of(call.session, &holder(call)?, name).await?;
    Ok(json!({ "name": name, "document": parsed(&document)? }))
}

/// A stored document; it was parsed before it was stored.
fn parsed(document: &[u8]) -> Result<Value> {
    serde_json::from_slice(document).map_err(|e| Error::corrupt("a stored policy is not JSON").with_source(e))
}

pub(super) async fn put_user_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new(call.part(1)?)?;
    call.gate
        .put_policy(call.session, &holder(call)?, name.as_str(), call.body.clone())
        .await?;
    Ok(json!({ "name": name.as_str() }))
}

pub(super) async fn delete_user_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new(call.part(1)?)?;
    call.gate
        .delete_policy_of(call.session, &holder(call)?, name.as_str())
        .await?;
    Ok(json!({}))
}
