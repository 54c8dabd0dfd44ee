//! The operations of IAM: which there are, and what their answers have in common.

use craton_base::Result;
use craton_gate::{Entity, Holder, HolderKind, ManagedPolicy};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Call, Xml, operations};

mod account;
mod entities;
mod held;
mod keys;
mod policies;
mod providers;

/// As RFC 3986 has it, which is how IAM shows documents.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

operations! { "iam";
    AddClientIDToOpenIDConnectProvider => "iam:AddClientIDToOpenIDConnectProvider", providers::add_client;
    AddUserToGroup => "iam:AddUserToGroup", entities::add_member;
    AttachGroupPolicy => "iam:AttachGroupPolicy", held::attach_group;
    AttachRolePolicy => "iam:AttachRolePolicy", held::attach_role;
    AttachUserPolicy => "iam:AttachUserPolicy", held::attach_user;
    CreateAccessKey => "iam:CreateAccessKey", keys::create;
    CreateGroup => "iam:CreateGroup", entities::create_group;
    CreateOpenIDConnectProvider => "iam:CreateOpenIDConnectProvider", providers::create;
    CreatePolicy => "iam:CreatePolicy", policies::create;
    CreatePolicyVersion => "iam:CreatePolicyVersion", policies::create_version;
    CreateRole => "iam:CreateRole", entities::create_role;
    CreateUser => "iam:CreateUser", entities::create_user;
    DeleteAccessKey => "iam:DeleteAccessKey", keys::delete;
    DeleteGroup => "iam:DeleteGroup", entities::delete_group;
    DeleteGroupPolicy => "iam:DeleteGroupPolicy", held::delete_group;
    DeleteOpenIDConnectProvider => "iam:DeleteOpenIDConnectProvider", providers::delete;
    DeletePolicy => "iam:DeletePolicy", policies::delete;
    DeletePolicyVersion => "iam:DeletePolicyVersion", policies::delete_version;
    DeleteRole => "iam:DeleteRole", entities::delete_role;
    DeleteRolePermissionsBoundary => "iam:DeleteRolePermissionsBoundary", entities::delete_role_boundary;
    DeleteRolePolicy => "iam:DeleteRolePolicy", held::delete_role;
    DeleteUser => "iam:DeleteUser", entities::delete_user;
    DeleteUserPermissionsBoundary => "iam:DeleteUserPermissionsBoundary", entities::delete_user_boundary;
    DeleteUserPolicy => "iam:DeleteUserPolicy", held::delete_user;
    DetachGroupPolicy => "iam:DetachGroupPolicy", held::detach_group;
    DetachRolePolicy => "iam:DetachRolePolicy", held::detach_role;
    DetachUserPolicy => "iam:DetachUserPolicy", held::detach_user;
    GetAccessKeyLastUsed => "iam:GetAccessKeyLastUsed", keys::last_used;
    GetAccountAuthorizationDetails => "iam:GetAccountAuthorizationDetails", account::details;
    GetAccountSummary => "iam:GetAccountSummary", account::summary;
    GetGroup => "iam:GetGroup", entities::get_group;
    GetGroupPolicy => "iam:GetGroupPolicy", held::get_group;
    GetLoginProfile => "iam:GetUser", account::no_login_profile;
    GetOpenIDConnectProvider => "iam:GetOpenIDConnectProvider", providers::get;
    GetPolicy => "iam:GetPolicy", policies::get;
    GetPolicyVersion => "iam:GetPolicyVersion", policies::get_version;
    GetRole => "iam:GetRole", entities::get_role;
    GetRolePolicy => "iam:GetRolePolicy", held::get_role;
    GetUser => "iam:GetUser", entities::get_user;
    GetUserPolicy => "iam:GetUserPolicy", held::get_user;
    DeleteLoginProfile => "iam:GetUser", account::no_login_profile;
    ListAccessKeys => "iam:ListAccessKeys", keys::list;
    ListAttachedGroupPolicies => "iam:ListAttachedGroupPolicies", held::attached_group;
    ListAttachedRolePolicies => "iam:ListAttachedRolePolicies", held::attached_role;
    ListAttachedUserPolicies => "iam:ListAttachedUserPolicies", held::attached_user;
    ListEntitiesForPolicy => "iam:ListEntitiesForPolicy", policies::entities;
    ListGroupPolicies => "iam:ListGroupPolicies", held::names_group;
    ListGroups => "iam:ListGroups", entities::list_groups;
    ListGroupsForUser => "iam:ListGroupsForUser", entities::groups_for_user;
    ListInstanceProfilesForRole => "iam:GetRole", account::no_instance_profiles;
    ListMFADevices => "iam:GetUser", account::no_mfa_devices;
    ListOpenIDConnectProviderTags => "iam:ListOpenIDConnectProviderTags", providers::list_tags;
    ListOpenIDConnectProviders => "iam:ListOpenIDConnectProviders", providers::list;
    ListPolicies => "iam:ListPolicies", policies::list;
    ListPolicyTags => "iam:ListPolicyTags", policies::list_tags;
    ListPolicyVersions => "iam:ListPolicyVersions", policies::list_versions;
    ListRolePolicies => "iam:ListRolePolicies", held::names_role;
    ListRoleTags => "iam:ListRoleTags", entities::role_tags;
    ListRoles => "iam:ListRoles", entities::list_roles;
    ListSSHPublicKeys => "iam:GetUser", account::no_ssh_keys;
    ListServiceSpecificCredentials => "iam:GetUser", account::no_service_credentials;
    ListSigningCertificates => "iam:GetUser", account::no_certificates;
    ListUserPolicies => "iam:ListUserPolicies", held::names_user;
    ListUserTags => "iam:ListUserTags", entities::user_tags;
    ListUsers => "iam:ListUsers", entities::list_users;
    ListVirtualMFADevices => "iam:GetAccountSummary", account::no_virtual_devices;
    PutGroupPolicy => "iam:PutGroupPolicy", held::put_group;
    PutRolePermissionsBoundary => "iam:PutRolePermissionsBoundary", entities::put_role_boundary;
    PutRolePolicy => "iam:PutRolePolicy", held::put_role;
    PutUserPermissionsBoundary => "iam:PutUserPermissionsBoundary", entities::put_user_boundary;
    PutUserPolicy => "iam:PutUserPolicy", held::put_user;
    RemoveClientIDFromOpenIDConnectProvider => "iam:RemoveClientIDFromOpenIDConnectProvider", providers::remove_client;
    RemoveUserFromGroup => "iam:RemoveUserFromGroup", entities::remove_member;
    SetDefaultPolicyVersion => "iam:SetDefaultPolicyVersion", policies::set_default;
    TagOpenIDConnectProvider => "iam:TagOpenIDConnectProvider", providers::tag;
    TagPolicy => "iam:TagPolicy", policies::tag;
    TagRole => "iam:TagRole", entities::tag_role;
    TagUser => "iam:TagUser", entities::tag_user;
    UntagOpenIDConnectProvider => "iam:UntagOpenIDConnectProvider", providers::untag;
    UntagPolicy => "iam:UntagPolicy", policies::untag;
    UntagRole => "iam:UntagRole", entities::untag_role;
    UntagUser => "iam:UntagUser", entities::untag_user;
    UpdateAccessKey => "iam:UpdateAccessKey", keys::update;
    UpdateAssumeRolePolicy => "iam:UpdateAssumeRolePolicy", entities::update_trust;
    UpdateGroup => "iam:UpdateGroup", entities::update_group;
    UpdateOpenIDConnectProviderThumbprint => "iam:UpdateOpenIDConnectProviderThumbprint", providers::thumbprints;
    UpdateRole => "iam:UpdateRole", entities::update_role;
    UpdateRoleDescription => "iam:UpdateRole", entities::update_role_description;
    UpdateUser => "iam:UpdateUser", entities::update_user;
}

/// Whom a form names: its `UserName`, `GroupName` or `RoleName`.
fn holder(call: &Call<'_>, kind: HolderKind) -> Result<Holder> {
    let name = match kind {
        HolderKind::User => "UserName",
        HolderKind::Group => "GroupName",
        HolderKind::Role => "RoleName",
    };
    Ok(Holder::new(kind, call.form.need(name)?))
}

/// The user whom a form names, or who asks.
fn user_or_self(call: &Call<'_>) -> Result<String> {
    match call.form.get("UserName").filter(|n| !n.is_empty()) {
        Some(name) => Ok(name.to_owned()),
        None => match call.session.user_name() {
            Some(own) => Ok(own.to_string()),
            None => call.form.need("UserName").map(str::to_owned),
        },
    }
}

/// A document as IAM shows it.
fn encoded(document: &[u8]) -> String {
    utf8_percent_encode(&String::from_utf8_lossy(document), ENCODED).to_string()
}

fn tags(xml: &mut Xml, tags: &[(String, String)]) {
    xml.list("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn boundary(xml: &mut Xml, arn: Option<&str>) {
    if let Some(arn) = arn {
        xml.inside("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy");
            xml.text("PermissionsBoundaryArn", arn);
        });
    }
}

/// What is shown of a user, group or role wherever it is shown.
fn entity(xml: &mut Xml, entity: &Entity) {
    let prefix = match entity.kind {
        HolderKind::User => "User",
        HolderKind::Group => "Group",
        HolderKind::Role => "Role",
    };
    xml.text("Path", &entity.path);
    xml.text(&format!("{prefix}Name"), &entity.name);
    xml.text(&format!("{prefix}Id"), &entity.id);
    xml.text("Arn", &entity.arn);
    xml.time("CreateDate", entity.created);
    if entity.kind == HolderKind::Role {
        xml.text("AssumeRolePolicyDocument", encoded(&entity.trust));
        xml.some("Description", &entity.description);
        xml.text("MaxSessionDuration", entity.session_seconds_max.to_string());
    }
    boundary(xml, entity.boundary.as_deref());
    if entity.kind != HolderKind::Group && !entity.tags.is_empty() {
        tags(xml, &entity.tags);
    }
}

fn policy(xml: &mut Xml, policy: &ManagedPolicy) {
    xml.text("PolicyName", &policy.name);
    xml.text("PolicyId", &policy.id);
    xml.text("Arn", &policy.arn);
    xml.text("Path", &policy.path);
    xml.text("DefaultVersionId", &policy.default_version);
    xml.text("AttachmentCount", policy.attachments.to_string());
    xml.text("PermissionsBoundaryUsageCount", policy.boundaries.to_string());
    xml.text("IsAttachable", "true");
    xml.some("Description", &policy.description);
    xml.time("CreateDate", policy.created);
    xml.time("UpdateDate", policy.updated);
    if !policy.tags.is_empty() {
        tags(xml, &policy.tags);
    }
}

/// Where the next page begins.
fn next(xml: &mut Xml, marker: Option<&str>) {
    xml.text("IsTruncated", if marker.is_some() { "true" } else { "false" });
    if let Some(marker) = marker {
        xml.text("Marker", marker);
    }
}
