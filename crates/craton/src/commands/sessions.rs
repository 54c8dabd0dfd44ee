//! `craton session`.

use craton_base::{Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, identities::all, list, text};
use crate::{
    cli::{Session, Target},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Session) -> Result<()> {
    match command {
        Session::List { target } => show(&target).await,
        Session::Rm {
            id,
            user,
            role,
            target,
        } => {
            let path = match (id, user, role) {
                (Some(id), ..) => format!("sessions/{}", segment(&id)),
                (_, Some(user), _) => format!("users/{}/sessions", segment(&user)),
                (.., role) => format!("roles/{}/sessions", segment(&role.unwrap_or_default())),
            };
            let client = Client::new(&target)?;
            client.api(Method::DELETE, &path, None).await.map(drop)
        }
    }
}

async fn show(target: &Target) -> Result<()> {
    let sessions = all(&Client::new(target)?, "sessions", "sessions").await?;
    answer(target, &json!({ "sessions": sessions }), |_| {
        let rows: Vec<Vec<String>> = sessions.iter().map(row).collect();
        output::table(&["ID", "WHO", "FOR", "PURPOSE", "RUN", "UNTIL"], &rows);
    });
    Ok(())
}

fn row(session: &Value) -> Vec<String> {
    let chain: Vec<&str> = list(session, "chain").filter_map(Value::as_str).collect();
    let expires = session.get("expires_micros").and_then(Value::as_u64);
    let until = match session.get("revoked").and_then(Value::as_bool) {
        Some(true) => "revoked".to_owned(),
        _ => format!("{:?}", Timestamp(expires.unwrap_or_default())),
    };
    vec![
        text(session, "id").to_owned(),
        text(session, "principal").to_owned(),
        chain.join(", "),
        text(session, "purpose").to_owned(),
        text(session, "run").to_owned(),
        until,
    ]
}
