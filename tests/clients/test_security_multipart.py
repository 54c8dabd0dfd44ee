"""Uploads in parts, misused; XML that is too much."""

import concurrent.futures
import os

import pytest

import ledger
from server import Key
from sigv4 import digest, send

PART = b"x" * (5 << 20)


def completion(parts) -> bytes:
    listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def complete(root, vault, body: bytes):
    return root.request("POST", f"/{vault.bucket}/upload", f"uploadId={vault.upload}", body=body)


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", "", "1.5", "99999999999999999999", "1%00"])
def test_part_numbers(vault, root, number):
    request = root.request("PUT", f"/{vault.bucket}/upload", f"partNumber={number}&uploadId={vault.upload}", body=b"x")
    vault.refuses(request, 400, "InvalidArgument", "InvalidRequest", "InvalidPartNumber")


def test_completions_that_are_wrong(vault, root):
    tag = vault.part_etag
    for body, code in (
        (completion([(n, tag) for n in range(1, 10_002)]), None), (completion([(0, tag)]), None), (completion([(10_001, tag)]), None),
        (completion([(2, tag), (1, tag)]), "InvalidPartOrder"), (completion([(1, tag), (1, tag)]), "InvalidPartOrder"),
        (completion([(1, '"0123"')]), "InvalidPart"), (completion([(2, tag)]), "InvalidPart"), (completion([]), "MalformedXML"),
        (b"", None), (b"<a/>", "MalformedXML"), (b"nonsense", "MalformedXML"), (completion([("x", tag)]), "MalformedXML"),
        (completion([(1, tag)])[:-10], "MalformedXML"),
    ):
        vault.refuses(complete(root, vault, body), 400, *([code] if code else []))


def test_complete_twice_at_once(server, s3, vault, root):
    """Of many at once each says the same object, and there is one. A race: hence many uploads."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for n in range(16):
            key, content = f"race{n}", os.urandom(9)
            upload = s3.create_multipart_upload(Bucket=vault.bucket, Key=key)["UploadId"]
            part = s3.upload_part(Bucket=vault.bucket, Key=key, UploadId=upload, PartNumber=1, Body=content)
            body = completion([(1, part["ETag"])])
            answers = list(pool.map(lambda _: send(server, root.request("POST", f"/{vault.bucket}/{key}", f"uploadId={upload}", body=body)), range(8)))
            assert {a.status for a in answers} <= {200, 404, 409} and 200 in {a.status for a in answers}, answers
            assert s3.get_object(Bucket=vault.bucket, Key=key)["Body"].read() == content
    uploads = s3.list_multipart_uploads(Bucket=vault.bucket).get("Uploads", [])
    assert [u["UploadId"] for u in uploads] == [vault.upload]


def test_a_part_that_comes_after_the_end(vault, root, s3):
    """An upload that is over takes no more parts, and keeps none."""
    s3.abort_multipart_upload(Bucket=vault.bucket, Key="upload", UploadId=vault.upload)
    request = root.request("PUT", f"/{vault.bucket}/upload", f"partNumber=2&uploadId={vault.upload}", body=os.urandom(100_000))
    vault.refuses(request, 404, "NoSuchUpload")


def test_an_upload_of_another_key(vault, root):
    for target in ("other", "upload2", "uploa"):
        request = root.request("PUT", f"/{vault.bucket}/{target}", f"partNumber=2&uploadId={vault.upload}", body=b"x")
        vault.refuses(request, 404, "NoSuchUpload")


DELETE = "<Delete><Quiet>true</Quiet>{}</Delete>"


class TestXml:
    @pytest.mark.parametrize(
        "body",
        [
            DELETE.format("<Object><Key>kept</Key></Object>" * 1001),
            "", "nonsense", "<Delete>", "<Delete><Object></Object></Delete>", "<Delete></Delete>",
            '<!DOCTYPE a [<!ENTITY b "kept">]><Delete><Object><Key>&b;</Key></Object></Delete>',
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&b;</Key></Object></Delete>',
            "<a>" * 100_000, "<Delete>" + "<Object>" * 50_000, "<Delete a='" + "x" * 1_000_000 + "'>",
            "<Delete" + "".join(f" a{n}='b'" for n in range(20_000)) + "><Object>",
            "\ufeff\ufeff<Delete/>", "<Delete><Object><Key>kept</Key><VersionId>" + "x" * 100_000 + "</VersionId></Object>",
        ],
        ids=range(14),
    )
    def test_deletes_that_are_none(self, server, vault, root, body):
        vault.refuses(root.request("POST", f"/{vault.bucket}", "delete=", headers=[digest(body.encode())], body=body.encode()), 400, "MalformedXML", "MissingRequestBodyError", "InvalidRequest")

    def test_entities_are_not_expanded(self, server, s3, vault, root):
        """A billion laughs: memory and time stay small."""
        entities = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        body = f"<!DOCTYPE x [{entities}]><Delete><Object><Key>&a11;</Key></Object></Delete>".encode()
        before = server.peak_memory_bytes()
        vault.refuses(root.request("POST", f"/{vault.bucket}", "delete=", headers=[digest(body)], body=body), 400, "MalformedXML")
        assert server.peak_memory_bytes() - before < 32 << 20

    def test_a_million_keys(self, server, vault, root):
        """Refused by its length, before it is read."""
        body = DELETE.format("".join(f"<Object><Key>k{n}</Key></Object>" for n in range(1_000_000))).encode()
        before = server.peak_memory_bytes()
        answer = vault.refuses(root.request("POST", f"/{vault.bucket}", "delete=", headers=[digest(body)], body=body), 400)
        assert answer.code == "MaxMessageLengthExceeded"
        assert server.peak_memory_bytes() - before < 32 << 20

    def test_keys_that_are_none_fail_alone(self, server, s3, vault, root):
        keys = ["", "../x", "a" * 1025, "fine"]
        body = "<Delete>" + "".join(f"<Object><Key>{k}</Key></Object>" for k in keys) + "</Delete>"
        answer = send(server, root.request("POST", f"/{vault.bucket}", "delete=", headers=[digest(body.encode())], body=body.encode()))
        assert answer.status in (200, 400), answer
        assert s3.get_object(Bucket=vault.bucket, Key="kept")["Body"].read() == b"as it was"

    def test_bucket_configuration(self, server, vault, root):
        for body in (b"<a>" * 50_000, b"nonsense", b"<CreateBucketConfiguration><LocationConstraint>" + b"x" * 100_000):
            vault.refuses(root.request("PUT", f"/{vault.bucket}-new", body=body), 400)
