"""Lists of access (ACLs): off by default, and what they do where a bucket lets them count."""

import pytest
from botocore.exceptions import ClientError

from conftest import client
from expect import error
from server import unique

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture
def open_bucket(s3, bucket) -> str:
    """A bucket where policies may make things public."""
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    return bucket


@pytest.fixture
def listed(s3) -> str:
    """A bucket where lists of access count."""
    name = unique("acl")
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    return name


def test_lists_are_off_by_default(s3, open_bucket, anyone):
    owner = s3.get_bucket_acl(Bucket=open_bucket)["Owner"]
    full = {"Owner": owner, "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"}]}
    for ask in (
        lambda: s3.put_bucket_acl(Bucket=open_bucket, ACL="public-read"),
        lambda: s3.put_object_acl(Bucket=open_bucket, Key="k", ACL="public-read"),
        lambda: s3.put_object(Bucket=open_bucket, Key="k2", Body=b"x", ACL="public-read"),
        lambda: s3.put_object(Bucket=open_bucket, Key="k2", Body=b"x", GrantRead=f"uri={ALL_USERS}"),
        lambda: s3.copy_object(Bucket=open_bucket, Key="k2", CopySource=f"{open_bucket}/k", ACL="public-read"),
        lambda: s3.create_multipart_upload(Bucket=open_bucket, Key="k2", ACL="public-read"),
    ):
        with error("AccessControlListNotSupported", 400):
            ask()
    s3.put_object(Bucket=open_bucket, Key="k2", Body=b"x", ACL="bucket-owner-full-control")
    s3.put_bucket_acl(Bucket=open_bucket, AccessControlPolicy=full)
    s3.put_object_acl(Bucket=open_bucket, Key="k", AccessControlPolicy=full)
    assert [g["Permission"] for g in s3.get_object_acl(Bucket=open_bucket, Key="k")["Grants"]] == ["FULL_CONTROL"]
    with pytest.raises(ClientError):
        anyone.get_object(Bucket=open_bucket, Key="k")


def test_a_bucket_made_with_a_list(s3, anyone):
    """Only where the request also says that lists count; what is public is blocked at first all the same."""
    for more in ({"ACL": "public-read"}, {"GrantRead": f"uri={ALL_USERS}"}, {"ACL": "public-read", "ObjectOwnership": "BucketOwnerEnforced"}):
        with error("InvalidBucketAclWithObjectOwnership", 400):
            s3.create_bucket(Bucket=unique("acl"), **more)
    with error("InvalidBucketAclWithBlockPublicAccessError", 400):
        s3.create_bucket(Bucket=unique("acl"), ACL="public-read", ObjectOwnership="ObjectWriter")
    name = unique("acl")
    s3.create_bucket(Bucket=name, ACL="private", ObjectOwnership="ObjectWriter")
    with error("AccessDenied", 403):
        anyone.list_objects_v2(Bucket=name)


def test_canned_lists(s3, listed, anyone):
    for name, reads, writes in (("private", False, False), ("public-read", True, False), ("public-read-write", True, True), ("private", False, False)):
        s3.put_bucket_acl(Bucket=listed, ACL=name)
        grants = s3.get_bucket_acl(Bucket=listed)["Grants"]
        public = {g["Permission"] for g in grants if g["Grantee"].get("URI") == ALL_USERS}
        assert public == {p for p, on in (("READ", reads), ("WRITE", writes)) if on}, name
        if reads:
            anyone.list_objects_v2(Bucket=listed)
        else:
            with error("AccessDenied", 403):
                anyone.list_objects_v2(Bucket=listed)
        if writes:
            anyone.put_object(Bucket=listed, Key="by-anyone", Body=b"x")
        else:
            with error("AccessDenied", 403):
                anyone.put_object(Bucket=listed, Key="by-anyone", Body=b"x")


def test_canned_lists_of_objects(server, s3, listed, anyone, make_user):
    user = client(server, make_user())
    for name, public, users in (("private", False, False), ("public-read", True, True), ("authenticated-read", False, True)):
        s3.put_object(Bucket=listed, Key=name, Body=b"x", ACL=name)
        for who, may in ((anyone, public), (user, users)):
            if may:
                assert who.get_object(Bucket=listed, Key=name)["Body"].read() == b"x"
            else:
                with error("AccessDenied", 403):
                    who.get_object(Bucket=listed, Key=name)
    s3.put_object_acl(Bucket=listed, Key="private", ACL="public-read")
    assert anyone.get_object(Bucket=listed, Key="private")["Body"].read() == b"x"
    s3.put_object(Bucket=listed, Key="private", Body=b"new")
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=listed, Key="private")
    with pytest.raises(ClientError) as caught:
        s3.put_object_acl(Bucket=listed, Key="private", ACL="for-my-friends")
    assert caught.value.response["Error"]["Code"] in ("InvalidArgument", "InvalidRequest")


def test_lists_as_documents_and_headers(s3, listed):
    owner = s3.get_bucket_acl(Bucket=listed)["Owner"]
    mine = {"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"}
    everyone = {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ"}
    s3.put_object(Bucket=listed, Key="k", Body=b"x")

    def permissions(acl: dict) -> list:
        return sorted((g["Permission"], g["Grantee"].get("URI") or g["Grantee"]["ID"]) for g in acl["Grants"])

    wanted = sorted([("FULL_CONTROL", owner["ID"]), ("READ", ALL_USERS)])
    s3.put_object_acl(Bucket=listed, Key="k", AccessControlPolicy={"Owner": owner, "Grants": [mine, everyone]})
    assert permissions(s3.get_object_acl(Bucket=listed, Key="k")) == wanted
    s3.put_bucket_acl(Bucket=listed, AccessControlPolicy={"Owner": owner, "Grants": [mine, everyone]})
    assert permissions(s3.get_bucket_acl(Bucket=listed)) == wanted
    s3.put_object(Bucket=listed, Key="h", Body=b"x", GrantFullControl=f'id="{owner["ID"]}"', GrantRead=f'uri="{ALL_USERS}"')
    assert permissions(s3.get_object_acl(Bucket=listed, Key="h")) == wanted
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=listed, Key="h2", Body=b"x", ACL="private", GrantRead=f'uri="{ALL_USERS}"')
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"
    for grantee in ({"Type": "CanonicalUser", "ID": "nobody-of-that-name"}, {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/none"}):
        with pytest.raises(ClientError) as caught:
            s3.put_object_acl(Bucket=listed, Key="k", AccessControlPolicy={"Owner": owner, "Grants": [{"Grantee": grantee, "Permission": "READ"}]})
        assert caught.value.response["Error"]["Code"] == "InvalidArgument"
    for document in ({"Grants": [mine]}, {"Owner": {"ID": "another"}, "Grants": [mine]}):
        with pytest.raises(ClientError) as caught:
            s3.put_object_acl(Bucket=listed, Key="k", AccessControlPolicy=document)
        assert caught.value.response["Error"]["Code"] in ("MalformedACLError", "AccessDenied", "InvalidArgument")
    assert permissions(s3.get_object_acl(Bucket=listed, Key="k")) == wanted


def test_the_block_of_lists(s3, listed, anyone):
    s3.put_object(Bucket=listed, Key="k", Body=b"x", ACL="public-read")
    s3.put_public_access_block(Bucket=listed, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert anyone.get_object(Bucket=listed, Key="k")["Body"].read() == b"x", "what was public stays so"
    for ask in (
        lambda: s3.put_bucket_acl(Bucket=listed, ACL="public-read"),
        lambda: s3.put_object_acl(Bucket=listed, Key="k", ACL="public-read"),
        lambda: s3.put_object(Bucket=listed, Key="k2", Body=b"x", ACL="public-read"),
    ):
        with error("AccessDenied", 403):
            ask()
    s3.put_public_access_block(Bucket=listed, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=listed, Key="k")
    s3.put_object(Bucket=listed, Key="k3", Body=b"x", ACL="public-read")
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=listed, Key="k3")


def test_to_enforce_ownership_lists_must_be_plain_first(s3, listed, anyone):
    s3.put_bucket_acl(Bucket=listed, ACL="public-read")
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    with error("InvalidBucketAclWithObjectOwnership", 400):
        s3.put_bucket_ownership_controls(Bucket=listed, OwnershipControls=enforced)
    s3.put_bucket_acl(Bucket=listed, ACL="private")
    s3.put_object(Bucket=listed, Key="k", Body=b"x", ACL="public-read")
    s3.put_bucket_ownership_controls(Bucket=listed, OwnershipControls=enforced)
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=listed, Key="k")


def test_what_is_not_there(s3, open_bucket, anyone):
    """A name that no bucket has is no secret; what a bucket has is one."""
    with error("NoSuchBucket", 404):
        anyone.get_object(Bucket=f"{open_bucket}-not", Key="k")
    with error("NoSuchBucket", 404):
        anyone.list_objects_v2(Bucket=f"{open_bucket}-not")
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=open_bucket, Key="absent")
