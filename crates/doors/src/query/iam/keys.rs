//! Access keys.

use craton_base::{Error, Result};

use super::{Call, Xml, next, user_or_self};

/// The user that a key is of, where a form may leave that out.
fn owner(call: &Call<'_>, id: &str) -> Result<String> {
    match call.form.get("UserName") {
        Some(name) => Ok(name.to_owned()),
        None => call.gate.owner_of_key(id).map_or_else(|| user_or_self(call), Ok),
    }
}

pub(super) async fn create(call: &Call<'_>) -> Result<Xml> {
    let user = user_or_self(call)?;
    let key = call.gate.create_access_key(call.session, &user).await?;
    let secret = std::str::from_utf8(key.secret.expose())
        .map_err(|e| Error::internal("a new secret is not text").with_source(e))?;
    let mut xml = Xml::new();
    xml.inside("AccessKey", |xml| {
        xml.text("UserName", &user);
        xml.text("AccessKeyId", &key.id);
        xml.text("Status", "Active");
        xml.text("SecretAccessKey", secret);
        xml.time("CreateDate", call.session.origin().time);
    });
    Ok(xml)
}

pub(super) async fn update(call: &Call<'_>) -> Result<Xml> {
    let id = call.form.need("AccessKeyId")?;
    let active = match call.form.need("Status")? {
        "Active" => true,
        "Inactive" => false,
        _ => {
            return Err(Error::new(
                craton_base::Kind::Invalid,
                "ValidationError",
                "Status must be Active or Inactive",
            ));
        }
    };
    call.gate
        .set_access_key(call.session, &owner(call, id)?, id, active)
        .await?;
    Ok(Xml::new())
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Xml> {
    let id = call.form.need("AccessKeyId")?;
    call.gate
        .delete_access_key(call.session, &owner(call, id)?, id)
        .await?;
    Ok(Xml::new())
}

pub(super) async fn list(call: &Call<'_>) -> Result<Xml> {
    let user = user_or_self(call)?;
    let keys = call.gate.list_access_keys(call.session, &user).await?;
    let mut xml = Xml::new();
    xml.text("UserName", &user);
    xml.list("AccessKeyMetadata", &keys, |xml, key| {
        xml.text("UserName", &key.user);
        xml.text("AccessKeyId", &key.id);
        xml.text("Status", if key.active { "Active" } else { "Inactive" });
        xml.time("CreateDate", key.created);
    });
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn last_used(call: &Call<'_>) -> Result<Xml> {
    let used = call
        .gate
        .access_key_use(call.session, call.form.need("AccessKeyId")?)
        .await?;
    let mut xml = Xml::new();
    xml.text("UserName", &used.user);
    xml.inside("AccessKeyLastUsed", |xml| match &used.last {
        Some((at, service)) => {
            xml.time("LastUsedDate", *at);
            xml.text("ServiceName", service);
            xml.text("Region", &call.gate.settings().region);
        }
        None => {
            xml.text("ServiceName", "N/A");
            xml.text("Region", "N/A");
        }
    });
    Ok(xml)
}
