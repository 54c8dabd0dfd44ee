"""Versions, by boto3: what they are, how they are listed, read, deleted and brought back."""

import concurrent.futures
import os

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error
from server import unique

PART = 5 << 20


def versioning(s3, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture
def versioned(s3, bucket) -> str:
    versioning(s3, bucket, "Enabled")
    return bucket


def put(s3, bucket: str, key: str, body: bytes, **more: object) -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **more)["VersionId"]


def read(s3, bucket: str, key: str, version: str | None = None) -> bytes:
    more = {"VersionId": version} if version else {}
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def rows(page: dict) -> list[tuple]:
    """All versions and markers, as a listing has them: by key, the newest first."""
    found = [(v["Key"], v["VersionId"], v["IsLatest"], "version", v["LastModified"]) for v in page.get("Versions", [])]
    found += [(m["Key"], m["VersionId"], m["IsLatest"], "marker", m["LastModified"]) for m in page.get("DeleteMarkers", [])]
    return found


def kinds(s3, bucket: str, key: str) -> list[tuple[str, str, bool]]:
    page = s3.list_object_versions(Bucket=bucket, Prefix=key)
    found = [r for r in rows(page) if r[0] == key]
    return sorted((r[1], r[3], r[2]) for r in found)


def test_the_state_of_a_bucket(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended", "Enabled", "Enabled"):
        versioning(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize("body", [
    b"<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>",
    b"<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>",
    b"<VersioningConfiguration><Status></Status></VersioningConfiguration>",
    b"<Other><Status>Enabled</Status></Other>",
    b"no XML",
])
def test_states_that_are_none(server, s3, bucket, root, body):
    from sigv4 import send

    answer = send(server, root.request("PUT", f"/{bucket}", "versioning=", body=body))
    assert answer.status == 400, answer
    assert answer.code in ("MalformedXML", "IllegalVersioningConfigurationException"), answer
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_mfa_delete_is_not_pretended(s3, bucket):
    with pytest.raises(ClientError):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"}, MFA="serial 123456")
    assert "MFADelete" not in s3.get_bucket_versioning(Bucket=bucket)


def test_every_write_is_a_version(s3, versioned):
    ids = [put(s3, versioned, "k", b"%d" % n) for n in range(5)]
    assert len(set(ids)) == 5 and "null" not in ids
    assert read(s3, versioned, "k") == b"4"
    assert s3.head_object(Bucket=versioned, Key="k")["VersionId"] == ids[-1]
    for n, version in enumerate(ids):
        got = s3.get_object(Bucket=versioned, Key="k", VersionId=version)
        assert got["Body"].read() == b"%d" % n and got["VersionId"] == version
        head = s3.head_object(Bucket=versioned, Key="k", VersionId=version)
        assert (head["ETag"], head["ContentLength"], head["VersionId"]) == (got["ETag"], 1, version)
    found = [r for r in rows(s3.list_object_versions(Bucket=versioned))]
    assert [r[1] for r in found] == ids[::-1]
    assert [r[2] for r in found] == [True, False, False, False, False]
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 1


def test_no_version_is_told_where_there_are_none(s3, bucket):
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "VersionId" not in s3.get_object(Bucket=bucket, Key="k")
    assert read(s3, bucket, "k", "null") == b"x"
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(v["Key"], v["VersionId"], v["IsLatest"], v["Size"]) for v in listed] == [("k", "null", True, 1)]
    assert s3.delete_object(Bucket=bucket, Key="k").get("DeleteMarker") is None
    assert rows(s3.list_object_versions(Bucket=bucket)) == []


def test_what_was_there_before_is_the_null_version(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    versioning(s3, bucket, "Enabled")
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    newer = put(s3, bucket, "k", b"after")
    assert read(s3, bucket, "k", "null") == b"before" and read(s3, bucket, "k") == b"after"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=newer)
    assert read(s3, bucket, "k") == b"before"
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert rows(s3.list_object_versions(Bucket=bucket)) == []


def test_suspended_there_is_one_null_version(s3, versioned):
    first = put(s3, versioned, "k", b"kept")
    versioning(s3, versioned, "Suspended")
    for body in (b"null one", b"null two"):
        assert s3.put_object(Bucket=versioned, Key="k", Body=body).get("VersionId", "null") == "null"
        assert read(s3, versioned, "k") == body
        assert kinds(s3, versioned, "k") == sorted([(first, "version", False), ("null", "version", True)])
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert kinds(s3, versioned, "k") == sorted([(first, "version", False), ("null", "marker", True)])
    assert read(s3, versioned, "k", first) == b"kept"
    s3.put_object(Bucket=versioned, Key="k", Body=b"null three")
    assert kinds(s3, versioned, "k") == sorted([(first, "version", False), ("null", "version", True)])
    versioning(s3, versioned, "Enabled")
    last = put(s3, versioned, "k", b"newest")
    assert kinds(s3, versioned, "k") == sorted(
        [(first, "version", False), ("null", "version", False), (last, "version", True)])
    assert read(s3, versioned, "k", "null") == b"null three"
    s3.delete_object(Bucket=versioned, Key="k", VersionId="null")
    with error("NoSuchVersion", 404):
        read(s3, versioned, "k", "null")
    assert read(s3, versioned, "k") == b"newest"


def test_a_null_version_in_the_middle(s3, versioned):
    """Suspended once in between: the null version keeps its place, and is replaced wherever it is."""
    first = put(s3, versioned, "k", b"1")
    versioning(s3, versioned, "Suspended")
    s3.put_object(Bucket=versioned, Key="k", Body=b"null")
    versioning(s3, versioned, "Enabled")
    third = put(s3, versioned, "k", b"3")
    assert [r[1] for r in rows(s3.list_object_versions(Bucket=versioned))] == [third, "null", first]
    versioning(s3, versioned, "Suspended")
    s3.put_object(Bucket=versioned, Key="k", Body=b"null again")
    assert [r[1] for r in rows(s3.list_object_versions(Bucket=versioned))] == ["null", third, first]
    assert read(s3, versioned, "k", "null") == b"null again"
    s3.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert read(s3, versioned, "k") == b"3", "the newest that is left"
    with error("NoSuchVersion", 404):
        read(s3, versioned, "k", "null")


def test_delete_markers(s3, versioned):
    data = put(s3, versioned, "k", b"data")
    done = s3.delete_object(Bucket=versioned, Key="k")
    marker = done["VersionId"]
    assert done["DeleteMarker"] is True and marker != data
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    with error("NoSuchKey", 404) as caught:
        s3.get_object(Bucket=versioned, Key="k")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true" and headers["x-amz-version-id"] == marker
    with error("404", 404) as caught:
        s3.head_object(Bucket=versioned, Key="k")
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with error("MethodNotAllowed", 405) as caught:
        s3.get_object(Bucket=versioned, Key="k", VersionId=marker)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true" and "last-modified" in headers
    assert "DELETE" in headers["allow"]
    with error("405", 405):
        s3.head_object(Bucket=versioned, Key="k", VersionId=marker)
    assert read(s3, versioned, "k", data) == b"data"
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert kinds(s3, versioned, "k") == sorted([(data, "version", False), (marker, "marker", True)])
    owner = s3.list_object_versions(Bucket=versioned)["DeleteMarkers"][0]["Owner"]["ID"]
    assert owner == s3.list_object_versions(Bucket=versioned)["Versions"][0]["Owner"]["ID"]
    again = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert (again["DeleteMarker"], again["VersionId"]) == (True, marker)
    assert read(s3, versioned, "k") == b"data", "with the marker gone the object is back"


def test_a_marker_for_what_never_was(s3, versioned):
    done = s3.delete_object(Bucket=versioned, Key="never")
    assert done["DeleteMarker"] is True
    second = s3.delete_object(Bucket=versioned, Key="never")
    assert second["VersionId"] != done["VersionId"], "each delete leaves its marker"
    assert len(s3.list_object_versions(Bucket=versioned)["DeleteMarkers"]) == 2
    with error("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=versioned)


def test_a_version_is_deleted_for_good(s3, versioned):
    ids = [put(s3, versioned, "k", b"%d" % n) for n in range(3)]
    done = s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[1])
    assert done["VersionId"] == ids[1] and "DeleteMarker" not in done
    with error("NoSuchVersion", 404):
        read(s3, versioned, "k", ids[1])
    assert read(s3, versioned, "k") == b"2"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[2])
    assert read(s3, versioned, "k") == b"0" and s3.head_object(Bucket=versioned, Key="k")["VersionId"] == ids[0]
    again = s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[2])
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 204, "again is fine"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[0])
    with error("NoSuchKey", 404):
        read(s3, versioned, "k")
    s3.delete_bucket(Bucket=versioned)


@pytest.mark.parametrize("version", ["x", "../..", "0" * 32, "-1", "18446744073709551616", "é", "null ", "A" * 2000])
def test_versions_that_are_none(s3, versioned, version):
    keep = put(s3, versioned, "k", b"kept")
    for ask in (s3.get_object, s3.head_object, s3.delete_object, s3.get_object_tagging):
        try:
            ask(Bucket=versioned, Key="k", VersionId=version)
            assert ask == s3.delete_object, "only a delete of nothing is fine"
        except ClientError as e:
            assert e.response["Error"]["Code"] in ("InvalidArgument", "NoSuchVersion", "400", "404"), e.response
    assert kinds(s3, versioned, "k") == [(keep, "version", True)]


def test_a_version_belongs_to_its_key(s3, versioned):
    one = put(s3, versioned, "one", b"1")
    put(s3, versioned, "two", b"2")
    with pytest.raises(ClientError) as caught:
        read(s3, versioned, "two", one)
    assert caught.value.response["Error"]["Code"] in ("NoSuchVersion", "InvalidArgument")
    s3.delete_object(Bucket=versioned, Key="two", VersionId=one)
    assert read(s3, versioned, "one") == b"1" and read(s3, versioned, "two") == b"2"


def test_copies_of_versions(s3, versioned):
    old = put(s3, versioned, "k", b"old", Metadata={"n": "1"})
    put(s3, versioned, "k", b"new")
    source = {"Bucket": versioned, "Key": "k", "VersionId": old}
    done = s3.copy_object(Bucket=versioned, Key="copy", CopySource=source)
    assert done["CopySourceVersionId"] == old and done["VersionId"] not in (old, "null")
    assert read(s3, versioned, "copy") == b"old"
    back = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    got = s3.get_object(Bucket=versioned, Key="k")
    assert (got["Body"].read(), got["Metadata"], got["VersionId"]) == (b"old", {"n": "1"}, back["VersionId"])
    assert len(s3.list_object_versions(Bucket=versioned, Prefix="k")["Versions"]) == 3
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with error("NoSuchKey", 404):
        s3.copy_object(Bucket=versioned, Key="copy2", CopySource={"Bucket": versioned, "Key": "k"})
    with error("InvalidRequest", 400):
        s3.copy_object(Bucket=versioned, Key="copy2", CopySource={**source, "VersionId": marker})
    s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert read(s3, versioned, "k") == b"old"


def test_uploads_in_parts(s3, versioned):
    first = put(s3, versioned, "k", b"before")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    names = {"Bucket": versioned, "Key": "k", "UploadId": upload}
    body = os.urandom(PART)
    tags = [s3.upload_part(**names, PartNumber=1, Body=body)["ETag"]]
    tags.append(s3.upload_part_copy(**names, PartNumber=2, CopySource={"Bucket": versioned, "Key": "k", "VersionId": first})["CopyPartResult"]["ETag"])
    done = s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]})
    assert done["VersionId"] not in ("null", first)
    assert read(s3, versioned, "k") == body + b"before" and read(s3, versioned, "k", first) == b"before"
    part = s3.get_object(Bucket=versioned, Key="k", VersionId=done["VersionId"], PartNumber=2)
    assert part["Body"].read() == b"before" and part["PartsCount"] == 2


def test_many_deletes_at_once(s3, versioned):
    ids = {key: [put(s3, versioned, key, b"%d" % n) for n in range(2)] for key in ("a", "b", "c")}
    done = s3.delete_objects(Bucket=versioned, Delete={"Objects": [
        {"Key": "a"}, {"Key": "b", "VersionId": ids["b"][1]}, {"Key": "never"},
    ]})
    by_key = {d["Key"]: d for d in done["Deleted"]}
    assert "Errors" not in done and sorted(by_key) == ["a", "b", "never"]
    assert by_key["a"]["DeleteMarker"] is True and by_key["a"]["DeleteMarkerVersionId"]
    assert by_key["b"]["VersionId"] == ids["b"][1] and "DeleteMarker" not in by_key["b"]
    assert by_key["never"]["DeleteMarker"] is True
    assert read(s3, versioned, "b") == b"0"
    marker = by_key["a"]["DeleteMarkerVersionId"]
    done = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "a", "VersionId": marker}]})["Deleted"][0]
    assert (done["DeleteMarker"], done["DeleteMarkerVersionId"], done["VersionId"]) == (True, marker, marker)
    assert read(s3, versioned, "a") == b"1"
    everything = [{"Key": r[0], "VersionId": r[1]} for r in rows(s3.list_object_versions(Bucket=versioned))]
    assert "Errors" not in s3.delete_objects(Bucket=versioned, Delete={"Objects": everything})
    s3.delete_bucket(Bucket=versioned)


@pytest.fixture(scope="module")
def history(s3):
    """Keys with versions and markers, and what a listing of all of them is."""
    bucket = unique("history")
    s3.create_bucket(Bucket=bucket)
    versioning(s3, bucket, "Enabled")
    wanted = []
    for key, steps in (("a", "pp"), ("a/1", "p"), ("a/2", "pdp"), ("b//x", "d"), ("c d", "ppdd"), ("ü/é", "pd"), ("z", "p")):
        own = []
        for step in steps:
            done = s3.put_object(Bucket=bucket, Key=key, Body=step.encode()) if step == "p" else s3.delete_object(Bucket=bucket, Key=key)
            own.insert(0, [key, done["VersionId"], False, "version" if step == "p" else "marker"])
        own[0][2] = True
        wanted += [tuple(o) for o in own]
    return bucket, sorted(wanted, key=lambda w: w[0].encode())


def pages(s3, bucket: str, size: int, **more: object) -> tuple[list[tuple], list[str], int]:
    found, prefixes, count = [], [], 0
    markers: dict = {}
    for _ in range(100):
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=size, **more, **markers)
        count += 1
        found += [r[:4] for r in rows(page)]
        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        assert len(rows(page)) + len(page.get("CommonPrefixes", [])) <= size
        if not page["IsTruncated"]:
            assert "NextKeyMarker" not in page
            return found, prefixes, count
        markers = {"KeyMarker": page["NextKeyMarker"]}
        if page.get("NextVersionIdMarker"):
            markers["VersionIdMarker"] = page["NextVersionIdMarker"]
    raise AssertionError("the listing does not end")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_pages_of_versions(s3, history, size):
    bucket, wanted = history
    found, _, count = pages(s3, bucket, size)
    assert sorted(found) == sorted(wanted)
    assert count >= len(wanted) // size
    for kind in ("version", "marker"):
        assert [f for f in found if f[3] == kind] == [w for w in wanted if w[3] == kind], "in order"


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_versions_by_prefix_and_delimiter(s3, history, size):
    bucket, wanted = history
    found, prefixes, _ = pages(s3, bucket, size, Delimiter="/")
    assert prefixes == ["a/", "b/", "ü/"]
    assert sorted(found) == sorted(w for w in wanted if "/" not in w[0])
    found, prefixes, _ = pages(s3, bucket, size, Prefix="a/")
    assert (sorted(found), prefixes) == (sorted(w for w in wanted if w[0].startswith("a/")), [])
    found, prefixes, _ = pages(s3, bucket, size, Prefix="b/", Delimiter="/")
    assert (found, prefixes) == ([], ["b//"])


def test_versions_after_a_marker(s3, history):
    bucket, wanted = history
    keys = [w for w in wanted if w[0] > "a/2"]
    assert sorted(r[:4] for r in rows(s3.list_object_versions(Bucket=bucket, KeyMarker="a/2"))) == sorted(keys)
    of_key = [w for w in wanted if w[0] == "a/2"]
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="a/2", VersionIdMarker=of_key[0][1])
    assert sorted(r[:4] for r in rows(page)) == sorted(of_key[1:] + keys)
    assert (page["KeyMarker"], page["VersionIdMarker"]) == ("a/2", of_key[0][1])
    with error("InvalidArgument", 400):
        s3.list_object_versions(Bucket=bucket, VersionIdMarker=of_key[0][1])
    empty = s3.list_object_versions(Bucket=bucket, MaxKeys=0)
    assert rows(empty) == [] and empty["IsTruncated"] is False


def test_rights_to_versions_are_their_own(server, s3, versioned, make_user):
    """`s3:GetObject` does not read old versions, and `s3:DeleteObject` does not erase."""
    old = put(s3, versioned, "k", b"old")
    put(s3, versioned, "k", b"new")
    objects = f"arn:aws:s3:::{versioned}/*"
    plain = client(server, make_user(allow(["s3:GetObject", "s3:DeleteObject", "s3:PutObject"], objects)))
    assert plain.get_object(Bucket=versioned, Key="k")["Body"].read() == b"new"
    for ask in (plain.get_object, plain.delete_object):
        with error("AccessDenied", 403):
            ask(Bucket=versioned, Key="k", VersionId=old)
    with error("403", 403):
        plain.head_object(Bucket=versioned, Key="k", VersionId=old)
    with error("AccessDenied", 403):
        plain.copy_object(Bucket=versioned, Key="x", CopySource={"Bucket": versioned, "Key": "k", "VersionId": old})
    with error("AccessDenied", 403):
        plain.list_object_versions(Bucket=versioned)
    full = client(server, make_user(
        allow(["s3:GetObjectVersion", "s3:DeleteObjectVersion"], objects),
        allow("s3:ListBucketVersions", f"arn:aws:s3:::{versioned}"),
    ))
    assert full.get_object(Bucket=versioned, Key="k", VersionId=old)["Body"].read() == b"old"
    assert len(full.list_object_versions(Bucket=versioned)["Versions"]) == 2
    full.delete_object(Bucket=versioned, Key="k", VersionId=old)
    assert len(s3.list_object_versions(Bucket=versioned)["Versions"]) == 1
    plain.delete_object(Bucket=versioned, Key="k")
    assert [k for _, k, _ in kinds(s3, versioned, "k")].count("marker") == 1


def test_side_by_side_writers_lose_nothing(server, versioned):
    many = client(server)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda n: many.put_object(Bucket=versioned, Key="k", Body=b"%d" % n)["VersionId"], range(64)))
    assert len(set(ids)) == 64
    listed = [r for r in rows(many.list_object_versions(Bucket=versioned))]
    assert sorted(r[1] for r in listed) == sorted(ids)
    assert [r[2] for r in listed].count(True) == 1
    newest = many.head_object(Bucket=versioned, Key="k")["VersionId"]
    assert listed[0][1] == newest
    for n, version in enumerate(ids):
        assert read(many, versioned, "k", version) == b"%d" % n


def test_conditions_see_the_newest(s3, versioned):
    tag = s3.put_object(Bucket=versioned, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with error("PreconditionFailed", 412):
        s3.put_object(Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    s3.delete_object(Bucket=versioned, Key="k")
    with error("NoSuchKey", 404):
        s3.put_object(Bucket=versioned, Key="k", Body=b"2", IfMatch=tag)
    s3.put_object(Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    assert read(s3, versioned, "k") == b"2"
