//! `craton user`, `key`, `group`, `role`, `policy`.

use craton_base::{Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{
    answer, list,
    policies::{self, document},
    text,
};
use crate::{
    cli::{Group, Key, Policy, Role, Target, User},
    client::{Client, segment},
    output,
};

/// Of a user, or of `group/NAME`, `role/NAME`.
fn holder_path(holder: &str) -> String {
    match holder.split_once('/') {
        Some(("group", name)) => format!("groups/{}", segment(name)),
        Some(("role", name)) => format!("roles/{}", segment(name)),
        _ => user_path(holder),
    }
}

fn user_path(user: &str) -> String {
    format!("users/{}", segment(user))
}

/// Shows a new access key in the form of an AWS credentials file: the only time it is shown.
fn show_key(target: &Target, key: &Value) {
    answer(target, key, |key| {
        output::note("The secret is shown this once.");
        output::line("[default]");
        output::line(&format!("aws_access_key_id = {}", text(key, "id")));
        output::line(&format!("aws_secret_access_key = {}", text(key, "secret")));
    });
}

pub(super) async fn user(command: User) -> Result<()> {
    match command {
        User::Add { user, target } => {
            let client = Client::new(&target)?;
            client.api(Method::PUT, &user_path(&user), None).await?;
            let key = client
                .api(Method::POST, &format!("{}/keys", user_path(&user)), None)
                .await?;
            show_key(&target, &key);
        }
        User::List { target } => {
            show_names(&target, "users", "users").await?;
        }
        User::Rm { user, target } => {
            Client::new(&target)?
                .api(Method::DELETE, &user_path(&user), None)
                .await?;
        }
    }
    Ok(())
}

/// Every element of a list that the API answers in pages.
pub(super) async fn all(client: &Client, path: &str, field: &str) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    let mut next = path.to_owned();
    loop {
        let page = client.api(Method::GET, &next, None).await?;
        out.extend(list(&page, field).cloned());
        match page.get("next").and_then(Value::as_str) {
            Some(after) => {
                next = format!(
                    "{path}?after={}",
                    craton_gate::identify::sign::encode_query(after)
                );
            }
            None => return Ok(out),
        }
    }
}

async fn show_names(target: &Target, path: &str, field: &str) -> Result<()> {
    let names = all(&Client::new(target)?, path, field).await?;
    answer(target, &json!({ field: names }), |_| {
        names.iter().filter_map(Value::as_str).for_each(output::line);
    });
    Ok(())
}

async fn change(target: &Target, method: Method, path: &str, body: Option<&Value>) -> Result<()> {
    Client::new(target)?.api(method, path, body).await.map(drop)
}

pub(super) async fn group(command: Group) -> Result<()> {
    let path = |group: &str| format!("groups/{}", segment(group));
    let member = |group: &str, user: &str| format!("{}/members/{}", path(group), segment(user));
    match command {
        Group::Add { group, target } => change(&target, Method::PUT, &path(&group), None).await,
        Group::List { group: None, target } => show_names(&target, "groups", "groups").await,
        Group::List {
            group: Some(group),
            target,
        } => show_names(&target, &format!("{}/members", path(&group)), "users").await,
        Group::Rm { group, target } => change(&target, Method::DELETE, &path(&group), None).await,
        Group::Join { group, user, target } => {
            change(&target, Method::PUT, &member(&group, &user), None).await
        }
        Group::Leave { group, user, target } => {
            change(&target, Method::DELETE, &member(&group, &user), None).await
        }
    }
}

pub(super) async fn role(command: Role) -> Result<()> {
    let path = |role: &str| format!("roles/{}", segment(role));
    match command {
        Role::Add { role, trust, target } => {
            change(&target, Method::PUT, &path(&role), Some(&document(&trust)?)).await
        }
        Role::List { target } => show_names(&target, "roles", "roles").await,
        Role::Rm { role, target } => change(&target, Method::DELETE, &path(&role), None).await,
    }
}

pub(super) async fn key(command: Key) -> Result<()> {
    match command {
        Key::Add { user, target } => {
            let path = format!("{}/keys", user_path(&user));
            let key = Client::new(&target)?.api(Method::POST, &path, None).await?;
            show_key(&target, &key);
        }
        Key::List { user, target } => {
            let path = format!("{}/keys", user_path(&user));
            let keys = Client::new(&target)?.api(Method::GET, &path, None).await?;
            answer(&target, &keys, |keys| {
                let rows: Vec<Vec<String>> = list(keys, "keys").map(key_row).collect();
                output::table(&["ID", "ACTIVE", "CREATED"], &rows);
            });
        }
        Key::Disable { user, id, target } => {
            let path = format!("{}/disable", key_path(&user, &id));
            change(&target, Method::POST, &path, None).await?;
        }
        Key::Enable { user, id, target } => {
            let path = format!("{}/enable", key_path(&user, &id));
            change(&target, Method::POST, &path, None).await?;
        }
        Key::Rm { user, id, target } => {
            change(&target, Method::DELETE, &key_path(&user, &id), None).await?;
        }
    }
    Ok(())
}

fn key_path(user: &str, id: &str) -> String {
    format!("{}/keys/{}", user_path(user), segment(id))
}

fn key_row(key: &Value) -> Vec<String> {
    let active = key.get("active").and_then(Value::as_bool).unwrap_or_default();
    let created = Timestamp(
        key.get("created_micros")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
    );
    vec![
        text(key, "id").to_owned(),
        if active { "yes" } else { "no" }.to_owned(),
        format!("{created:?}"),
    ]
}

pub(super) async fn policy(command: Policy) -> Result<()> {
    let path = |holder: &str, name: &str| format!("{}/policies/{}", holder_path(holder), segment(name));
    match command {
        Policy::Put {
            user,
            name,
            file,
            target,
        } => {
            Client::new(&target)?
                .api(Method::PUT, &path(&user, &name), Some(&document(&file)?))
                .await?;
        }
        Policy::Get { user, name, target } => {
            let policy = Client::new(&target)?
                .api(Method::GET, &path(&user, &name), None)
                .await?;
            output::json(policy.get("document").unwrap_or(&policy));
        }
        Policy::List { user, target } => {
            let all = format!("{}/policies", holder_path(&user));
            let policies = Client::new(&target)?.api(Method::GET, &all, None).await?;
            answer(&target, &policies, |policies| {
                list(policies, "policies").for_each(|p| output::line(text(p, "name")));
            });
        }
        Policy::Rm { user, name, target } => {
            Client::new(&target)?
                .api(Method::DELETE, &path(&user, &name), None)
                .await?;
        }
        Policy::Check {
            file,
            user,
            role,
            guard,
            days,
            target,
        } => {
            let body = match &file {
                None if guard => json!({ "guard": true }),
                Some(file) => json!({ "document": document(file)? }),
                None => json!({ "user": user, "role": role, "days": days }),
            };
            policies::check(&body, days, &target).await?;
        }
        Policy::Replay {
            place,
            file,
            days,
            target,
        } => policies::replay(&place, file.as_deref(), days, &target).await?,
    }
    Ok(())
}
