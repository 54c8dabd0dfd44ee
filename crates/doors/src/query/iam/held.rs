//! Policies in entries, and those that are attached to them.

use craton_base::Result;
use craton_gate::{Act, HolderKind};

use super::{Call, Xml, encoded, holder, next};

async fn put(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let form = &call.form;
    let (name, document) = (form.need("PolicyName")?, form.document("PolicyDocument")?);
    call.gate
        .put_policy(call.session, &holder(call, kind)?, name, document)
        .await?;
    Ok(Xml::new())
}

async fn get(call: &Call<'_>, kind: HolderKind, title: &str) -> Result<Xml> {
    let (holder, name) = (holder(call, kind)?, call.form.need("PolicyName")?);
    let document = call.gate.policy_of(call.session, &holder, name).await?;
    let mut xml = Xml::new();
    xml.text(title, &holder.name);
    xml.text("PolicyName", name);
    xml.text("PolicyDocument", encoded(&document));
    Ok(xml)
}

async fn names(call: &Call<'_>, kind: HolderKind, act: Act) -> Result<Xml> {
    let shown = call
        .gate
        .entity_for(call.session, &holder(call, kind)?, act)
        .await?;
    let mut xml = Xml::new();
    xml.texts("PolicyNames", shown.policies.iter().map(|(name, _)| name));
    next(&mut xml, None);
    Ok(xml)
}

async fn delete(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let name = call.form.need("PolicyName")?;
    call.gate
        .delete_policy_of(call.session, &holder(call, kind)?, name)
        .await?;
    Ok(Xml::new())
}

async fn attach(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    call.gate
        .attach_policy(call.session, &holder(call, kind)?, arn)
        .await?;
    Ok(Xml::new())
}

async fn detach(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let arn = call.form.need("PolicyArn")?;
    call.gate
        .detach_policy(call.session, &holder(call, kind)?, arn)
        .await?;
    Ok(Xml::new())
}

async fn attached(call: &Call<'_>, kind: HolderKind, act: Act) -> Result<Xml> {
    let shown = call
        .gate
        .entity_for(call.session, &holder(call, kind)?, act)
        .await?;
    let mut xml = Xml::new();
    xml.list("AttachedPolicies", &shown.attached, |xml, arn| {
        xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
        xml.text("PolicyArn", arn);
    });
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn put_user(call: &Call<'_>) -> Result<Xml> {
    put(call, HolderKind::User).await
}

pub(super) async fn get_user(call: &Call<'_>) -> Result<Xml> {
    get(call, HolderKind::User, "UserName").await
}

pub(super) async fn names_user(call: &Call<'_>) -> Result<Xml> {
    names(call, HolderKind::User, Act::of("iam:ListUserPolicies")).await
}

pub(super) async fn delete_user(call: &Call<'_>) -> Result<Xml> {
    delete(call, HolderKind::User).await
}

pub(super) async fn attach_user(call: &Call<'_>) -> Result<Xml> {
    attach(call, HolderKind::User).await
}

pub(super) async fn detach_user(call: &Call<'_>) -> Result<Xml> {
    detach(call, HolderKind::User).await
}

pub(super) async fn attached_user(call: &Call<'_>) -> Result<Xml> {
    attached(call, HolderKind::User, Act::of("iam:ListAttachedUserPolicies")).await
}

pub(super) async fn put_group(call: &Call<'_>) -> Result<Xml> {
    put(call, HolderKind::Group).await
}

pub(super) async fn get_group(call: &Call<'_>) -> Result<Xml> {
    get(call, HolderKind::Group, "GroupName").await
}

pub(super) async fn names_group(call: &Call<'_>) -> Result<Xml> {
    names(call, HolderKind::Group, Act::of("iam:ListGroupPolicies")).await
}

pub(super) async fn delete_group(call: &Call<'_>) -> Result<Xml> {
    delete(call, HolderKind::Group).await
}

pub(super) async fn attach_group(call: &Call<'_>) -> Result<Xml> {
    attach(call, HolderKind::Group).await
}

pub(super) async fn detach_group(call: &Call<'_>) -> Result<Xml> {
    detach(call, HolderKind::Group).await
}

pub(super) async fn attached_group(call: &Call<'_>) -> Result<Xml> {
    attached(call, HolderKind::Group, Act::of("iam:ListAttachedGroupPolicies")).await
}

pub(super) async fn put_role(call: &Call<'_>) -> Result<Xml> {
    put(call, HolderKind::Role).await
}

pub(super) async fn get_role(call: &Call<'_>) -> Result<Xml> {
    get(call, HolderKind::Role, "RoleName").await
}

pub(super) async fn names_role(call: &Call<'_>) -> Result<Xml> {
    names(call, HolderKind::Role, Act::of("iam:ListRolePolicies")).await
}

pub(super) async fn delete_role(call: &Call<'_>) -> Result<Xml> {
    delete(call, HolderKind::Role).await
}

pub(super) async fn attach_role(call: &Call<'_>) -> Result<Xml> {
    attach(call, HolderKind::Role).await
}

pub(super) async fn detach_role(call: &Call<'_>) -> Result<Xml> {
    detach(call, HolderKind::Role).await
}

pub(super) async fn attached_role(call: &Call<'_>) -> Result<Xml> {
    attached(call, HolderKind::Role, Act::of("iam:ListAttachedRolePolicies")).await
}
