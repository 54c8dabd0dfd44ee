"""Cross-origin requests as browsers make them."""

import pytest

from sigv4 import Request, send

RULES = [
    {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["x-amz-*", "content-type"],
     "ExposeHeaders": ["ETag", "x-amz-version-id"], "MaxAgeSeconds": 600},
    {"AllowedOrigins": ["http://plain"], "AllowedMethods": ["DELETE"]},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"], "AllowedHeaders": ["*"]},
]


@pytest.fixture(scope="module")
def shared(s3) -> str:
    from server import unique

    name = unique("cors")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": RULES})
    return name


def preflight(server, bucket: str, origin: str | None, method: str | None, headers: str | None = None, key: str = "/k"):
    given = [("host", f"{server.host}:{server.port}")]
    given += [(n, v) for n, v in (("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", headers)) if v]
    return send(server, Request("OPTIONS", f"/{bucket}{key}", given, b""))


@pytest.mark.parametrize(("origin", "method", "headers", "allowed"), [
    ("https://a.example.com", "GET", None, True),
    ("https://a.b.example.com", "PUT", "x-amz-date, Content-Type", True),
    ("https://example.com", "GET", None, False),
    ("http://a.example.com", "GET", None, False),
    ("https://a.example.com", "DELETE", None, False),
    ("https://a.example.com", "PUT", "authorization", False),
    ("http://plain", "DELETE", None, True),
    ("http://plain", "DELETE", "x-any", False),
    ("http://plain.evil", "DELETE", None, False),
    ("http://whoever", "HEAD", "anything, at-all", True),
    ("null", "HEAD", None, True),
])
def test_preflight(server, shared, origin, method, headers, allowed):
    for key in ("/k", "/absent", ""):
        answer = preflight(server, shared, origin, method, headers, key)
        assert answer.status == (200 if allowed else 403), answer
        got = answer.headers.get("access-control-allow-origin")
        if not allowed:
            assert got is None and answer.code == "AccessForbidden"
            continue
        assert got in (origin, "*")
        assert method in answer.headers["access-control-allow-methods"]
        if headers:
            stated = {h.strip().lower() for h in answer.headers["access-control-allow-headers"].split(",")}
            assert {h.strip().lower() for h in headers.split(",")} <= stated
        assert "vary" in answer.headers and "Origin" in answer.headers["vary"]


def test_the_answer_of_a_rule(server, shared):
    answer = preflight(server, shared, "https://a.example.com", "GET")
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["access-control-allow-methods"].replace(" ", "") == "GET,PUT"
    assert answer.headers["access-control-expose-headers"].replace(" ", "") == "ETag,x-amz-version-id"
    assert preflight(server, shared, "http://whoever", "HEAD").headers["access-control-allow-origin"] == "*"


def test_preflights_that_are_none(server, shared, bucket):
    assert preflight(server, shared, None, "GET").status in (400, 403)
    assert preflight(server, shared, "https://a.example.com", None).status in (400, 403)
    assert preflight(server, shared, "https://a.example.com", "PATCH").status in (400, 403)
    answer = preflight(server, bucket, "https://a.example.com", "GET")
    assert (answer.status, answer.code) == (403, "AccessForbidden")
    assert preflight(server, f"{bucket}-not", "https://a.example.com", "GET").status in (403, 404)


def test_requests_themselves(server, shared, root):
    for origin, method, there in (("https://a.example.com", "GET", True), ("http://other", "GET", False), ("http://other", "HEAD", True)):
        answer = send(server, root.request(method, f"/{shared}/k", headers=[("origin", origin)]))
        assert answer.status == 200
        assert ("access-control-allow-origin" in answer.headers) == there, (origin, method, answer.headers)
    answer = send(server, root.request("GET", f"/{shared}/k", headers=[("origin", "https://a.example.com")]))
    assert answer.headers["access-control-expose-headers"].replace(" ", "") == "ETag,x-amz-version-id"
    assert "access-control-allow-origin" not in send(server, root.request("GET", f"/{shared}/k")).headers


def test_errors_carry_them_too(server, shared, root):
    """A page can only read why it was refused if the answer lets it."""
    answer = send(server, root.request("GET", f"/{shared}/absent", headers=[("origin", "https://a.example.com")]))
    assert answer.status == 404 and answer.headers["access-control-allow-origin"] == "https://a.example.com"


def test_a_change_counts_at_once(server, s3, bucket):
    assert preflight(server, bucket, "http://a", "GET").status == 403
    for n in range(5):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedOrigins": [f"http://{n}"], "AllowedMethods": ["GET"]}]})
        assert preflight(server, bucket, f"http://{n}", "GET").status == 200
        assert preflight(server, bucket, f"http://{n + 1}", "GET").status == 403
    s3.delete_bucket_cors(Bucket=bucket)
    assert preflight(server, bucket, "http://4", "GET").status == 403
