//! The operations of STS.

use craton_base::{Error, Result};
use craton_gate::{AssumeRole, Issued, SessionLimits, WebIdentity};

use super::{Call, Xml, form::Form, operations};

operations! { "sts";
    AssumeRole => "sts:AssumeRole", assume_role;
    AssumeRoleWithWebIdentity => "sts:AssumeRoleWithWebIdentity", with_web_identity;
    GetCallerIdentity => "sts:GetCallerIdentity", get_caller_identity;
    GetSessionToken => "sts:GetSessionToken", get_session_token;
    GetAccessKeyInfo => "sts:GetAccessKeyInfo", get_access_key_info;
}

fn limits(form: &Form) -> Result<SessionLimits> {
    let nth = |n: usize| form.get(&format!("PolicyArns.member.{n}.arn")).map(str::to_owned);
    Ok(SessionLimits {
        policy: form
            .get("Policy")
            .filter(|p| !p.is_empty())
            .map(|p| bytes::Bytes::copy_from_slice(p.as_bytes())),
        policy_arns: (1..=100).map_while(nth).collect(),
        seconds: form.number("DurationSeconds")?,
    })
}

fn text(secret: &craton_base::Secret) -> Result<&str> {
    std::str::from_utf8(secret.expose())
        .map_err(|e| Error::internal("a new secret is not text").with_source(e))
}

fn credentials(xml: &mut Xml, issued: &Issued) -> Result<()> {
    let (secret, token) = (text(&issued.secret)?, text(&issued.token)?);
    xml.inside("Credentials", |xml| {
        xml.text("AccessKeyId", &issued.access_key_id);
        xml.text("SecretAccessKey", secret);
        xml.text("SessionToken", token);
        xml.time("Expiration", issued.expires);
    });
    Ok(())
}

fn assumed(xml: &mut Xml, issued: &Issued) {
    xml.inside("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &issued.user_id);
        xml.text("Arn", &issued.arn);
    });
}

async fn assume_role(call: &Call<'_>) -> Result<Xml> {
    let form = &call.form;
    let wanted = AssumeRole {
        role_arn: form.need("RoleArn")?.to_owned(),
        session_name: form.need("RoleSessionName")?.to_owned(),
        limits: limits(form)?,
        tags: form.tags(),
        transitive_tag_keys: form.list("TransitiveTagKeys"),
        external_id: form.get("ExternalId").map(str::to_owned),
        source_identity: form.get("SourceIdentity").map(str::to_owned),
    };
    let issued = call.gate.assume_role(call.session, wanted).await?;
    let mut xml = Xml::new();
    credentials(&mut xml, &issued)?;
    assumed(&mut xml, &issued);
    xml.some(
        "SourceIdentity",
        issued.source_identity.as_deref().unwrap_or_default(),
    );
    Ok(xml)
}

/// Signed or not, the token is what counts.
async fn with_web_identity(call: &Call<'_>) -> Result<Xml> {
    let (gate, form, origin) = (call.gate, &call.form, call.session.origin().clone());
    let limits = limits(form);
    if let Err(error) = &limits {
        gate.refuse(&origin, None, "AssumeRoleWithWebIdentity", "/", error)?;
    }
    let wanted = WebIdentity {
        role_arn: form.get("RoleArn").unwrap_or_default().to_owned(),
        session_name: form.get("RoleSessionName").unwrap_or_default().to_owned(),
        token: form.get("WebIdentityToken").unwrap_or_default().to_owned(),
        limits: limits?,
    };
    let made = gate.assume_role_with_web_identity(wanted, origin).await?;
    let mut xml = Xml::new();
    credentials(&mut xml, &made.issued)?;
    assumed(&mut xml, &made.issued);
    xml.text("SubjectFromWebIdentityToken", &made.subject);
    xml.text("Audience", &made.audience);
    xml.text("Provider", &made.provider);
    Ok(xml)
}

async fn get_session_token(call: &Call<'_>) -> Result<Xml> {
    let seconds = call.form.number("DurationSeconds")?;
    let issued = call.gate.session_token(call.session, seconds).await?;
    let mut xml = Xml::new();
    credentials(&mut xml, &issued)?;
    Ok(xml)
}

async fn get_caller_identity(call: &Call<'_>) -> Result<Xml> {
    let who = call.gate.caller_identity(call.session).await?;
    let mut xml = Xml::new();
    xml.text("Arn", &who.arn);
    xml.text("UserId", &who.user_id);
    xml.text("Account", who.account);
    Ok(xml)
}

/// To which account an access key belongs: there is one.
async fn get_access_key_info(call: &Call<'_>) -> Result<Xml> {
    let who = call.gate.caller_identity(call.session).await?;
    let mut xml = Xml::new();
    xml.text("Account", who.account);
    Ok(xml)
}
