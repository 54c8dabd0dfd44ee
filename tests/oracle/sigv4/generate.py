#!/usr/bin/env python3
"""Writes vectors.json: requests signed by botocore, which our verifier must accept.

    pip install botocore
    python3 generate.py > vectors.json

Two kinds: whole operations of a real client, taken just before they would be sent, and requests
given straight to botocore's signers with odd paths, queries and headers. The clock stands at
2013-05-24T00:00:00Z and the keys are those of AWS's documentation, so the file is the same each
time with one version of botocore.
"""

import datetime
import io
import json
import os
import sys
from unittest import mock
from urllib.parse import quote, urlsplit

import botocore
import botocore.auth
import botocore.session
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION_KEY, TOKEN = "ASIAIOSFODNN7EXAMPLE", "FwoGZXIvYXdzE+token/with=odd&chars"
NOW = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)

KEYS = [
    "plain", "a b", "a+b c", "a  b", "%2F", "%", "%25", "%zz", "a%20b", "//", "/lead", "trail/", "a//b",
    "./a", "a/./b", "a/../b", "..", ".", "~", "~a~", "*", "a*b", "'", "it's", '"', "(x)", "!", "$&@=;:,",
    "?", "a?b=c", "#", "a#b", "&", "=", "+", "++", "é", "ü/ß", "日本語", "☃.txt", "😀", "é", "\\",
    "a\\b", "|", "^", "`", "{a}", "[a]", "<a>", "\t", "\n", "a\x7fb", "-._~", "x" * 900, "a/" * 40 + "b",
    "file.tar.gz", "part-00000-c000.snappy.parquet", "year=2026/month=11/day=22/x.parquet", "s3://x/y",
    "@", ",", ";", "a;b", ":", "a:b", "{}", "%00", "a%2fb", "%E2%98%83", "CON", "…",
]
VALUES = ["", "/", "a b", "a+b", "é", "%2F", "*", "~", "'", "a&b=c", "x/y/", "日本", "\\", "(", "a,b", "=", "==", "\t"]


# Never signed, and different on each machine or each time.
DROPPED = ["user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "expect", "transfer-encoding"]


def at_fixed_time():
    return mock.patch.object(botocore.auth, "get_current_datetime", lambda *a, **k: NOW)


def case(name, method, url, headers, body=b"", service="s3"):
    parts = urlsplit(url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
    headers = [[k.lower(), text(v)] for k, v in headers.items() if k.lower() not in DROPPED]
    if not any(k == "host" for k, _ in headers):
        headers.append(["host", parts.netloc])
    out = {"name": name, "method": method, "target": target, "headers": headers, "service": service}
    if body:
        out["body"] = body.hex()
    return out


def client(**config):
    session = botocore.session.Session()
    session.set_credentials(config.pop("key", KEY), SECRET, config.pop("token", None))
    return session.create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=config.pop("endpoint", "http://localhost:9000"),
        config=Config(s3={"addressing_style": config.pop("style", "path")}, retries={"max_attempts": 0}, **config),
    )


def read_body(body):
    if body is None:
        return b""
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    return body.read()


def sent(c, name, call):
    """The request that `call` would send."""
    out = []

    def catch(request, **_):
        out.append(case(name, request.method, request.url, request.headers, read_body(request.body)))
        return AWSResponse(request.url, 200, {}, io.BytesIO(b""))

    c.meta.events.register_first("before-send.s3", catch)
    try:
        call(c)
    except Exception as error:  # The empty answer is no good answer; the request is what counts.
        if not out:
            raise error
    c.meta.events.unregister("before-send.s3", catch)
    return out[0]


def operations():
    http = client()
    for key in KEYS:
        if key in (".", "..") or key.startswith("../"):
            continue
        yield sent(http, f"get {key!r:.40}", lambda c: c.get_object(Bucket="bucket", Key=key))
    for value in VALUES:
        yield sent(http, f"list {value!r}", lambda c: c.list_objects_v2(Bucket="bucket", Prefix=value, Delimiter="/"))
        yield sent(http, f"version {value!r}", lambda c: c.get_object(
            Bucket="bucket", Key="k", VersionId=value, ResponseContentDisposition=value))
    tls = client(endpoint="https://localhost:9000")
    virtual = client(style="virtual", endpoint="http://s3.example.com")
    session = client(key=SESSION_KEY, token=TOKEN)
    unsigned = client(endpoint="https://localhost:9000", request_checksum_calculation="when_required")
    for kind, c in [("http", http), ("tls", tls), ("virtual", virtual), ("session", session), ("unsigned", unsigned)]:
        stream = lambda: io.BytesIO(b"data" * 300)
        yield sent(c, f"put {kind}", lambda c: c.put_object(Bucket="bucket", Key="a b+c", Body=b"data"))
        yield sent(c, f"put empty {kind}", lambda c: c.put_object(Bucket="bucket", Key="a b+c", Body=b""))
        yield sent(c, f"put stream {kind}", lambda c: c.put_object(Bucket="bucket", Key="k", Body=stream()))
        yield sent(c, f"put sha256 {kind}", lambda c: c.put_object(
            Bucket="bucket", Key="k", Body=stream(), ChecksumAlgorithm="SHA256"))
        yield sent(c, f"put metadata {kind}", lambda c: c.put_object(
            Bucket="bucket", Key="k", Body=b"x", ContentType="text/plain; charset=utf-8",
            Metadata={"a": "  two  blanks  ", "Upper": "x,y", "quoted": '"a   b"'}, Tagging="a=b&c=d%20e"))
        yield sent(c, f"part {kind}", lambda c: c.upload_part(
            Bucket="bucket", Key="k", UploadId="a/b+c=", PartNumber=1, Body=stream()))
        yield sent(c, f"create multipart {kind}", lambda c: c.create_multipart_upload(Bucket="bucket", Key="k"))
        yield sent(c, f"delete many {kind}", lambda c: c.delete_objects(
            Bucket="bucket", Delete={"Objects": [{"Key": "é"}]}))
        yield sent(c, f"copy {kind}", lambda c: c.copy_object(
            Bucket="bucket", Key="k", CopySource={"Bucket": "b", "Key": "é +"}))
        yield sent(c, f"range {kind}", lambda c: c.get_object(Bucket="bucket", Key="k", Range="bytes=0-9"))
        yield sent(c, f"buckets {kind}", lambda c: c.list_buckets())
    # Without s3v4 botocore presigns by version 2, which we refuse.
    http = client(signature_version="s3v4")
    session = client(signature_version="s3v4", key=SESSION_KEY, token=TOKEN)
    for key in KEYS:
        for kind, c in [("path", http), ("session", session)][: 2 if len(key) < 3 else 1]:
            url = c.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": key}, ExpiresIn=3600)
            yield case(f"presigned {kind} {key!r:.40}", "GET", url, {})
    url = http.generate_presigned_url("put_object", Params={
        "Bucket": "bucket", "Key": "k", "ContentType": "text/plain", "Metadata": {"a": "b c"}}, ExpiresIn=604800)
    yield case("presigned put", "PUT", url, {"content-type": "text/plain", "x-amz-meta-a": "b c"})


def signers():
    credentials = Credentials(KEY, SECRET)
    for n, query in enumerate([
        "a&b&c", "b=2&a=1", "a=2&a=1&a=", "acl", "uploads=", "prefix=&delimiter=%2F", "A=1&a=1&_=1", "a=%3D%26",
        "x-id=GetObject", "list-type=2&prefix=%C3%A9&max-keys=0",
    ]):
        request = AWSRequest("GET", f"http://localhost:9000/bucket?{query}", headers={"host": "localhost:9000"})
        S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
        yield case(f"query {n}", "GET", request.url, request.headers)
        request = AWSRequest("GET", f"http://localhost:9000/bucket?{query}")
        S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=60).add_auth(request)
        yield case(f"presigned query {n}", "GET", request.url, {})
    for path in ["/", "//", "/a/../b", "/./a//b/", "/a%20b", "/%E1%88%B4", "/a*b~c", "/a%2Fb"]:
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        request = AWSRequest("POST", f"http://localhost:9000{path}", data=body, headers={
            "host": "localhost:9000", "content-type": "application/x-www-form-urlencoded; charset=utf-8"})
        SigV4Auth(credentials, "sts", "us-east-1").add_auth(request)
        yield case(f"sts {path}", "POST", request.url, request.headers, body, service="sts")


def main():
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    with at_fixed_time():
        cases = list(operations()) + list(signers())
    json.dump({"botocore": botocore.__version__, "cases": cases}, sys.stdout, indent=0, ensure_ascii=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
