"""Listings, by boto3: both versions against a model of what S3 says."""

import concurrent.futures

import pytest

from expect import error
from server import unique

KEYS = sorted(
    [f"a/{i:03}" for i in range(25)]
    + [f"b/{i}/{j}" for i in range(3) for j in range(3)]
    + ["a", "a-", "b", "c//d", "c/", "e&<f>", "e f+g", "ü/ö", "z" * 1000, "日本", "x\ty"],
    key=str.encode,
)


@pytest.fixture(scope="module")
def listed(s3):
    bucket = unique("lists")
    s3.create_bucket(Bucket=bucket)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket=bucket, Key=k, Body=k.encode()), KEYS))
    return bucket


def model(prefix: str = "", delimiter: str = "", after: str = "") -> list[tuple[str, str]]:
    """What a listing holds in order: `("key", …)` and `("prefix", …)`."""
    out = []
    for key in KEYS:
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        rest = key[len(prefix):]
        if delimiter and delimiter in rest:
            item = ("prefix", prefix + rest.split(delimiter)[0] + delimiter)
            if item not in out and after != item[1]:
                out.append(item)
        else:
            out.append(("key", key))
    return out


def items(page: dict) -> list[tuple[str, str]]:
    keys = [("key", o["Key"]) for o in page.get("Contents", [])]
    prefixes = [("prefix", p["Prefix"]) for p in page.get("CommonPrefixes", [])]
    return sorted(keys + prefixes, key=lambda item: item[1].encode())


CASES = [("", ""), ("a", ""), ("a/", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("b/", "/"), ("b/1", "/"), ("c/", "/"), ("ü/", "/"),
         ("none", "/"), ("", "&"), ("e", " "), ("b/", "/1"), ("z", "zz")]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(("prefix", "delimiter"), CASES)
def test_every_page_of_every_listing(s3, listed, prefix, delimiter, size):
    wanted = sorted(model(prefix, delimiter), key=lambda item: item[1].encode())
    arguments = {"Bucket": listed, "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": size}
    for version, token, next_token in ((s3.list_objects_v2, "ContinuationToken", "NextContinuationToken"), (s3.list_objects, "Marker", "NextMarker")):
        found, more = [], {}
        for _ in range(len(KEYS) + 2):
            page = version(**arguments, **more)
            on_page = items(page)
            assert len(on_page) <= size
            found += on_page
            if version == s3.list_objects_v2:
                assert page["KeyCount"] == len(on_page)
            if not page["IsTruncated"]:
                assert next_token not in page
                break
            assert len(on_page) == size
            more = {token: page.get(next_token) or page["Contents"][-1]["Key"]}
        assert found == wanted, version.__name__


def test_entries(s3, listed):
    page = s3.list_objects_v2(Bucket=listed, Prefix="a/00", FetchOwner=True)
    assert [o["Size"] for o in page["Contents"]] == [5] * 10
    assert {o["StorageClass"] for o in page["Contents"]} == {"STANDARD"}
    assert page["Contents"][0]["ETag"] == s3.head_object(Bucket=listed, Key="a/000")["ETag"]
    assert page["Contents"][0]["Owner"]["ID"] == "root"
    modified = page["Contents"][0]["LastModified"].replace(microsecond=0)
    assert modified == s3.head_object(Bucket=listed, Key="a/000")["LastModified"]
    assert "Owner" not in s3.list_objects_v2(Bucket=listed, MaxKeys=1)["Contents"][0]
    assert "Owner" in s3.list_objects(Bucket=listed, MaxKeys=1)["Contents"][0]


@pytest.mark.parametrize("after", ["", "a", "a/", "a/010", "a/zzz", "b/1/1", "between", "日本", "日本語"])
def test_start_after(s3, listed, after):
    for delimiter in ("", "/"):
        page = s3.list_objects_v2(Bucket=listed, StartAfter=after, Delimiter=delimiter)
        wanted = sorted(model("", delimiter, after), key=lambda item: item[1].encode())
        assert items(page) == wanted, (after, delimiter)
        if after:
            assert page["StartAfter"] == after


def test_no_keys_asked_for(s3, listed):
    page = s3.list_objects_v2(Bucket=listed, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_encoded(server, listed):
    """boto3 asks for `encoding-type=url` and undoes it; this is what goes over the wire."""
    from sigv4 import Signer, send

    signer = Signer(server, server.root)
    page = send(server, signer.request("GET", f"/{listed}", "encoding-type=url&list-type=2&prefix=e"))
    assert b"<EncodingType>url</EncodingType>" in page.body
    assert b"<Key>e%26%3Cf%3E</Key>" in page.body and b"<Key>e%20f%2Bg</Key>" in page.body.replace(b"<Key>e+f", b"<Key>e%20f")
    plain = send(server, signer.request("GET", f"/{listed}", "list-type=2&prefix=e"))
    assert b"<Key>e&amp;&lt;f&gt;</Key>" in plain.body and b"<Key>e f+g</Key>" in plain.body


def test_wrong_arguments(s3, listed):
    with error("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=listed, ContinuationToken="not a token of ours")
    with error("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=listed, MaxKeys=-1)


def test_changes_while_listing(s3, bucket):
    """Keys that stay are listed once each, whatever comes and goes meanwhile."""
    stay = [f"k{i:03}" for i in range(0, 60, 2)]
    for key in stay:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    found, more = [], {}
    for n in range(100):
        page = s3.list_objects_v2(Bucket=bucket, MaxKeys=3, **more)
        found += [o["Key"] for o in page["Contents"]]
        s3.put_object(Bucket=bucket, Key=f"k{(n * 7) % 60 | 1:03}", Body=b"x")
        if not page["IsTruncated"]:
            break
        more = {"ContinuationToken": page["NextContinuationToken"]}
    assert [k for k in found if k in stay] == stay
    assert len(found) == len(set(found))
