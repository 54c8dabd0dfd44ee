//! Users, their access keys and policies.

use craton_base::{Error, Kind, PrincipalName, Result};
use craton_gate::NewAccessKey;
use serde_json::{Value, json};

use super::Call;

/// The most users in one answer.
const USERS_MAX: usize = 1000;

fn user(call: &Call<'_>) -> Result<PrincipalName> {
    PrincipalName::new(call.part(0)?)
}

pub(super) async fn list_users(call: &mut Call<'_>) -> Result<Value> {
    let query = std::mem::replace(&mut call.query, super::Query::parse(None)?);
    let (after, limit) = query.page(USERS_MAX)?;
    let users = call
        .gate
        .list_users(call.session, after.as_deref(), limit)
        .await?;
    let next = users.last().filter(|_| users.len() == limit);
    Ok(json!({ "users": users, "next": next }))
}

pub(super) async fn create_user(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = user(call)?;
    call.gate.create_user(call.session, &name).await?;
    Ok(json!({ "user": name.as_str() }))
}

pub(super) async fn delete_user(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = user(call)?;
    call.gate.delete_user(call.session, &name).await?;
    Ok(json!({}))
}

pub(super) async fn list_access_keys(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let keys = call.gate.list_access_keys(call.session, &user(call)?).await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|k| json!({ "id": k.id, "user": k.user, "active": k.active, "created_micros": k.created.micros() }))
        .collect();
    Ok(json!({ "keys": keys }))
}

pub(super) async fn create_access_key(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let NewAccessKey { id, secret } = call.gate.create_access_key(call.session, &user(call)?).await?;
    let secret = std::str::from_utf8(secret.expose())
        .map_err(|e| Error::internal("a new secret is not text").with_source(e))?;
    Ok(json!({ "id": id, "secret": secret }))
}

pub(super) async fn delete_access_key(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate
        .delete_access_key(call.session, &user(call)?, call.part(1)?)
        .await?;
    Ok(json!({}))
}

pub(super) async fn list_user_policies(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let policies = call.gate.user_policies(call.session, &user(call)?).await?;
    let policies: Vec<Value> = policies
        .iter()
        .map(|(name, document)| Ok(json!({ "name": name, "document": parsed(document)? })))
        .collect::<Result<_>>()?;
    Ok(json!({ "policies": policies }))
}

pub(super) async fn get_user_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let (user, name) = (user(call)?, call.part(1)?);
    let policies = call.gate.user_policies(call.session, &user).await?;
    let found = policies.iter().find(|(n, _)| n == name);
    let (name, document) = found.ok_or_else(|| {
        let message = format!("the user {user} has no policy {name:?}");
        Error::new(Kind::NotFound, "NoSuchEntity", message)
    })?;
    Ok(json!({ "name": name, "document": parsed(document)? }))
}

/// A stored document; it was parsed before it was stored.
fn parsed(document: &[u8]) -> Result<Value> {
    serde_json::from_slice(document).map_err(|e| Error::corrupt("a stored policy is not JSON").with_source(e))
}

pub(super) async fn put_user_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new(call.part(1)?)?;
    call.gate
        .put_user_policy(call.session, &user(call)?, &name, call.body.clone())
        .await?;
    Ok(json!({ "name": name.as_str() }))
}

pub(super) async fn delete_user_policy(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new(call.part(1)?)?;
    call.gate
        .delete_user_policy(call.session, &user(call)?, &name)
        .await?;
    Ok(json!({}))
}
