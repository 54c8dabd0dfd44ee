//! `craton user`, `craton key`, `craton policy`.

use craton_base::{Error, Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Key, Policy, Target, User},
    client::{Client, segment},
    files, output,
};

/// The largest policy, in bytes; the server's own limit is lower.
const POLICY_BYTES_MAX: u64 = 1 << 20;

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
            let users = all_users(&Client::new(&target)?).await?;
            answer(&target, &json!({ "users": users }), |_| {
                users.iter().filter_map(Value::as_str).for_each(output::line);
            });
        }
        User::Rm { user, target } => {
            Client::new(&target)?
                .api(Method::DELETE, &user_path(&user), None)
                .await?;
        }
    }
    Ok(())
}

async fn all_users(client: &Client) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    let mut path = "users".to_owned();
    loop {
        let page = client.api(Method::GET, &path, None).await?;
        out.extend(list(&page, "users").cloned());
        match page.get("next").and_then(Value::as_str) {
            Some(next) => path = format!("users?after={}", craton_gate::identify::sign::encode_query(next)),
            None => return Ok(out),
        }
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
        Key::Rm { user, id, target } => {
            let path = format!("{}/keys/{}", user_path(&user), segment(&id));
            Client::new(&target)?.api(Method::DELETE, &path, None).await?;
        }
    }
    Ok(())
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
    let path = |user: &str, name: &str| format!("{}/policies/{}", user_path(user), segment(name));
    match command {
        Policy::Put {
            user,
            name,
            file,
            target,
        } => {
            let document: Value = serde_json::from_str(&files::read_text(&file, POLICY_BYTES_MAX)?)
                .map_err(|e| Error::invalid(format!("the file {} is not JSON: {e}", file.display())))?;
            Client::new(&target)?
                .api(Method::PUT, &path(&user, &name), Some(&document))
                .await?;
        }
        Policy::Get { user, name, target } => {
            let policy = Client::new(&target)?
                .api(Method::GET, &path(&user, &name), None)
                .await?;
            output::json(policy.get("document").unwrap_or(&policy));
        }
        Policy::List { user, target } => {
            let all = format!("{}/policies", user_path(&user));
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
    }
    Ok(())
}
