"""Every route of every door, as every kind of caller who may not: nothing is answered and nothing changes.

`routes.txt` is the doors' own tables (a unit test of the doors compares it): a route without a request here fails, and so does a
request without a route. Each request is one that root is answered, or refused for what it says and not for who asks.
"""

import base64
import hashlib
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

import ledger
from conftest import allow
from server import Key, Server, unique
from sigv4 import Request, Signer, send
from test_iam import document, service, trust

ROUTES = [line.split(" ") for line in (Path(__file__).parent / "routes.txt").read_text().splitlines()]
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
ACL = f'<AccessControlPolicy {XMLNS}><Owner><ID>root</ID></Owner><AccessControlList/></AccessControlPolicy>'


def _configuration(kind: str, root: str, body: str) -> dict:
    """The requests of a configuration that has an id."""
    query = f"{kind}&id=x"
    return {
        f"Get{root}": ("GET", "b", query, ""), f"Delete{root}": ("DELETE", "b", query, ""),
        f"Put{root}": ("PUT", "b", query, body), f"List{root}s": ("GET", "b", kind, ""),
    }


def _single(query: str, name: str, body: str, delete: str | None = None) -> dict:
    """The requests of a configuration that a bucket has one of."""
    found = {f"Get{name}": ("GET", "b", query, ""), f"Put{name}": ("PUT", "b", query, body)}
    return found | ({delete: ("DELETE", "b", query, "")} if delete else {})


# Operation: method, what it is about (all buckets, bucket, key), query, body.
S3 = {
    "AbortMultipartUpload": ("DELETE", "k", "uploadId=0", ""),
    "CompleteMultipartUpload": ("POST", "k", "uploadId=0", f'<CompleteMultipartUpload {XMLNS}><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>'),
    "CopyObject": ("PUT", "copy", "", ""),
    "CreateBucket": ("PUT", "new", "", ""),
    "CreateMultipartUpload": ("POST", "k", "uploads", ""),
    "DeleteBucket": ("DELETE", "b", "", ""),
    "DeleteBucketWebsite": ("DELETE", "b", "website", ""),
    "DeleteObject": ("DELETE", "k", "", ""),
    "DeleteObjectTagging": ("DELETE", "k", "tagging", ""),
    "DeleteObjects": ("POST", "b", "delete", f"<Delete {XMLNS}><Object><Key>k</Key></Object></Delete>"),
    "GetBucketAccelerateConfiguration": ("GET", "b", "accelerate", ""),
    "GetBucketLocation": ("GET", "b", "location", ""),
    "GetBucketPolicyStatus": ("GET", "b", "policyStatus", ""),
    "GetBucketWebsite": ("GET", "b", "website", ""),
    "GetObject": ("GET", "k", "", ""),
    "GetObjectAttributes": ("GET", "attributes", "attributes", ""),
    "HeadBucket": ("HEAD", "b", "", ""),
    "HeadObject": ("HEAD", "k", "", ""),
    "ListBuckets": ("GET", "/", "", ""),
    "ListMultipartUploads": ("GET", "b", "uploads", ""),
    "ListObjectVersions": ("GET", "b", "versions", ""),
    "ListObjects": ("GET", "b", "", ""),
    "ListObjectsV2": ("GET", "b", "list-type=2", ""),
    "ListParts": ("GET", "k", "uploadId=0", ""),
    "PostObject": ("POST", "form", "", ""),
    "PutObject": ("PUT", "k", "", "new"),
    "RestoreObject": ("POST", "k", "restore", f"<RestoreRequest {XMLNS}><Days>1</Days></RestoreRequest>"),
    "UploadPart": ("PUT", "k", "partNumber=1&uploadId=0", "part"),
    "UploadPartCopy": ("PUT", "copy", "partNumber=1&uploadId=0", ""),
    "GetObjectAcl": ("GET", "k", "acl", ""), "PutObjectAcl": ("PUT", "k", "acl", ACL),
    "GetObjectTagging": ("GET", "k", "tagging", ""),
    "PutObjectTagging": ("PUT", "k", "tagging", f"<Tagging {XMLNS}><TagSet/></Tagging>"),
    "GetObjectLegalHold": ("GET", "k", "legal-hold", ""),
    "PutObjectLegalHold": ("PUT", "k", "legal-hold", f"<LegalHold {XMLNS}><Status>ON</Status></LegalHold>"),
    "GetObjectRetention": ("GET", "k", "retention", ""),
    "PutObjectRetention": ("PUT", "k", "retention", f"<Retention {XMLNS}><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>"),
    **_single("acl", "BucketAcl", ACL),
    **_single("cors", "BucketCors", f"<CORSConfiguration {XMLNS}><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>", "DeleteBucketCors"),
    **_single("encryption", "BucketEncryption", f"<ServerSideEncryptionConfiguration {XMLNS}><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>", "DeleteBucketEncryption"),
    **_single("lifecycle", "BucketLifecycleConfiguration", f"<LifecycleConfiguration {XMLNS}><Rule><ID>x</ID><Filter><Prefix>x/</Prefix></Filter><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>", "DeleteBucketLifecycle"),
    **_single("logging", "BucketLogging", f"<BucketLoggingStatus {XMLNS}/>"),
    **_single("notification", "BucketNotificationConfiguration", f"<NotificationConfiguration {XMLNS}/>"),
    **_single("ownershipControls", "BucketOwnershipControls", f"<OwnershipControls {XMLNS}><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>", "DeleteBucketOwnershipControls"),
    **_single("policy", "BucketPolicy", '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/x"}]}', "DeleteBucketPolicy"),
    **_single("replication", "BucketReplication", f"<ReplicationConfiguration {XMLNS}><Role>arn:aws:iam::000000000000:role/x</Role><Rule><ID>x</ID><Status>Disabled</Status><Priority>1</Priority><Filter><Prefix></Prefix></Filter><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::BUCKET</Bucket></Destination></Rule></ReplicationConfiguration>", "DeleteBucketReplication"),
    **_single("requestPayment", "BucketRequestPayment", f"<RequestPaymentConfiguration {XMLNS}><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"),
    **_single("tagging", "BucketTagging", f"<Tagging {XMLNS}><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", "DeleteBucketTagging"),
    **_single("versioning", "BucketVersioning", f"<VersioningConfiguration {XMLNS}><Status>Enabled</Status></VersioningConfiguration>"),
    **_single("object-lock", "ObjectLockConfiguration", f"<ObjectLockConfiguration {XMLNS}><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"),
    **_single("publicAccessBlock", "PublicAccessBlock", f"<PublicAccessBlockConfiguration {XMLNS}><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>", "DeletePublicAccessBlock"),
    **_configuration("analytics", "BucketAnalyticsConfiguration", f"<AnalyticsConfiguration {XMLNS}><Id>x</Id><StorageClassAnalysis/></AnalyticsConfiguration>"),
    **_configuration("intelligent-tiering", "BucketIntelligentTieringConfiguration", f"<IntelligentTieringConfiguration {XMLNS}><Id>x</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering></IntelligentTieringConfiguration>"),
    **_configuration("inventory", "BucketInventoryConfiguration", f"<InventoryConfiguration {XMLNS}><Destination><S3BucketDestination><Bucket>arn:aws:s3:::BUCKET</Bucket><Format>CSV</Format></S3BucketDestination></Destination><IsEnabled>false</IsEnabled><Id>x</Id><IncludedObjectVersions>Current</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule></InventoryConfiguration>"),
    **_configuration("metrics", "BucketMetricsConfiguration", f"<MetricsConfiguration {XMLNS}><Id>x</Id></MetricsConfiguration>"),
}

EVENT = '{"eventType":"START","run":{"runId":"00000000-0000-4000-8000-000000000000"},"job":{"namespace":"x","name":"x"},"inputs":[{"namespace":"s3://BUCKET","name":"k"}]}'
# Bodies of the routes that want one; what varies in a path is called `x`.
BODIES = {
    "StartMaintenance": '{"task": "expire"}',
    "RunStatement": '{"statement": "SELECT 1"}',
    "PutUserPolicy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    "PutGuardPolicy": '{"text":"forbid(principal, action, resource);"}',
    "PutGroupPolicy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    "PutRolePolicy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    "CreateRole": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}',
    "Reach": '{"principal":"root"}',
    "CheckGuardPolicy": '{"text":"forbid(principal, action, resource);"}',
    "Explain": '{"principal":"root","action":"s3:GetObject","resource":"arn:aws:s3:::BUCKET/k"}',
    "WhoCan": '{"action":"s3:GetObject","resource":"arn:aws:s3:::BUCKET/k"}',
    "CheckPolicy": '{"document":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}',
    "ReplayPolicy": '{"bucket":"BUCKET"}',
    "Evaluate": '{"subject":{"type":"user","id":"root"},"action":{"name":"s3:GetObject"},"resource":{"type":"object","id":"BUCKET/k"}}',
    "EvaluateAll": '{"subject":{"type":"user","id":"root"},"action":{"name":"s3:GetObject"},"resource":{"type":"object","id":"BUCKET/k"}}',
    "SetBucketStrict": '{"strict":true}',
    "SetUndoWindow": '{"seconds":3600}',
    # Of somebody else's run: one's own everybody may see.
    "UndoRun": '{"run":"1","principal":"000000000000"}',
    "RestorePast": '{"path":"/BUCKET/objects/k","at":1}',
    "SetBucketShield": '{"hold_seconds":3600}',
    "AcquireLease": '{"paths":[{"bucket":"BUCKET","prefix":"none/","mode":"shared"}],"seconds":1}',
    "RenewLease": '{"seconds":1}',
    "PostLineage": EVENT,
    "PostLineageBatch": f"[{EVENT}]",
    "SetSessionBudget": '{"bytes":1}',
    "EraseSubject": '{"principal":"nobody of this name"}',
    "PutLabels": '{"labels":["x"]}',
    "WriteFacts": "(a b)\n",
    "QueryFacts": "(a $x)",
    "CreateNamespace": '{"namespace":["x"]}',
    "UpdateProperties": '{"updates":{"a":"b"}}',
    "CreateTable": '{"name":"x","schema":{"type":"struct","fields":[{"id":1,"name":"a","required":false,"type":"long"}]}}',
    "RegisterTable": '{"name":"x","metadata-location":"s3://BUCKET/.tables/00000000-0000-4000-8000-000000000000/metadata/1-x.metadata.json"}',
    "UpdateTable": '{"requirements":[],"updates":[]}',
    "ReportMetrics": "{}",
    "RenameTable": '{"source":{"namespace":["x"],"name":"x"},"destination":{"namespace":["x"],"name":"y"}}',
    "SignRequest": '{"method":"GET","uri":"http://x/BUCKET/k","region":"us-east-1","headers":{}}',
    "CommitTransaction": '{"table-changes":[{"identifier":{"namespace":["x"],"name":"x"},"requirements":[],"updates":[]}]}',
    "CreateView": '{"name":"x","schema":{"type":"struct","fields":[]},"view-version":{}}',
    "RegisterView": '{"name":"x","metadata-location":"s3://BUCKET/.tables/00000000-0000-4000-8000-000000000000/metadata/1-x.metadata.json"}',
    "ReplaceView": '{"requirements":[],"updates":[]}',
    "RenameView": '{"source":{"namespace":["x"],"name":"x"},"destination":{"namespace":["x"],"name":"y"}}',
    "RunProgram": "(exec 0 (, (a $x)) (, (b $x)))",
    "RunRules": "(rule r (, (a $x)) (, (b $x)))",
    "AddLive": "(rule r (, (a $x)) (, (derived $x)))",
}
# Queries of the routes that want one.
QUERIES = {
    "PinSnapshot": "pin=x", "UnpinSnapshot": "pin=x", "DropLoad": "load=x", "AddLive": "name=x", "RemoveLive": "name=x", "GetConfig": "warehouse=BUCKET",
    # Of somebody else's: one's own everybody may see.
    "GetRun": "principal=000000000000", "GetDeclaredLineage": "principal=000000000000", "GetRunManifest": "principal=000000000000", "GetLineage": "resource=%2FBUCKET%2Fobjects%2Fk",
}
# A form for every operation of IAM and STS: what one does not know it does not look at.
FORM = {
    "Version": "2010-05-08", "UserName": "somebody", "GroupName": "x", "RoleName": "x", "PolicyName": "x", "Path": "/",
    "PolicyArn": "arn:aws:iam::000000000000:policy/x", "PermissionsBoundary": "arn:aws:iam::000000000000:policy/x",
    "PolicyDocument": document(allow("s3:GetObject")), "AssumeRolePolicyDocument": trust({"AWS": "000000000000"}), "VersionId": "v1",
    "AccessKeyId": "AKIA" + "Z" * 16, "Status": "Active", "Url": "https://issuer.example", "ClientID": "x", "Description": "x",
    "OpenIDConnectProviderArn": "arn:aws:iam::000000000000:oidc-provider/issuer.example", "ClientIDList.member.1": "x",
    "ThumbprintList.member.1": "0" * 40, "Tags.member.1.Key": "a", "Tags.member.1.Value": "b", "TagKeys.member.1": "a",
    "RoleArn": "arn:aws:iam::000000000000:role/x", "RoleSessionName": "session", "WebIdentityToken": "x.y.z",
}
PARTS = {"bucket": "BUCKET", "graph": "g", "record": "1-1", "run": "1", "worker": "lifecycle", "user": "somebody"}

# Reads, and asks of the system what a reader of everything may know.
READS = re.compile(r"^(s3:(Get|List)|iam:(Get|List|Simulate)|kms:List|s3tables:(Get|List)|craton:(Read|List|Get|Evaluate))")


class Sent:
    """A route's request, before anyone signs it."""

    def __init__(self, route: list[str], bucket: str):
        door, self.operation, self.action, *rest = route
        self.headers = []
        self.service = door if door in ("iam", "sts") else "s3"
        if self.service != "s3":
            self.method, self.path, self.query = "POST", "/", ""
            self.headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")]
            trusts = {"PolicyDocument": FORM["AssumeRolePolicyDocument"]} if self.operation == "UpdateAssumeRolePolicy" else {}
            body = urllib.parse.urlencode(FORM | trusts | {"Action": self.operation})
        elif door == "s3":
            self.method, place, self.query, body = S3[self.operation]
            paths = {"/": "/", "b": f"/{bucket}", "k": f"/{bucket}/k", "copy": f"/{bucket}/copied", "new": f"/{unique('n')}",
                     "form": f"/{bucket}", "attributes": f"/{bucket}/k"}
            self.path = paths[place]
            if place == "copy":
                self.headers = [("x-amz-copy-source", f"/{bucket}/k")]
            if place == "attributes":
                self.headers = [("x-amz-object-attributes", "ETag")]
            if place == "form":
                self.headers = [("content-type", "multipart/form-data; boundary=xx")]
                fields = {"key": "posted", "file": "x"}
                parts = [f'--xx\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
                body = "".join([*parts, "--xx--\r\n"])
            if self.operation == "DeleteObjects":
                self.headers = [("content-md5", base64.b64encode(hashlib.md5(body.encode()).digest()).decode())]
        else:
            self.method, path = rest
            self.query = QUERIES.get(self.operation, "").replace("BUCKET", bucket)
            parts = PARTS | ({"worker": "inventory"} if "{id}" in path else {})
            self.path = re.sub(r"\{([\w-]+)\}", lambda m: parts.get(m[1], "x").replace("BUCKET", bucket), path)
            body = BODIES.get(self.operation, "")
        self.body = body.replace("BUCKET", bucket).encode()

    def signed(self, server, key: Key, token: str = "") -> Request:
        headers = [*self.headers, ("x-amz-security-token", token)] if token else self.headers
        signer = Signer(server, key, service=self.service)
        return signer.request(self.method, self.path, self.query, headers, self.body)

    def unsigned(self, server) -> Request:
        target = self.path + (f"?{self.query}" if self.query else "")
        headers = [("host", f"{server.host}:{server.port}"), ("content-length", str(len(self.body))), *self.headers]
        return Request(self.method, target, headers, self.body)


def served() -> list[list[str]]:
    return [route for route in ROUTES if route[2] != "-"]


# What everyone may who has a name: know who one is and which account this is, and get a session of oneself.
# What everybody may ask, and is told only what they may know.
OF_ONESELF = {"GetAccessKeyInfo", "GetCallerIdentity", "GetSessionToken", "GetLineage"}
# What proves in its form who asks: a signature of the request itself says nothing.
PROVEN_BY_FORM = {"AssumeRoleWithWebIdentity", "PostObject"}


@dataclass
class Ended:
    """Sessions that were good, on servers that know them no more."""

    server: Server
    key: Key
    token: str


def test_every_route_has_a_request_and_every_request_a_route():
    assert {route[1] for route in ROUTES if route[0] == "oauth"} == OAUTH.keys(), "a route of OAuth without a request"
    of_s3 = {route[1] for route in served() if route[0] == "s3"}
    assert of_s3 - S3.keys() == set(), "a route without a request: add one to S3"
    assert {name for name in S3 if name not in of_s3} <= {route[1] for route in ROUTES if route[2] == "-"}
    others = {route[1] for route in ROUTES if route[0] != "s3"}
    assert (BODIES.keys() | QUERIES.keys()) - others == set(), "a request without a route"


@pytest.fixture(scope="module")
def place(server, s3) -> str:
    """A bucket with an object, which every request here is about."""
    name = unique("routes")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"kept")
    return name


# The codes of each kind of refusal: S3's and the API's, IAM's.
CODES = {
    "nobody": ("AccessDenied", "MissingAuthenticationToken"), "forged": ("SignatureDoesNotMatch",),
    "unknown": ("InvalidAccessKeyId", "InvalidClientTokenId"), "token": ("InvalidToken", "InvalidClientTokenId"),
    "expired": ("ExpiredToken",), "right": ("AccessDenied",),
    "proof": ("InvalidIdentityToken", "CredentialsNotSupported", "AccessDenied"),
}


def refused(server, request: Request, why: str) -> None:
    answer = send(server, request)
    # Of several objects each is answered for itself.
    of_each = request.target.endswith("?delete") and answer.status == 200 and b"<Deleted>" not in answer.body
    assert of_each or answer.status in (400, 401, 403), (request.method, request.target, answer)
    if request.method != "HEAD":
        assert any(code.encode() in answer.body for code in CODES[why]), answer
    ledger.tells_of_one_refusal(server, answer.request_id)


@pytest.mark.parametrize("route", served(), ids=lambda r: f"{r[0]}-{r[1]}")
class TestEveryRoute:
    def test_without_a_name(self, server, place, route):
        sent = Sent(route, place)
        refused(server, sent.unsigned(server), "proof" if sent.operation in PROVEN_BY_FORM else "nobody")

    def test_with_a_bad_signature(self, server, place, route):
        refused(server, Sent(route, place).signed(server, Key(server.root.id, "x" * 40)), "forged")

    def test_with_an_unknown_key(self, server, place, route):
        refused(server, Sent(route, place).signed(server, Key("AKIA" + "Z" * 16, "x" * 40)), "unknown")

    def test_with_a_session_that_nobody_gave(self, server, place, route):
        refused(server, Sent(route, place).signed(server, server.root, "x" * 64), "token")

    def test_in_a_session_that_was_revoked(self, place, route, revoked):
        sent = Sent(route, place)
        refused(revoked.server, sent.signed(revoked.server, revoked.key, revoked.token), "token")

    def test_in_a_session_that_is_over(self, place, route, expired):
        sent = Sent(route, place)
        refused(expired.server, sent.signed(expired.server, expired.key, expired.token), "expired")

    def test_as_somebody_who_may_nothing(self, server, place, route, stranger):
        sent = Sent(route, place)
        if sent.operation in OF_ONESELF:
            assert send(server, sent.signed(server, stranger)).status == 200
            return
        refused(server, sent.signed(server, stranger), "proof" if sent.operation in PROVEN_BY_FORM else "right")

    def test_as_a_reader(self, server, place, route, reader):
        sent = Sent(route, place)
        if sent.operation in OF_ONESELF:
            return
        if not READS.match(sent.action):
            refused(server, sent.signed(server, reader), "proof" if sent.operation in PROVEN_BY_FORM else "right")
            return
        answer = send(server, sent.signed(server, reader))
        assert answer.status not in (401, 403, 500), (sent.path, answer)


def answered(server: Server, path: str, form: dict | None = None, headers: dict | None = None) -> tuple[int, str]:
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    request = urllib.request.Request(server.endpoint + path, data, headers or {})
    try:
        answer = urllib.request.urlopen(request)
        return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# Of OAuth, who asks is in the form: what is refused, and how.
CLIENT = {"grant_type": "client_credentials"}
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "x.y.z",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}
OAUTH = {
    "GrantToken": [
        (CLIENT, 401), (CLIENT | {"client_id": "ROOT", "client_secret": "x"}, 401), (EXCHANGE, 400),
        (CLIENT | {"client_id": "AKIA" + "Z" * 16, "client_secret": "x"}, 401), ({"grant_type": "password"}, 400),
    ],
    # A token that is none is no longer good (RFC 7009, 2.2).
    "RevokeToken": [({}, 400), ({"token": "x.y.z"}, 200)],
    # Public keys are for everyone.
    "GetTokenKeys": [(None, 200)],
}


@pytest.mark.parametrize("route", [r for r in ROUTES if r[0] == "oauth"], ids=lambda r: r[1])
def test_every_route_of_oauth(server, route):
    for form, status in OAUTH[route[1]]:
        form = form and {name: server.root.id if value == "ROOT" else value for name, value in form.items()}
        got, body = answered(server, route[4], form)
        assert got == status and "access_token" not in body, (form, got, body)


BEARER = [route for route in served() if route[0] in ("api", "graph", "iceberg", "sql")]


@pytest.mark.parametrize("route", BEARER, ids=lambda r: f"{r[0]}-{r[1]}")
def test_with_a_token_that_is_none(server, place, route):
    """The doors that take bearer tokens: one that nobody gave, and one that was revoked."""
    sent = Sent(route, place)
    for token in ("x.y.z", revoked_token(server)):
        request = sent.unsigned(server).plus("authorization", f"Bearer {token}")
        refused(server, request, "token")


def revoked_token(server: Server, known: dict = {}) -> str:  # noqa: B006: kept for all routes
    if server.endpoint not in known:
        user = json.loads(server.command("user", "add", unique("u"), "--json"))
        server.keep(Key(user["id"], user["secret"]))
        status, body = answered(server, "/_api/v1/oauth/token", CLIENT | {"client_id": user["id"], "client_secret": user["secret"]})
        assert status == 200
        known[server.endpoint] = json.loads(body)["access_token"]
        assert answered(server, "/_api/v1/oauth/revoke", {"token": known[server.endpoint]})[0] == 200
    return known[server.endpoint]


def session_of_a_user(server: Server) -> tuple[Key, str]:
    """A session of a user who may everything."""
    iam = service(server, "iam")
    name = unique("u")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document(allow("*")))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    key = server.keep(Key(made["AccessKeyId"], made["SecretAccessKey"], name))
    got = service(server, "sts", key).get_session_token(DurationSeconds=900)["Credentials"]
    server.secrets.add(got["SessionToken"])
    return server.keep(Key(got["AccessKeyId"], got["SecretAccessKey"], name)), got["SessionToken"]


@pytest.fixture(scope="module")
def revoked(server) -> Ended:
    key, token = session_of_a_user(server)
    request = Sent(["s3", "ListBuckets", "s3:ListAllMyBuckets"], "none").signed(server, key, token)
    assert send(server, request).status == 200
    server.command("session", "rm", key.id)
    return Ended(server, key, token)


LATER_SECONDS = 1200


@pytest.fixture(scope="module")
def expired(tmp_path_factory) -> Ended:
    """A session of a quarter of an hour, and a server on which twenty minutes have passed since."""
    folder = tmp_path_factory.mktemp("later")
    library = folder / "later.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).parent / "later.c", "-ldl"], check=True)
    running = Server(folder, "--memory", "128MiB").start()
    try:
        key, token = session_of_a_user(running)
        running.stop()
        running.start(LD_PRELOAD=str(library), LATER_SECONDS=str(LATER_SECONDS))
        running.later_seconds = LATER_SECONDS
        yield Ended(running, key, token)
        running.stop()
    finally:
        running.kill()


@pytest.fixture(scope="module")
def keys(server, tmp_path_factory):
    """Users for the whole module."""
    def make(*statements: dict) -> Key:
        user = unique("u")
        made = json.loads(server.command("user", "add", user, "--json"))
        if statements:
            file = tmp_path_factory.mktemp("policy") / "p"
            file.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
            server.command("policy", "put", user, "p", str(file))
        return server.keep(Key(made["id"], made["secret"], user))

    return make


@pytest.fixture(scope="module")
def stranger(keys) -> Key:
    return keys()


@pytest.fixture(scope="module")
def reader(keys) -> Key:
    actions = ["s3:Get*", "s3:List*", "iam:Get*", "iam:List*", "iam:Simulate*", "kms:List*", "s3tables:Get*", "s3tables:List*", "craton:Read*", "craton:List*", "craton:Get*", "craton:Evaluate"]
    return keys(allow(actions, "*"))


def test_nothing_changed(server, s3, place):
    """After all of it. Runs alone, too: then it says little."""
    assert s3.get_object(Bucket=place, Key="k")["Body"].read() == b"kept"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=place)["Contents"]] == ["k"]
    assert not s3.list_multipart_uploads(Bucket=place).get("Uploads")
