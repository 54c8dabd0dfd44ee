//! Managed policies.

use craton_base::{Error, Kind, Result};
use craton_gate::{Act, HolderKind, PolicyVersion};

use super::{Call, Xml, encoded, next, policy, tags};

pub(super) async fn create(call: &Call<'_>) -> Result<Xml> {
    let form = &call.form;
    let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let document = (form.document("PolicyDocument")?, text("Description"));
    let name = form.need("PolicyName")?;
    let made = call
        .gate
        .create_policy(call.session, name, &text("Path"), document, form.tags())
        .await?;
    let mut xml = Xml::new();
    xml.inside("Policy", |xml| policy(xml, &made));
    Ok(xml)
}

pub(super) async fn get(call: &Call<'_>) -> Result<Xml> {
    let found = call
        .gate
        .policy(
            call.session,
            call.form.need("PolicyArn")?,
            Act::of("iam:GetPolicy"),
        )
        .await?;
    let mut xml = Xml::new();
    xml.inside("Policy", |xml| policy(xml, &found));
    Ok(xml)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Xml> {
    let (after, most) = call.form.page()?;
    let scope = match call.form.get("Scope").unwrap_or("All") {
        "Local" => (true, false),
        "AWS" => (false, true),
        _ => (true, true),
    };
    let (mut all, marker) = call.gate.list_policies(call.session, after, most, scope).await?;
    if call.form.get("OnlyAttached") == Some("true") {
        all.retain(|p| p.attachments > 0);
    }
    if let Some(prefix) = call.form.get("PathPrefix") {
        all.retain(|p| p.path.starts_with(prefix));
    }
    let mut xml = Xml::new();
    xml.list("Policies", &all, policy);
    next(&mut xml, marker.as_deref());
    Ok(xml)
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Xml> {
    call.gate
        .delete_policy(call.session, call.form.need("PolicyArn")?)
        .await?;
    Ok(Xml::new())
}

fn version(xml: &mut Xml, version: &PolicyVersion, with_document: bool) {
    if with_document {
        xml.text("Document", encoded(&version.document));
    }
    xml.text("VersionId", &version.id);
    xml.text(
        "IsDefaultVersion",
        if version.is_default { "true" } else { "false" },
    );
    xml.time("CreateDate", version.created);
}

pub(super) async fn create_version(call: &Call<'_>) -> Result<Xml> {
    let form = &call.form;
    let in_force = form.get("SetAsDefault") == Some("true");
    let (arn, document) = (form.need("PolicyArn")?, form.document("PolicyDocument")?);
    let made = call
        .gate
        .create_policy_version(call.session, arn, document, in_force)
        .await?;
    let mut xml = Xml::new();
    xml.inside("PolicyVersion", |xml| version(xml, &made, false));
    Ok(xml)
}

pub(super) async fn get_version(call: &Call<'_>) -> Result<Xml> {
    let (arn, id) = (call.form.need("PolicyArn")?, call.form.need("VersionId")?);
    let found = call
        .gate
        .policy(call.session, arn, Act::of("iam:GetPolicyVersion"))
        .await?;
    let one = found.versions.iter().find(|v| v.id == id).ok_or_else(|| {
        let text = format!("Policy {arn} version {id} does not exist or is not attachable.");
        Error::new(Kind::NotFound, "NoSuchEntity", text)
    })?;
    let mut xml = Xml::new();
    xml.inside("PolicyVersion", |xml| version(xml, one, true));
    Ok(xml)
}

pub(super) async fn list_versions(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    let found = call
        .gate
        .policy(call.session, arn, Act::of("iam:ListPolicyVersions"))
        .await?;
    let mut xml = Xml::new();
    xml.list("Versions", found.versions.iter().rev(), |xml, one| {
        version(xml, one, false)
    });
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn set_default(call: &Call<'_>) -> Result<Xml> {
    let (arn, id) = (call.form.need("PolicyArn")?, call.form.need("VersionId")?);
    call.gate
        .set_default_policy_version(call.session, arn, id)
        .await?;
    Ok(Xml::new())
}

pub(super) async fn delete_version(call: &Call<'_>) -> Result<Xml> {
    let (arn, id) = (call.form.need("PolicyArn")?, call.form.need("VersionId")?);
    call.gate.delete_policy_version(call.session, arn, id).await?;
    Ok(Xml::new())
}

pub(super) async fn tag(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    call.gate
        .tag_policy(call.session, arn, &call.form.tags(), &[])
        .await?;
    Ok(Xml::new())
}

pub(super) async fn untag(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    call.gate
        .tag_policy(call.session, arn, &[], &call.form.list("TagKeys"))
        .await?;
    Ok(Xml::new())
}

pub(super) async fn list_tags(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    let found = call
        .gate
        .policy(call.session, arn, Act::of("iam:ListPolicyTags"))
        .await?;
    let mut xml = Xml::new();
    tags(&mut xml, &found.tags);
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn entities(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    let as_boundary = call.form.get("PolicyUsageFilter") == Some("PermissionsBoundary");
    let all = call
        .gate
        .entities_for_policy(call.session, arn, as_boundary)
        .await?;
    let mut xml = Xml::new();
    let kinds = [
        (HolderKind::Group, "Group"),
        (HolderKind::User, "User"),
        (HolderKind::Role, "Role"),
    ];
    for (kind, name) in kinds {
        let of_kind = all.iter().filter(|e| e.kind == kind);
        xml.list(&format!("Policy{name}s"), of_kind, |xml, one| {
            xml.text(&format!("{name}Name"), &one.name);
            xml.text(&format!("{name}Id"), &one.id);
        });
    }
    next(&mut xml, None);
    Ok(xml)
}
