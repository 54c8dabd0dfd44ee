"""IAM with boto3 and the AWS command line: users, groups, roles, policies, keys, providers, and who may grant what."""

import json
import os
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import client
from server import REGION, Key, Server, unique


def service(server: Server, name: str, key: Key | None = None, token: str | None = None):
    """A boto3 client of IAM or STS."""
    key = key or server.root
    return boto3.client(
        name, endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=key.id,
        aws_secret_access_key=key.secret, aws_session_token=token,
        config=Config(retries={"max_attempts": 1, "mode": "standard"}),
    )


@pytest.fixture
def iam(server: Server):
    return service(server, "iam")


def document(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*") -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def trust(principal: dict, action="sts:AssumeRole", condition: dict | None = None) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return document(statement | ({"Condition": condition} if condition else {}))


def code(error) -> str:
    return error.value.response["Error"]["Code"]


def make_key(server: Server, iam, user: str) -> Key:
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return server.keep(Key(made["AccessKeyId"], made["SecretAccessKey"], user))


def test_a_user_s_life(iam):
    name = unique("user")
    made = iam.create_user(UserName=name, Path="/division/", Tags=[{"Key": "team", "Value": "red"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::000000000000:user/division/{name}" and made["UserId"].startswith("AIDA")
    with pytest.raises(ClientError) as error:
        iam.create_user(UserName=name.upper())
    assert code(error) == "EntityAlreadyExists"
    assert iam.get_user(UserName=name)["User"]["Tags"] == [{"Key": "team", "Value": "red"}]
    iam.tag_user(UserName=name, Tags=[{"Key": "Team", "Value": "blue"}])
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "Team", "Value": "blue"}]
    iam.untag_user(UserName=name, TagKeys=["team"])
    assert iam.list_user_tags(UserName=name)["Tags"] == []
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(allow("s3:GetObject")))
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["own"]
    assert iam.get_user_policy(UserName=name, PolicyName="own")["PolicyDocument"]["Statement"][0]["Action"] == "s3:GetObject"
    with pytest.raises(ClientError) as error:
        iam.delete_user(UserName=name)
    assert code(error) == "DeleteConflict"
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_user(UserName=name)
    with pytest.raises(ClientError) as error:
        iam.get_user(UserName=name)
    assert code(error) == "NoSuchEntity"


def test_lists_come_in_pages(iam):
    prefix = f"/{unique('path')}/"
    names = sorted(unique("page") for _ in range(5))
    for name in names:
        iam.create_user(UserName=name, Path=prefix)
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [len(p["Users"]) for p in pages] == [2, 2, 1]
    assert [u["UserName"] for p in pages for u in p["Users"]] == names


def test_access_keys_are_made_switched_and_deleted(server: Server, iam, bucket: str):
    name = unique("user")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(allow("s3:*")))
    key = make_key(server, iam, name)
    s3 = client(server, key)
    s3.list_objects_v2(Bucket=bucket)
    used = iam.get_access_key_last_used(AccessKeyId=key.id)
    assert used["UserName"] == name and used["AccessKeyLastUsed"]["ServiceName"] == "s3"
    wrong = service(server, "iam", Key(key.id, "wrong", name))
    service(server, "sts", key).get_caller_identity()
    with pytest.raises(ClientError):
        wrong.get_user()
    used = iam.get_access_key_last_used(AccessKeyId=key.id)
    assert used["AccessKeyLastUsed"]["ServiceName"] == "sts", "a signature that is not good is no use"
    iam.update_access_key(UserName=name, AccessKeyId=key.id, Status="Inactive")
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket=bucket)
    assert code(error) == "InvalidAccessKeyId"
    assert [k["Status"] for k in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]] == ["Inactive"]
    iam.update_access_key(UserName=name, AccessKeyId=key.id, Status="Active")
    s3.list_objects_v2(Bucket=bucket)
    iam.delete_access_key(UserName=name, AccessKeyId=key.id)
    with pytest.raises(ClientError):
        s3.list_objects_v2(Bucket=bucket)
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []


def test_managed_policies_and_groups(server: Server, iam, bucket: str):
    """As Terraform makes and removes them."""
    user, group, policy = unique("user"), unique("group"), unique("policy")
    iam.create_user(UserName=user)
    key = make_key(server, iam, user)
    s3 = client(server, key)
    arn = iam.create_policy(
        PolicyName=policy, Path="/made/", Description="reads", PolicyDocument=document(allow("s3:ListBucket"))
    )["Policy"]["Arn"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]
    assert [u["UserName"] for u in iam.get_group(GroupName=group)["Users"]] == [user]
    s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    version = iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=document(allow(["s3:ListBucket", "s3:PutObject"])), SetAsDefault=True
    )["PolicyVersion"]
    assert version["VersionId"] == "v2"
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]["Statement"]
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyGroups"][0]["GroupName"] == group
    assert iam.list_attached_group_policies(GroupName=group)["AttachedPolicies"] == [{"PolicyName": policy, "PolicyArn": arn}]
    with pytest.raises(ClientError) as error:
        iam.delete_policy(PolicyArn=arn)
    assert code(error) == "DeleteConflict"
    iam.remove_user_from_group(GroupName=group, UserName=user)
    iam.detach_group_policy(GroupName=group, PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    iam.delete_group(GroupName=group)
    assert any(p["PolicyName"] == "AmazonS3ReadOnlyAccess" for p in iam.list_policies(Scope="AWS")["Policies"])


def test_a_role_s_life(iam):
    name = unique("role")
    document_of = trust({"AWS": "000000000000"})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document_of, MaxSessionDuration=7200, Description="d")["Role"]
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust({"AWS": "*"}))
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("s3:PutObject")))
    role = iam.get_role(RoleName=name)["Role"]
    assert role["MaxSessionDuration"] == 3600
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    assert [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]] == ["AmazonS3ReadOnlyAccess"]
    details = iam.get_account_authorization_details(Filter=["Role"], MaxItems=1000)
    assert any(r["RoleName"] == name for r in details["RoleDetailList"])
    assert iam.get_account_summary()["SummaryMap"]["Roles"] >= 1
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    iam.delete_role(RoleName=name)
    for bad in (trust({"AWS": "nobody"}), document(allow("s3:GetObject")), "{"):
        with pytest.raises(ClientError) as error:
            iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=bad)
        assert code(error) == "MalformedPolicyDocument"


def test_a_boundary_limits(server: Server, iam, bucket: str):
    user = unique("user")
    iam.create_user(UserName=user, PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=document(allow("s3:*")))
    s3 = client(server, make_key(server, iam, user))
    s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    iam.delete_user_permissions_boundary(UserName=user)
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")


def test_cve_2021_43858_nobody_grants_what_they_lack(server: Server, iam):
    """Also CVE-2022-24842: neither to oneself, nor by a key of somebody who may more."""
    user, boss = unique("user"), unique("boss")
    for name in (user, boss):
        iam.create_user(UserName=name)
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=document(allow(["iam:*", "s3:GetObject"])))
    iam.put_user_policy(UserName=boss, PolicyName="own", PolicyDocument=document(allow("*")))
    mine = service(server, "iam", make_key(server, iam, user))
    mine.put_user_policy(UserName=user, PolicyName="same", PolicyDocument=document(allow("s3:GetObject")))
    refused = [
        lambda: mine.put_user_policy(UserName=user, PolicyName="more", PolicyDocument=document(allow("s3:*"))),
        lambda: mine.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
        lambda: mine.create_access_key(UserName=boss),
        lambda: mine.create_access_key(UserName="root"),
    ]
    for attempt in refused:
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "AccessDenied"


def test_cve_2023_27589_reserved_names_are_nobody_s(iam):
    for name in ("root", "Root", "anonymous", "system"):
        with pytest.raises(ClientError):
            iam.create_user(UserName=name)


def test_who_may_not_ask_is_refused_and_names_are_told_apart(server: Server, iam, make_user):
    user = make_user(allow("iam:GetUser", "arn:aws:iam::000000000000:user/other"))
    own = service(server, "iam", user)
    for attempt in (lambda: own.list_users(), lambda: own.get_user(UserName=user.user), lambda: own.create_user(UserName=unique("x"))):
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "AccessDenied"
    wrong = service(server, "iam", Key(server.root.id, "wrong"))
    with pytest.raises(ClientError) as error:
        wrong.list_users()
    assert code(error) == "SignatureDoesNotMatch"
    nobody = service(server, "iam", Key("AKIANOBODYNOBODYNOBO", "x"))
    with pytest.raises(ClientError) as error:
        nobody.list_users()
    assert code(error) == "InvalidClientTokenId"


def test_providers_are_registered(iam):
    url = f"https://id.example/{unique('issuer')}"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["app"], ThumbprintList=["a" * 40])["OpenIDConnectProviderArn"]
    assert arn == "arn:aws:iam::000000000000:oidc-provider/" + url.removeprefix("https://")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["app", "other"]
    assert arn in [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def aws(server: Server, *arguments: str) -> dict:
    """The AWS command line, as root."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "AWS_DEFAULT_REGION": REGION,
    }
    command = [sys.executable, "-m", "awscli", "--endpoint-url", server.endpoint, "--output", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "{}")


def test_the_aws_command_line(server: Server):
    pytest.importorskip("awscli")
    name = unique("cli")
    assert aws(server, "iam", "create-user", "--user-name", name)["User"]["UserName"] == name
    policy = document(allow("s3:ListAllMyBuckets"))
    aws(server, "iam", "put-user-policy", "--user-name", name, "--policy-name", "p", "--policy-document", policy)
    assert aws(server, "iam", "get-user-policy", "--user-name", name, "--policy-name", "p")["PolicyName"] == "p"
    assert aws(server, "sts", "get-caller-identity")["Account"] == "000000000000"
    aws(server, "iam", "delete-user-policy", "--user-name", name, "--policy-name", "p")
    aws(server, "iam", "delete-user", "--user-name", name)
