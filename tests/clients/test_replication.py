"""Replication: to a bucket here, to another server of ours and back, to another implementation; through kills."""

import base64
import datetime
import json
import socket
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from server import REGION, Key, Server, unique

WAIT_SECONDS_MAX = 60
FAR_SECRET = "s3cr3t-of-the-far-side"


class Fixed(Server):
    """A server whose address is known before it starts."""

    def __init__(self, folder, *arguments):
        super().__init__(folder, *arguments, log="debug")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % probe.getsockname()[1]


def client(endpoint: str, key: Key):
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=key.id, aws_secret_access_key=key.secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def until(done, tell=lambda: "", seconds=WAIT_SECONDS_MAX):
    end = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        assert time.monotonic() < end, tell()
        time.sleep(0.05)


def remote(name: str, endpoint: str, key: Key, buckets=("*",)) -> str:
    listed = ", ".join(f'"{b}"' for b in buckets)
    return (
        f'[[remote]]\nname = "{name}"\nendpoint = "{endpoint}"\naccess-key = "{key.id}"\n'
        f'secret-key = "{key.secret}"\nbuckets = [{listed}]\n'
    )


def targets(server: Server, text: str):
    file = server.folder / "targets.toml"
    file.write_text(text)
    file.chmod(0o600)
    server.arguments = (*server.arguments, "--targets", str(file))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two servers that know one another."""
    one, two = (Fixed(tmp_path_factory.mktemp(name)) for name in ("one", "two"))
    for server in (one, two):
        # A first start makes the key that the other is told.
        server.start()
        server.stop()
    for server, other in ((one, two), (two, one)):
        targets(server, remote("other", f"http://{other.address}", other.root))
        server.secrets.add(other.root.secret)
    one.start(), two.start()
    try:
        yield one, two
        one.stop(), two.stop()
    finally:
        one.kill(), two.kill()


def versioned(s3, name=None, **more) -> str:
    name = name or unique("r")
    s3.create_bucket(Bucket=name, **more)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def rule(to: str, **more) -> dict:
    return {
        "ID": more.pop("ID", "rule"), "Priority": more.pop("Priority", 1), "Status": "Enabled",
        "Filter": more.pop("Filter", {"Prefix": ""}),
        "DeleteMarkerReplication": {"Status": more.pop("markers", "Disabled")},
        "Destination": {"Bucket": to, **more.pop("Destination", {})}, **more,
    }


def replicate(s3, bucket: str, *rules: dict):
    configuration = {"Role": "arn:aws:iam::000000000000:role/r", "Rules": list(rules)}
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=configuration)


def here(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def there(bucket: str, name="other") -> str:
    return f"arn:minio:replication::{name}:{bucket}"


def status(s3, bucket, key, **which):
    return s3.head_object(Bucket=bucket, Key=key, **which).get("ReplicationStatus")


def completed(s3, bucket, key, **which):
    until(lambda: status(s3, bucket, key, **which) == "COMPLETED", lambda: str(status(s3, bucket, key, **which)))


def versions(s3, bucket, key=""):
    page = s3.list_object_versions(Bucket=bucket, Prefix=key)
    return page.get("Versions", []), page.get("DeleteMarkers", [])


@pytest.fixture(params=["here", "there"])
def way(request, pair):
    """A source and a destination with their clients, and the destination's ARN."""
    one, two = pair
    source = client(one.endpoint, one.root)
    target = source if request.param == "here" else client(two.endpoint, two.root)

    class Way:
        near, far = source, target
        arn = staticmethod(here if request.param == "here" else there)

    return Way


def test_a_copy_has_everything_that_its_source_has(way):
    a, b = versioned(way.near), versioned(way.far)
    replicate(way.near, a, rule(way.arn(b)))
    put = way.near.put_object(
        Bucket=a, Key="k ü/1+2", Body=b"content", ContentType="text/x-mine", CacheControl="no-store",
        ContentDisposition="inline", ContentLanguage="de", Metadata={"colour": "red", "umlaut": "gr=?n"},
        Tagging="a=1&b=x%20%2B", ChecksumAlgorithm="SHA256", WebsiteRedirectLocation="/x", StorageClass="STANDARD_IA",
    )
    completed(way.near, a, "k ü/1+2")
    source = way.near.head_object(Bucket=a, Key="k ü/1+2", ChecksumMode="ENABLED")
    copy = way.far.get_object(Bucket=b, Key="k ü/1+2", ChecksumMode="ENABLED")
    assert copy["Body"].read() == b"content"
    assert copy["ReplicationStatus"] == "REPLICA"
    for field in (
        "ETag", "ContentType", "CacheControl", "ContentDisposition", "ContentLanguage", "Metadata", "ChecksumSHA256",
        "WebsiteRedirectLocation", "StorageClass", "LastModified", "ContentLength",
    ):
        assert copy[field] == source[field], field
    tags = way.far.get_object_tagging(Bucket=b, Key="k ü/1+2")["TagSet"]
    assert sorted((t["Key"], t["Value"]) for t in tags) == [("a", "1"), ("b", "x +")]
    assert source["VersionId"] == put["VersionId"]


def test_sizes_from_nothing_to_parts(way):
    a, b = versioned(way.near), versioned(way.far)
    replicate(way.near, a, rule(way.arn(b)))
    bodies = {"empty": b"", "small": b"x" * 1000, "large": bytes(range(256)) * 40_000}
    for key, body in bodies.items():
        way.near.put_object(Bucket=a, Key=key, Body=body)
    upload = way.near.create_multipart_upload(Bucket=a, Key="parts", Metadata={"in": "parts"})["UploadId"]
    pieces = [b"a" * (5 << 20), b"b" * (6 << 20), b"end"]
    parts = [
        {"PartNumber": n, "ETag": way.near.upload_part(Bucket=a, Key="parts", UploadId=upload, PartNumber=n, Body=p)["ETag"]}
        for n, p in enumerate(pieces, 1)
    ]
    way.near.complete_multipart_upload(Bucket=a, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    for key, body in (bodies | {"parts": b"".join(pieces)}).items():
        completed(way.near, a, key)
        copy = way.far.get_object(Bucket=b, Key=key)
        assert copy["Body"].read() == body
        assert copy["ETag"] == way.near.head_object(Bucket=a, Key=key)["ETag"]
    assert copy["ETag"].endswith('-3"') and copy["Metadata"] == {"in": "parts"}
    second = way.far.get_object(Bucket=b, Key="parts", PartNumber=2)
    assert second["ContentLength"] == 6 << 20


def test_every_version_goes_in_order_and_deleting_one_does_not(way):
    a, b = versioned(way.near), versioned(way.far)
    replicate(way.near, a, rule(way.arn(b)))
    ids = [way.near.put_object(Bucket=a, Key="k", Body=str(n).encode())["VersionId"] for n in range(12)]
    completed(way.near, a, "k")
    found, _ = versions(way.far, b)
    bodies = [way.far.get_object(Bucket=b, Key="k", VersionId=v["VersionId"])["Body"].read() for v in found]
    assert bodies == [str(n).encode() for n in reversed(range(12))]
    way.near.delete_object(Bucket=a, Key="k", VersionId=ids[0])
    way.near.delete_object(Bucket=a, Key="k")
    way.near.put_object(Bucket=a, Key="last", Body=b"")
    completed(way.near, a, "last")
    found, markers = versions(way.far, b, "k")
    assert len(found) == 12 and not markers


def test_delete_markers_go_where_the_rule_says_so(way):
    a, b = versioned(way.near), versioned(way.far)
    replicate(way.near, a, rule(way.arn(b), markers="Enabled"))
    way.near.put_object(Bucket=a, Key="k", Body=b"1")
    way.near.delete_object(Bucket=a, Key="k")
    until(lambda: versions(way.far, b)[1])
    with pytest.raises(ClientError, match="404"):
        way.far.head_object(Bucket=b, Key="k")
    assert len(versions(way.far, b)[0]) == 1


def test_changes_of_tags_and_locks_follow(way):
    a, b = (versioned(s, ObjectLockEnabledForBucket=True) for s in (way.near, way.far))
    replicate(way.near, a, rule(way.arn(b)))
    way.near.put_object(Bucket=a, Key="k", Body=b"1", ObjectLockLegalHoldStatus="ON", ChecksumAlgorithm="CRC32")
    completed(way.near, a, "k")
    assert way.far.get_object_legal_hold(Bucket=b, Key="k")["LegalHold"]["Status"] == "ON"
    way.near.put_object_tagging(Bucket=a, Key="k", Tagging={"TagSet": [{"Key": "x", "Value": "1 = x"}]})
    until(lambda: way.far.get_object_tagging(Bucket=b, Key="k")["TagSet"] == [{"Key": "x", "Value": "1 = x"}])
    way.near.delete_object_tagging(Bucket=a, Key="k")
    until(lambda: way.far.get_object_tagging(Bucket=b, Key="k")["TagSet"] == [])
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    way.near.put_object_retention(Bucket=a, Key="k", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": later})
    until(lambda: way.far.head_object(Bucket=b, Key="k").get("ObjectLockMode") == "GOVERNANCE")
    way.near.put_object_legal_hold(Bucket=a, Key="k", LegalHold={"Status": "OFF"})
    until(lambda: way.far.get_object_legal_hold(Bucket=b, Key="k")["LegalHold"]["Status"] == "OFF")
    completed(way.near, a, "k")
    assert len(versions(way.far, b)[0]) == 1


def test_filters_and_priorities_decide(way):
    a, b, c = versioned(way.near), versioned(way.far), versioned(way.far)
    tagged = {"And": {"Prefix": "in/", "Tags": [{"Key": "copy", "Value": "yes"}]}}
    replicate(
        way.near, a,
        rule(way.arn(b), ID="low", Priority=1, Destination={"StorageClass": "GLACIER"}),
        rule(way.arn(b), ID="high", Priority=7, Filter={"Prefix": "in/"}, Destination={"StorageClass": "STANDARD_IA"}),
        rule(way.arn(c), ID="tags", Priority=3, Filter=tagged),
    )
    way.near.put_object(Bucket=a, Key="in/tagged", Body=b"", Tagging="copy=yes")
    way.near.put_object(Bucket=a, Key="in/plain", Body=b"")
    way.near.put_object(Bucket=a, Key="out", Body=b"", Tagging="copy=yes")
    for key in ("in/tagged", "in/plain", "out"):
        completed(way.near, a, key)
    assert way.far.head_object(Bucket=b, Key="in/plain")["StorageClass"] == "STANDARD_IA"
    assert way.far.head_object(Bucket=b, Key="out")["StorageClass"] == "GLACIER"
    assert [v["Key"] for v in versions(way.far, c)[0]] == ["in/tagged"]


def test_what_was_there_before_goes_with_a_resync(way, pair):
    a, b = versioned(way.near), versioned(way.far)
    for n in range(3):
        way.near.put_object(Bucket=a, Key="k", Body=str(n).encode())
    way.near.put_object(Bucket=a, Key="gone", Body=b"")
    way.near.delete_object(Bucket=a, Key="gone")
    replicate(way.near, a, rule(way.arn(b), markers="Enabled"))
    way.near.put_object(Bucket=a, Key="k", Body=b"new")
    completed(way.near, a, "k")
    assert len(versions(way.far, b)[0]) == 1
    pair[0].command("replication", "resync", a)
    until(lambda: len(versions(way.far, b, "k")[0]) == 5 and versions(way.far, b, "gone")[1])
    # What is current here is current there, though it was there before what is older.
    assert way.far.get_object(Bucket=b, Key="k")["Body"].read() == b"new"
    pair[0].command("replication", "resync", a)
    until(lambda: not waiting(pair[0], a))
    assert len(versions(way.far, b, "k")[0]) == 5


def test_a_rule_about_existing_objects_begins_by_itself(way):
    a, b = versioned(way.near), versioned(way.far)
    way.near.put_object(Bucket=a, Key="before", Body=b"1")
    replicate(way.near, a, rule(way.arn(b), ExistingObjectReplication={"Status": "Enabled"}))
    completed(way.near, a, "before")
    assert way.far.get_object(Bucket=b, Key="before")["Body"].read() == b"1"


def waiting(server: Server, bucket: str) -> int:
    found = json.loads(server.command("replication", "status", bucket, "--json"))
    return sum(d["waiting"] for d in found["destinations"])


def test_two_servers_copy_to_one_another_and_nothing_goes_round(pair):
    one, two = pair
    s1, s2 = (client(s.endpoint, s.root) for s in pair)
    name = unique("both")
    for s3 in (s1, s2):
        versioned(s3, name)
        sync = {"ReplicaModifications": {"Status": "Enabled"}, "SseKmsEncryptedObjects": {"Status": "Disabled"}}
        replicate(s3, name, rule(there(name), markers="Enabled", SourceSelectionCriteria=sync))
    s1.put_object(Bucket=name, Key="from-1", Body=b"1")
    s2.put_object(Bucket=name, Key="from-2", Body=b"2")
    completed(s1, name, "from-1")
    completed(s2, name, "from-2")
    assert s2.get_object(Bucket=name, Key="from-1")["Body"].read() == b"1"
    assert s1.get_object(Bucket=name, Key="from-2")["Body"].read() == b"2"
    # What is said of a copy there is said of its source here, and does not come back.
    s2.put_object_tagging(Bucket=name, Key="from-1", Tagging={"TagSet": [{"Key": "by", "Value": "two"}]})
    until(lambda: s1.get_object_tagging(Bucket=name, Key="from-1")["TagSet"] == [{"Key": "by", "Value": "two"}])
    s1.delete_object(Bucket=name, Key="from-2")
    until(lambda: versions(s2, name, "from-2")[1])
    until(lambda: not waiting(one, name) and not waiting(two, name))
    time.sleep(3)
    for s3, own, other in ((s1, "from-1", "from-2"), (s2, "from-2", "from-1")):
        assert len(versions(s3, name, own)[0]) == 1 and len(versions(s3, name, other)[0]) == 1
        assert status(s3, name, own) in ("COMPLETED", None) if own == "from-1" else True
    assert status(s2, name, "from-1") == "REPLICA"
    assert len(versions(s1, name, "from-2")[1]) == 1 and len(versions(s2, name, "from-2")[1]) == 1


def test_what_waits_survives_kills_and_arrives_once(tmp_path):
    near, far = Fixed(tmp_path / "near"), Fixed(tmp_path / "far")
    for server in (near, far):
        server.folder.mkdir()
    try:
        far.start()
        versioned(client(far.endpoint, far.root), "copies")
        targets(near, remote("far", f"http://{far.address}", far.root, ["copies"]))
        near.secrets.add(far.root.secret)
        near.start()
        s3 = client(near.endpoint, near.root)
        a = versioned(s3)
        replicate(s3, a, rule(here("copies")))
        for n in range(60):
            s3.put_object(Bucket=a, Key=f"k{n % 20}", Body=str(n).encode() * 2000)
            if n in (10, 30):
                near.kill()
                near.start()
            if n in (20, 45):
                far.kill()
            if n == 28:
                far.start()
        near.kill()
        far.start()
        near.start()
        for n in range(20):
            completed(s3, a, f"k{n}")
        until(lambda: not waiting(near, a))
        target = client(far.endpoint, far.root)
        found, _ = versions(target, "copies")
        bodies: dict[str, list[bytes]] = {}
        for version in found:
            body = target.get_object(Bucket="copies", Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
            bodies.setdefault(version["Key"], []).append(body)
        expected = {f"k{n}": [str(n + i).encode() * 2000 for i in (40, 20, 0)] for n in range(20)}
        assert bodies == expected
        near.stop()
        far.stop()
    finally:
        near.kill(), far.kill()


def test_another_implementation_takes_copies(tmp_path):
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    near = Fixed(tmp_path)
    try:
        endpoint = "http://%s:%d" % moto.get_host_and_port()
        key = Key("AKIAMOTO", FAR_SECRET)
        far = client(endpoint, key)
        versioned(far, "copies")
        targets(near, remote("far", endpoint, key, ["copies"]))
        near.secrets.add(FAR_SECRET)
        near.start()
        s3 = client(near.endpoint, near.root)
        a = versioned(s3)
        replicate(s3, a, rule(here("copies"), markers="Enabled"))
        s3.put_object(Bucket=a, Key="k/ü", Body=b"content", Metadata={"a": "b"}, Tagging="t=1", ContentType="text/x")
        upload = s3.create_multipart_upload(Bucket=a, Key="parts")["UploadId"]
        parts = [
            {"PartNumber": n, "ETag": s3.upload_part(Bucket=a, Key="parts", UploadId=upload, PartNumber=n, Body=p)["ETag"]}
            for n, p in ((1, b"a" * (5 << 20)), (2, b"b"))
        ]
        s3.complete_multipart_upload(Bucket=a, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
        for key_ in ("k/ü", "parts"):
            completed(s3, a, key_)
            assert far.head_object(Bucket="copies", Key=key_)["ETag"] == s3.head_object(Bucket=a, Key=key_)["ETag"]
        copy = far.get_object(Bucket="copies", Key="k/ü")
        assert copy["Body"].read() == b"content" and copy["Metadata"] == {"a": "b"} and copy["ContentType"] == "text/x"
        assert far.get_object_tagging(Bucket="copies", Key="k/ü")["TagSet"] == [{"Key": "t", "Value": "1"}]
        s3.put_object_tagging(Bucket=a, Key="k/ü", Tagging={"TagSet": [{"Key": "t", "Value": "2"}]})
        until(lambda: far.get_object_tagging(Bucket="copies", Key="k/ü")["TagSet"] == [{"Key": "t", "Value": "2"}])
        s3.delete_object(Bucket=a, Key="parts")
        until(lambda: versions(far, "copies", "parts")[1])
        near.stop()
    finally:
        near.kill()
        moto.stop()


def test_a_remote_lists_its_buckets_and_no_other_is_reached(tmp_path):
    near = Fixed(tmp_path)
    key = Key("AKIAFAR", FAR_SECRET)
    targets(near, remote("far", "http://127.0.0.1:1", key, ["copies"]))
    near.secrets.add(FAR_SECRET)
    near.start()
    try:
        s3 = client(near.endpoint, near.root)
        a = versioned(s3)
        for arn in (there("others", "far"), there("copies", "nobody"), here("nowhere"), "arn:aws:sqs:::copies"):
            with pytest.raises(ClientError, match="Destination bucket must exist"):
                replicate(s3, a, rule(arn))
        # What can not be reached waits, is visible, and ends at once with its rule.
        replicate(s3, a, rule(here("copies")))
        s3.put_object(Bucket=a, Key="k", Body=b"")
        assert status(s3, a, "k") == "PENDING"

        def standing():
            return json.loads(near.command("replication", "status", a, "--json"))["destinations"][0]

        until(lambda: standing()["error"])
        assert standing()["waiting"] == 1 and "far" in standing()["error"]
        s3.delete_bucket_replication(Bucket=a)
        until(lambda: status(s3, a, "k") is None)
        assert waiting(near, a) == 0
        near.stop()
    finally:
        near.kill()


def test_what_the_other_side_refuses_has_failed_until_a_resync(pair):
    one, _ = pair
    s3 = client(one.endpoint, one.root)
    a, b = versioned(s3), versioned(s3)
    replicate(s3, a, rule(here(b)))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:ReplicateObject", "Resource": f"arn:aws:s3:::{b}/*"}
    s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    s3.put_object(Bucket=a, Key="k", Body=b"1")
    until(lambda: status(s3, a, "k") == "FAILED")
    assert not versions(s3, b)[0]
    s3.delete_bucket_policy(Bucket=b)
    one.command("replication", "resync", a)
    completed(s3, a, "k")
    # It stands in the ledger as the worker's, denials too.
    records = json.loads(one.command("audit", "list", "--bucket", b, "--json"))["records"]
    mine = [r for r in records if r["principal"] == "system:replication"]
    assert any(r["operation"] == "ReplicateObject" and r["kind"] == "denial" for r in mine)
    assert any(r["operation"] == "ReplicateObject" and r["kind"] == "write" for r in mine)


def test_the_configuration_is_checked_as_s3_does(pair, tmp_path):
    one, _ = pair
    s3 = client(one.endpoint, one.root)
    plain, b = unique("plain"), versioned(s3)
    s3.create_bucket(Bucket=plain)
    a = versioned(s3)

    def refused(bucket, *rules, match):
        with pytest.raises(ClientError, match=match):
            replicate(s3, bucket, *rules)

    refused(plain, rule(here(b)), match="InvalidRequest.*Versioning must be 'Enabled'")
    refused(a, rule(here(plain)), match="InvalidRequest.*Destination bucket must have versioning enabled")
    refused(a, rule(here(a)), match="InvalidRequest.*cannot be the same")
    refused(a, rule(here(b)), rule(here(b), ID="two"), match="duplicate priority")
    refused(a, rule(here(b), Destination={"StorageClass": "NOTHING"}), match="MalformedXML")
    kms = {"SseKmsEncryptedObjects": {"Status": "Enabled"}, "ReplicaModifications": {"Status": "Disabled"}}
    refused(a, rule(here(b), SourceSelectionCriteria=kms), match="EncryptionConfiguration")
    replicate(s3, a, rule(here(b)))
    with pytest.raises(ClientError, match="InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=a, VersioningConfiguration={"Status": "Suspended"})
    # The first form of the schema: no filter, no priority.
    first = {"ID": "v1", "Prefix": "p/", "Status": "Enabled", "Destination": {"Bucket": here(b)}}
    replicate(s3, a, first)
    s3.put_object(Bucket=a, Key="p/k", Body=b"1")
    s3.put_object(Bucket=a, Key="q", Body=b"1")
    completed(s3, a, "p/k")
    assert status(s3, a, "q") is None
    s3.delete_object(Bucket=a, Key="p/k")
    until(lambda: versions(s3, b, "p/k")[1])


def test_nobody_has_copied_for_them_what_they_may_not(pair):
    one, _ = pair
    s3 = client(one.endpoint, one.root)
    a, b = versioned(s3), versioned(s3)
    name = unique("user")
    made = json.loads(one.command("user", "add", name, "--json"))
    key = one.keep(Key(made["id"], made["secret"], name))

    def may(*statements):
        file = one.folder / "policy.json"
        listed = [{"Effect": "Allow", "Action": act, "Resource": res} for act, res in statements]
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": listed}))
        one.command("policy", "put", key.user, "test", str(file))

    user = client(one.endpoint, key)
    configure = ("s3:*Replication*", here(a))
    read = ("s3:GetObjectVersion*", f"{here(a)}/*")
    write = ("s3:Replicate*", f"{here(b)}/*")
    for statements in ([configure], [configure, read], [configure, write]):
        may(*statements)
        with pytest.raises(ClientError, match="AccessDenied"):
            replicate(user, a, rule(here(b)))
    may(configure, read, write)
    replicate(user, a, rule(here(b)))
    # To bring a copy takes its own right, besides that of a put.
    may(("s3:PutObject", f"{here(b)}/*"))

    def mark(request, **_):
        request.headers["x-amz-replication-status"] = "REPLICA"

    user.meta.events.register("before-sign.s3.PutObject", mark)
    with pytest.raises(ClientError, match="AccessDenied"):
        user.put_object(Bucket=b, Key="k", Body=b"")
    may(("s3:PutObject", f"{here(b)}/*"), write)
    user.put_object(Bucket=b, Key="k", Body=b"")
    assert status(s3, b, "k") == "REPLICA"


def test_clients_own_keys_do_not_travel_and_named_keys_do_where_a_rule_says_so(pair):
    one, _ = pair
    s3 = client(one.endpoint, one.root)
    a, b = versioned(s3), versioned(s3)
    name = unique("key")
    arn = one.command("keys", "add", name).strip()
    kms = {"SseKmsEncryptedObjects": {"Status": "Enabled"}, "ReplicaModifications": {"Status": "Disabled"}}
    to = {"EncryptionConfiguration": {"ReplicaKmsKeyID": arn}}
    replicate(s3, a, rule(here(b), SourceSelectionCriteria=kms, Destination=to))
    unblock = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}
    try:
        s3.put_bucket_encryption(Bucket=a, ServerSideEncryptionConfiguration=unblock)
        own = base64.b64encode(b"k" * 32).decode()
        s3.put_object(Bucket=a, Key="own", Body=b"1", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    except Exception:  # noqa: BLE001 an SDK that does not know the element
        own = None
    s3.put_object(Bucket=a, Key="named", Body=b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    completed(s3, a, "named")
    copy = s3.get_object(Bucket=b, Key="named")
    assert copy["Body"].read() == b"secret" and copy["SSEKMSKeyId"] == arn
    if own:
        head = s3.head_object(Bucket=a, Key="own", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
        assert "ReplicationStatus" not in head
        assert not versions(s3, b, "own")[0]


def test_the_metrics_tell_of_it(pair):
    import urllib.request

    text = urllib.request.urlopen(pair[0].endpoint + "/_metrics", timeout=10).read().decode()
    for name in ("craton_replication_waiting", "craton_replication_copied", "craton_replication_failed"):
        assert f"\n{name} " in text
