//! Users, groups and roles.

use craton_base::Result;
use craton_gate::{Act, Entity, Holder, HolderKind, NewEntity, Update};

use super::{Call, Xml, entity, holder, next, tags, user_or_self};

const USER: HolderKind = HolderKind::User;
const GROUP: HolderKind = HolderKind::Group;
const ROLE: HolderKind = HolderKind::Role;

/// One user, group or role as an answer.
fn one(shown: &Entity) -> Xml {
    let name = match shown.kind {
        USER => "User",
        GROUP => "Group",
        ROLE => "Role",
    };
    let mut xml = Xml::new();
    xml.inside(name, |xml| entity(xml, shown));
    xml
}

async fn create(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let form = &call.form;
    let new = NewEntity {
        path: form.get("Path").unwrap_or_default().to_owned(),
        tags: form.tags(),
        boundary: form.get("PermissionsBoundary").map(str::to_owned),
        trust: match kind {
            ROLE => form.document("AssumeRolePolicyDocument")?,
            _ => bytes::Bytes::new(),
        },
        session_seconds_max: form.number("MaxSessionDuration")?,
        description: form.get("Description").unwrap_or_default().to_owned(),
    };
    let made = call
        .gate
        .create_entity(call.session, &holder(call, kind)?, new)
        .await?;
    Ok(one(&made))
}

pub(super) async fn create_user(call: &Call<'_>) -> Result<Xml> {
    create(call, USER).await
}

pub(super) async fn create_group(call: &Call<'_>) -> Result<Xml> {
    create(call, GROUP).await
}

pub(super) async fn create_role(call: &Call<'_>) -> Result<Xml> {
    create(call, ROLE).await
}

pub(super) async fn get_user(call: &Call<'_>) -> Result<Xml> {
    if call.form.get("UserName").is_none() && call.session.kind() == craton_gate::PrincipalKind::Root {
        return root(call).await;
    }
    let user = Holder::new(USER, &user_or_self(call)?);
    Ok(one(&call.gate.get_entity(call.session, &user).await?))
}

/// Root asks who it is.
async fn root(call: &Call<'_>) -> Result<Xml> {
    let who = call.gate.caller_identity(call.session).await?;
    let mut xml = Xml::new();
    xml.inside("User", |xml| {
        xml.text("UserId", &who.user_id);
        xml.text("Arn", &who.arn);
        xml.time("CreateDate", craton_base::Timestamp(0));
    });
    Ok(xml)
}

pub(super) async fn get_role(call: &Call<'_>) -> Result<Xml> {
    Ok(one(&call
        .gate
        .get_entity(call.session, &holder(call, ROLE)?)
        .await?))
}

pub(super) async fn get_group(call: &Call<'_>) -> Result<Xml> {
    let (after, most) = call.form.page()?;
    let name = call.form.need("GroupName")?;
    let (group, users, marker) = call.gate.group_members(call.session, name, after, most).await?;
    let mut xml = one(&group);
    xml.list("Users", &users, entity);
    next(&mut xml, marker.as_deref());
    Ok(xml)
}

async fn list(call: &Call<'_>, kind: HolderKind, name: &str) -> Result<Xml> {
    let (after, most) = call.form.page()?;
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    let listed = call.gate.list_entities(call.session, kind, prefix, after, most);
    let (all, marker) = listed.await?;
    let mut xml = Xml::new();
    xml.list(name, &all, entity);
    next(&mut xml, marker.as_deref());
    Ok(xml)
}

pub(super) async fn list_users(call: &Call<'_>) -> Result<Xml> {
    list(call, USER, "Users").await
}

pub(super) async fn list_groups(call: &Call<'_>) -> Result<Xml> {
    list(call, GROUP, "Groups").await
}

pub(super) async fn list_roles(call: &Call<'_>) -> Result<Xml> {
    list(call, ROLE, "Roles").await
}

pub(super) async fn groups_for_user(call: &Call<'_>) -> Result<Xml> {
    let user = holder(call, USER)?;
    let user = call
        .gate
        .entity_for(call.session, &user, Act::of("iam:ListGroupsForUser"))
        .await?;
    let mut groups = Vec::new();
    for name in &user.groups {
        let group = Holder::new(GROUP, name);
        groups.push(
            call.gate
                .entity_for(call.session, &group, Act::of("iam:ListGroupsForUser"))
                .await?,
        );
    }
    let mut xml = Xml::new();
    xml.list("Groups", &groups, entity);
    next(&mut xml, None);
    Ok(xml)
}

async fn update(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let form = &call.form;
    let text = |name: &str| form.get(name).map(str::to_owned);
    let update = Update {
        name: text(match kind {
            GROUP => "NewGroupName",
            _ => "NewUserName",
        }),
        path: text("NewPath"),
        session_seconds_max: form.number("MaxSessionDuration")?,
        description: text("Description"),
    };
    call.gate
        .update_entity(call.session, &holder(call, kind)?, update)
        .await?;
    Ok(Xml::new())
}

pub(super) async fn update_user(call: &Call<'_>) -> Result<Xml> {
    update(call, USER).await
}

pub(super) async fn update_group(call: &Call<'_>) -> Result<Xml> {
    update(call, GROUP).await
}

pub(super) async fn update_role(call: &Call<'_>) -> Result<Xml> {
    update(call, ROLE).await
}

pub(super) async fn update_role_description(call: &Call<'_>) -> Result<Xml> {
    update(call, ROLE).await?;
    get_role(call).await
}

pub(super) async fn update_trust(call: &Call<'_>) -> Result<Xml> {
    let document = call.form.document("PolicyDocument")?;
    call.gate
        .set_trust(call.session, call.form.need("RoleName")?, document)
        .await?;
    Ok(Xml::new())
}

async fn delete(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    call.gate
        .delete_entity(call.session, &holder(call, kind)?, false)
        .await?;
    Ok(Xml::new())
}

pub(super) async fn delete_user(call: &Call<'_>) -> Result<Xml> {
    delete(call, USER).await
}

pub(super) async fn delete_group(call: &Call<'_>) -> Result<Xml> {
    delete(call, GROUP).await
}

pub(super) async fn delete_role(call: &Call<'_>) -> Result<Xml> {
    delete(call, ROLE).await
}

async fn member(call: &Call<'_>, member: bool) -> Result<Xml> {
    let (group, user) = (call.form.need("GroupName")?, call.form.need("UserName")?);
    call.gate.set_member(call.session, group, user, member).await?;
    Ok(Xml::new())
}

pub(super) async fn add_member(call: &Call<'_>) -> Result<Xml> {
    member(call, true).await
}

pub(super) async fn remove_member(call: &Call<'_>) -> Result<Xml> {
    member(call, false).await
}

async fn tag(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    call.gate
        .tag_entity(call.session, &holder(call, kind)?, call.form.tags())
        .await?;
    Ok(Xml::new())
}

async fn untag(call: &Call<'_>, kind: HolderKind) -> Result<Xml> {
    let keys = call.form.list("TagKeys");
    call.gate
        .untag_entity(call.session, &holder(call, kind)?, &keys)
        .await?;
    Ok(Xml::new())
}

async fn list_tags(call: &Call<'_>, kind: HolderKind, act: Act) -> Result<Xml> {
    let shown = call
        .gate
        .entity_for(call.session, &holder(call, kind)?, act)
        .await?;
    let mut xml = Xml::new();
    tags(&mut xml, &shown.tags);
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn tag_user(call: &Call<'_>) -> Result<Xml> {
    tag(call, USER).await
}

pub(super) async fn tag_role(call: &Call<'_>) -> Result<Xml> {
    tag(call, ROLE).await
}

pub(super) async fn untag_user(call: &Call<'_>) -> Result<Xml> {
    untag(call, USER).await
}

pub(super) async fn untag_role(call: &Call<'_>) -> Result<Xml> {
    untag(call, ROLE).await
}

pub(super) async fn user_tags(call: &Call<'_>) -> Result<Xml> {
    list_tags(call, USER, Act::of("iam:ListUserTags")).await
}

pub(super) async fn role_tags(call: &Call<'_>) -> Result<Xml> {
    list_tags(call, ROLE, Act::of("iam:ListRoleTags")).await
}

async fn set_boundary(call: &Call<'_>, kind: HolderKind, set: bool) -> Result<Xml> {
    let arn = match set {
        true => Some(call.form.need("PermissionsBoundary")?),
        false => None,
    };
    call.gate
        .set_boundary(call.session, &holder(call, kind)?, arn)
        .await?;
    Ok(Xml::new())
}

pub(super) async fn put_user_boundary(call: &Call<'_>) -> Result<Xml> {
    set_boundary(call, USER, true).await
}

pub(super) async fn put_role_boundary(call: &Call<'_>) -> Result<Xml> {
    set_boundary(call, ROLE, true).await
}

pub(super) async fn delete_user_boundary(call: &Call<'_>) -> Result<Xml> {
    set_boundary(call, USER, false).await
}

pub(super) async fn delete_role_boundary(call: &Call<'_>) -> Result<Xml> {
    set_boundary(call, ROLE, false).await
}
