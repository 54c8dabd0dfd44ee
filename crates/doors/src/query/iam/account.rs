//! The account as a whole, and what clients ask for that there is none of here.

use craton_base::{Error, Kind, Result};
use craton_gate::{Act, Entity, HolderKind, ROOT};

use super::{Call, Xml, boundary, encoded, holder, next, policy, tags};

pub(super) async fn summary(call: &Call<'_>) -> Result<Xml> {
    let numbers = call.gate.account_summary(call.session).await?;
    let rows = [
        ("Users", numbers.users),
        ("Groups", numbers.groups),
        ("Roles", numbers.roles),
        ("Policies", numbers.policies),
        ("Providers", numbers.providers),
        ("MFADevices", 0),
        ("AccountMFAEnabled", 0),
        ("AccessKeysPerUserQuota", craton_gate::ACCESS_KEYS_MAX),
        ("VersionsPerPolicyQuota", craton_gate::VERSIONS_MAX),
        ("AttachedPoliciesPerUserQuota", craton_gate::POLICIES_MAX),
        ("AttachedPoliciesPerGroupQuota", craton_gate::POLICIES_MAX),
        ("AttachedPoliciesPerRoleQuota", craton_gate::POLICIES_MAX),
    ];
    let mut xml = Xml::new();
    xml.inside("SummaryMap", |xml| {
        for (name, number) in rows {
            xml.inside("entry", |xml| {
                xml.text("key", name);
                xml.text("value", number.to_string());
            });
        }
    });
    Ok(xml)
}

/// A page holds one kind: its marker says which, and after whom it goes on.
pub(super) async fn details(call: &Call<'_>) -> Result<Xml> {
    let (marker, most) = call.form.page()?;
    let filter = call.form.list("Filter");
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|f| f == name);
    let kinds = [
        (HolderKind::User, "User", "UserDetailList"),
        (HolderKind::Group, "Group", "GroupDetailList"),
        (HolderKind::Role, "Role", "RoleDetailList"),
    ];
    let (from, after) = marker.map_or(("User", None), |m| {
        let (kind, name) = m.split_once('/').unwrap_or((m, ""));
        (kind, Some(name).filter(|n| !n.is_empty()))
    });
    let mut xml = Xml::new();
    let mut left = most;
    let mut more: Option<String> = None;
    let mut begun = false;
    for (kind, name, list) in kinds {
        begun = begun || name == from;
        if !begun || !wanted(name) || more.is_some() {
            continue;
        }
        if left == 0 {
            more = Some(format!("{name}/"));
            continue;
        }
        let after = after.filter(|_| name == from);
        let (all, rest) = call.gate.account_details(call.session, kind, after, left).await?;
        left = left.saturating_sub(all.len());
        xml.list(list, &all, detail);
        more = rest.map(|last| format!("{name}/{last}"));
    }
    if wanted("LocalManagedPolicy") && marker.is_none() {
        let (own, _) = call
            .gate
            .list_policies(call.session, None, 1000, (true, false))
            .await?;
        xml.list("Policies", &own, |xml, one| {
            policy(xml, one);
            xml.list("PolicyVersionList", &one.versions, |xml, version| {
                xml.text("Document", encoded(&version.document));
                xml.text("VersionId", &version.id);
                xml.text(
                    "IsDefaultVersion",
                    if version.is_default { "true" } else { "false" },
                );
                xml.time("CreateDate", version.created);
            });
        });
    }
    next(&mut xml, more.as_deref());
    Ok(xml)
}

fn detail(xml: &mut Xml, one: &Entity) {
    let name = match one.kind {
        HolderKind::User => "User",
        HolderKind::Group => "Group",
        HolderKind::Role => "Role",
    };
    xml.text("Path", &one.path);
    xml.text(&format!("{name}Name"), &one.name);
    xml.text(&format!("{name}Id"), &one.id);
    xml.text("Arn", &one.arn);
    xml.time("CreateDate", one.created);
    xml.list(
        &format!("{name}PolicyList"),
        &one.policies,
        |xml, (policy, document)| {
            xml.text("PolicyName", policy);
            xml.text("PolicyDocument", encoded(document));
        },
    );
    xml.list("AttachedManagedPolicies", &one.attached, |xml, arn| {
        xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
        xml.text("PolicyArn", arn);
    });
    match one.kind {
        HolderKind::User => xml.texts("GroupList", &one.groups),
        HolderKind::Role => {
            xml.text("AssumeRolePolicyDocument", encoded(&one.trust));
            xml.list("InstanceProfileList", [(); 0], |_, ()| {});
        }
        HolderKind::Group => {}
    }
    boundary(xml, one.boundary.as_deref());
    if one.kind != HolderKind::Group {
        tags(xml, &one.tags);
    }
}

/// A list that is always empty, for somebody who may see the user.
async fn none_of_user(call: &Call<'_>, list: &str) -> Result<Xml> {
    if let Some(name) = call.form.get("UserName").filter(|name| *name != ROOT) {
        let user = craton_gate::Holder::new(HolderKind::User, name);
        call.gate
            .entity_for(call.session, &user, Act::of("iam:GetUser"))
            .await?;
    } else {
        call.gate.caller_identity(call.session).await?;
    }
    let mut xml = Xml::new();
    xml.inside(list, |_| {});
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn no_mfa_devices(call: &Call<'_>) -> Result<Xml> {
    none_of_user(call, "MFADevices").await
}

pub(super) async fn no_ssh_keys(call: &Call<'_>) -> Result<Xml> {
    none_of_user(call, "SSHPublicKeys").await
}

pub(super) async fn no_certificates(call: &Call<'_>) -> Result<Xml> {
    none_of_user(call, "Certificates").await
}

pub(super) async fn no_service_credentials(call: &Call<'_>) -> Result<Xml> {
    none_of_user(call, "ServiceSpecificCredentials").await
}

pub(super) async fn no_virtual_devices(call: &Call<'_>) -> Result<Xml> {
    none_of_user(call, "VirtualMFADevices").await
}

pub(super) async fn no_instance_profiles(call: &Call<'_>) -> Result<Xml> {
    let role = holder(call, HolderKind::Role)?;
    call.gate
        .entity_for(call.session, &role, Act::of("iam:GetRole"))
        .await?;
    let mut xml = Xml::new();
    xml.inside("InstanceProfiles", |_| {});
    next(&mut xml, None);
    Ok(xml)
}

/// Nobody signs in with a password here.
pub(super) async fn no_login_profile(call: &Call<'_>) -> Result<Xml> {
    let user = holder(call, HolderKind::User)?;
    call.gate
        .entity_for(call.session, &user, Act::of("iam:GetUser"))
        .await?;
    let text = format!("Login Profile for User {} cannot be found.", user.name);
    Err(Error::new(Kind::NotFound, "NoSuchEntity", text))
}
