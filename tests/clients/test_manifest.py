"""The manifest of a run: exactly what it read, with digests that are computed again here; valid for mlcroissant, and signed as in-toto has it."""

import base64
import copy
import hashlib
import json
import urllib.parse

import mlcroissant
import pyarrow as pa
import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from conftest import allow, client
from server import Key, Server, unique
from sigv4 import Signer, send
from test_budgets import ask as asked
from test_budgets import bearer
from test_iceberg import connect
from test_lineage import ALL, api, named, run_of

NS = "urn:craton:"


def manifest(server: Server, key: Key, run: str, **query: object) -> dict:
    return api(server, key, f"runs/{run}/manifest", principal=key.user, **query)


def refused(server: Server, key: Key, run: str, **query: object) -> tuple[int, str]:
    text = urllib.parse.urlencode(sorted(({"principal": key.user} | query).items()), quote_via=urllib.parse.quote)
    answer = send(server, Signer(server, key).request("GET", f"/_api/v1/runs/{run}/manifest", text))
    return answer.status, json.loads(answer.body)["error"]["reason"]


def files(found: dict) -> dict[str, dict]:
    """By resource; a resource is read in one version here."""
    out = {file["craton:resource"]: file for file in found["distribution"]}
    assert len(out) == len(found["distribution"])
    return out


def is_valid(found: dict) -> mlcroissant.Metadata:
    metadata = mlcroissant.Dataset(found).metadata
    assert not metadata.ctx.issues.errors
    assert metadata.ctx.conforms_to == mlcroissant._src.core.context.CroissantVersion.V_1_1  # noqa: SLF001
    assert [file.sha256 for file in metadata.distribution] == [file["sha256"] for file in found["distribution"]]
    return metadata


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def versions_read(server: Server, key: Key, run: str) -> set[tuple[str, int]]:
    return {(edge["resource"], edge["version"]) for edge in run_of(server, key, run)["edges"] if edge["mode"] == "read"}


def key_of_the_log(server: Server) -> SSlibKey:
    """The key that verifies checkpoints, as in-toto's libraries have keys."""
    told = api(server, server.root, "ledger/checkpoint")["key"]
    name, number, key = told.split("+", 2)
    raw = base64.b64decode(key)
    assert raw[0] == 1 and len(raw) == 33
    return SSlibKey(f"{name}+{number}", "ed25519", "ed25519", {"public": raw[1:].hex()})


def opened(server: Server, envelope: dict) -> dict:
    """What a verified envelope says."""
    parsed = Envelope.from_dict(copy.deepcopy(envelope))
    assert parsed.verify([key_of_the_log(server)], 1)
    assert parsed.payload_type == "application/vnd.in-toto+json"
    said = json.loads(parsed.payload)
    Statement.copy_from_pb(json_format.ParseDict(said, statement_pb2.Statement())).validate()
    return said


def test_it_is_exactly_what_was_read(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    contents = {"a": b"x" * 100, "folder/b c.csv": b"1,2\n", "large": b"y" * 3_000_000, "empty": b""}
    for name, content in contents.items():
        s3.put_object(Bucket=bucket, Key=name, Body=content, ContentType="text/csv")
    s3.put_object(Bucket=bucket, Key="summed", Body=b"summed", ChecksumAlgorithm="SHA256", Tagging="license=CC-BY-4.0&craton%3Alabels=secret+pii")
    s3.put_object(Bucket=bucket, Key="unread", Body=b"unread")
    mine = named(client(server, user), run)
    for name in [*contents, "summed", "a"]:
        mine.get_object(Bucket=bucket, Key=name)["Body"].read()
    mine.head_object(Bucket=bucket, Key="a")
    mine.put_object(Bucket=bucket, Key="out", Body=b"result")
    before = run_of(server, user, run)

    found = manifest(server, user, run)
    is_valid(found)
    of = files(found)
    assert {path.removeprefix(f"/{bucket}/objects/"): file["sha256"] for path, file in of.items()} == {
        name: sha256(content) for name, content in (contents | {"summed": b"summed"}).items()
    }
    assert {(path, file["craton:version"]) for path, file in of.items()} == versions_read(server, user, run)
    assert found["craton:notDigested"] == [] and found["craton:hidden"] == 0 and "craton:next" not in found
    one = of[f"/{bucket}/objects/folder/b c.csv"]
    assert (one["contentUrl"], one["contentSize"], one["encodingFormat"], one["name"]) == (f"s3://{bucket}/folder/b c.csv", "4 B", "text/csv", "folder/b c.csv")
    tagged = of[f"/{bucket}/objects/summed"]
    assert (tagged["license"], tagged["craton:licenceFrom"], tagged["craton:labels"]) == ("CC-BY-4.0", "object", ["pii", "secret"])
    assert found["license"] == ["CC-BY-4.0"]
    assert of[f"/{bucket}/objects/a"]["craton:reads"] == 3
    assert run_of(server, user, run) == before, "making it is no part of the run"

    own = run_of(server, user, f"manifest-{run}")
    reads = {edge["resource"]: edge["bytes"] for edge in own["edges"]}
    assert set(reads) == set(of), "every digest is a read that was decided and recorded"
    assert reads[f"/{bucket}/objects/large"] == 3_000_000 and reads[f"/{bucket}/objects/summed"] == 0, "a stored SHA-256 is not computed again"
    assert manifest(server, user, run)["distribution"] == found["distribution"]
    again = {edge["resource"]: edge["bytes"] for edge in run_of(server, user, f"manifest-{run}")["edges"]}
    assert again == reads, "digests are kept: nothing was read again"
    assert json.loads(server.command("run", "manifest", run, "--principal", user.user))["distribution"] == found["distribution"]


def test_what_changed_since_and_what_is_gone(server, bucket, s3, make_user):
    user, run, later = make_user(ALL), unique("run"), unique("run")
    kept = unique("kept")
    s3.create_bucket(Bucket=kept)
    s3.put_bucket_versioning(Bucket=kept, VersioningConfiguration={"Status": "Enabled"})
    first = {name: s3.put_object(Bucket=kept, Key=name, Body=name.encode())["VersionId"] for name in ("older", "erased", "told-before")}
    s3.put_object(Bucket=bucket, Key="replaced", Body=b"first")
    for which in (run, later):
        mine = named(client(server, user), which)
        for name in first:
            mine.get_object(Bucket=kept, Key=name)["Body"].read()
        mine.get_object(Bucket=bucket, Key="replaced")["Body"].read()
    s3.delete_object(Bucket=kept, Key="erased", VersionId=first["erased"])
    s3.put_object(Bucket=kept, Key="older", Body=b"newer")
    s3.put_object(Bucket=bucket, Key="replaced", Body=b"second")
    found = manifest(server, user, run)
    is_valid(found)
    of = files(found)
    older = of[f"/{kept}/objects/older"]
    assert (older["sha256"], older["craton:standing"], older["craton:versionId"]) == (sha256(b"older"), "older", first["older"])
    assert older["contentUrl"] == f"s3://{kept}/older?versionId={first['older']}"
    replaced = of[f"/{bucket}/objects/replaced"]
    assert (replaced["sha256"], replaced["craton:standing"]) == (sha256(b"first"), "replaced")
    (gone,) = found["craton:notDigested"]
    assert (gone["craton:resource"], gone["craton:standing"]) == (f"/{kept}/objects/erased", "gone") and "craton:sha256" not in gone
    s3.delete_object(Bucket=kept, Key="told-before", VersionId=first["told-before"])
    beside = {one["craton:resource"]: one for one in manifest(server, user, later)["craton:notDigested"]}
    known = beside[f"/{kept}/objects/told-before"]
    assert (known["craton:standing"], known["craton:sha256"], known["craton:size"]) == ("gone", sha256(b"told-before"), len(b"told-before"))


def test_tables_and_graphs(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "Licence", "Value": "CC0-1.0"}]})
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    data = pa.table({"id": pa.array(range(10), pa.int64())})
    table = catalog.create_table("ns.t", data.schema, properties={"craton.labels": "lab"})
    table.append(data)
    old = table.current_snapshot().snapshot_id
    table.append(data)
    token = bearer(server, user) | {"x-craton-run": run}

    def did(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        status, answer, _ = asked(server, token | headers, method, path, body)
        assert status < 300, (status, answer)
        return answer

    root = Signer(server, server.root)
    assert send(server, root.request("POST", f"/_graph/v1/{bucket}/g/facts", "", [], b"(edge a b) (edge b c)")).status == 200
    for at in ("", f" for version as of {old}"):
        statement = json.dumps({"statement": f'select sum(id) from "{bucket}".ns.t{at}'}).encode()
        did("POST", "/_api/v1/sql", statement, **{"content-type": "application/json"})
    did("GET", f"/_graph/v1/{bucket}/g/facts")
    found = manifest(server, user, run)
    is_valid(found)
    assert found["craton:notDigested"] == [] and found["craton:hidden"] == 0
    of = {(file["craton:kind"], file["craton:resource"]): file for file in found["distribution"]}
    assert {(file["craton:resource"], file["craton:version"]) for file in of.values()} == versions_read(server, user, run)
    (whole,) = [file for (kind, _), file in of.items() if kind == "table"]
    table.refresh()
    location = table.metadata_location
    assert whole["contentUrl"] == location and whole["craton:table"] == "ns.t" and whole["craton:labels"] == ["lab"]
    assert whole["license"] == "CC0-1.0" and whole["craton:licenceFrom"] == "bucket"
    key = location.removeprefix(f"s3://{bucket}/")
    assert whole["sha256"] == sha256(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert whole["craton:currentSnapshot"] == str(table.current_snapshot().snapshot_id)
    assert set(whole["craton:snapshotsRead"]) == {str(old), str(table.current_snapshot().snapshot_id)}
    data_files = {task.file.file_path.removeprefix(f"s3://{bucket}/") for task in table.scan().plan_files()}
    read = {resource.removeprefix(f"/{bucket}/objects/"): file for (kind, resource), file in of.items() if kind == "object"}
    assert set(read) == data_files and len(read) == 2
    for name, file in read.items():
        assert file["sha256"] == sha256(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
    (graph,) = [file for (kind, _), file in of.items() if kind == "graph"]
    answer = send(server, root.request("GET", f"/_graph/v1/{bucket}/g/facts", f"snapshot={graph['craton:version']}"))
    assert answer.status == 200 and graph["sha256"] == sha256(answer.body) and graph["contentUrl"] == f"craton://{bucket}/graphs/g?snapshot={graph['craton:version']}"


def test_a_statement_is_signed_by_the_ledgers_key(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    for n in range(3):
        s3.put_object(Bucket=bucket, Key=f"in/{n}", Body=f"in {n}".encode())
    mine = named(client(server, user), run)
    for n in range(3):
        mine.get_object(Bucket=bucket, Key=f"in/{n}")["Body"].read()
    alone = opened(server, manifest(server, user, run, format="in-toto"))
    dependencies = alone["predicate"]["buildDefinition"]["resolvedDependencies"]
    lines = sorted(f"{one['digest']['sha256']}  {one['name']}\n" for one in dependencies)
    assert [one["digest"]["sha256"] for one in alone["subject"]] == [sha256("".join(lines).encode())], "of a run that wrote nothing: what it read"
    mine.put_object(Bucket=bucket, Key="model", Body=b"weights")
    mine.put_object(Bucket=bucket, Key="passing", Body=b"passing")
    mine.delete_object(Bucket=bucket, Key="passing")
    envelope = manifest(server, user, run, format="in-toto")
    said = opened(server, envelope)
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {one["uri"]: one["digest"]["sha256"] for one in said["subject"]} == {
        f"s3://{bucket}/model": sha256(b"weights"), f"s3://{bucket}/passing": sha256(b"passing"),
    }, "what is deleted without versions is there for the undo window"
    build = said["predicate"]["buildDefinition"]
    assert {one["uri"]: one["digest"]["sha256"] for one in build["resolvedDependencies"]} == {f"s3://{bucket}/in/{n}": sha256(f"in {n}".encode()) for n in range(3)}
    assert build["externalParameters"]["run"] == run and build["externalParameters"]["principal"] == user.user
    forged = envelope | {"payload": base64.b64encode(base64.b64decode(envelope["payload"]).replace(b"in/0", b"in/9")).decode()}
    with pytest.raises(Exception, match="threshold|signature|Signature"):
        opened(server, forged)
    assert json.loads(server.command("run", "manifest", run, "--principal", user.user, "--format", "in-toto"))["payloadType"] == envelope["payloadType"]


def test_parts_make_the_whole(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    mine = named(client(server, user), run)
    for n in range(23):
        s3.put_object(Bucket=bucket, Key=f"{n}", Body=f"{n}".encode())
        mine.get_object(Bucket=bucket, Key=f"{n}")["Body"].read()
        if n % 5 == 0:
            mine.put_object(Bucket=bucket, Key=f"out{n}", Body=b"x")
    whole = manifest(server, user, run)
    seen, after, parts = [], {}, 0
    while True:
        part = manifest(server, user, run, limit=4, **after)
        is_valid(part)
        seen += part["distribution"]
        parts += 1
        if "craton:next" not in part:
            break
        after = {"after": part["craton:next"]}
    assert seen == whole["distribution"] and len(seen) == 23 and parts == 7
    assert refused(server, user, run, after="00") == (400, "InvalidArgument")
    assert refused(server, user, run, format="toml")[0] == 400
    assert refused(server, user, run, format="in-toto", limit=3)[0] == 400
    assert refused(server, user, unique("none")) == (404, "NoSuchRun")


def test_who_may_see_what(server, bucket, s3, make_user):
    """A run is its principal's; of others' the edges are told that lineage tells, and of any a version that one may read."""
    user, run = make_user(ALL), unique("run")
    s3.put_object(Bucket=bucket, Key="open/a", Body=b"a", Tagging="license=MIT")
    s3.put_object(Bucket=bucket, Key="shut/b", Body=b"b")
    mine = named(client(server, user), run)
    for name in ("open/a", "shut/b"):
        mine.get_object(Bucket=bucket, Key=name)["Body"].read()
    here = f"arn:aws:s3:::{bucket}"

    def other(*statements: dict) -> Key:
        made = make_user(*statements)
        return Key(made.id, made.secret, user.user)

    assert refused(server, other(ALL), run)[0] == 403
    lists = manifest(server, other(allow("craton:ListRuns")), run)
    assert (lists["distribution"], lists["craton:hidden"]) == ([], 2)
    reads = [allow("craton:ListRuns"), allow("craton:ReadLineage", here), allow("s3:GetObject", f"{here}/open/*")]
    found = manifest(server, other(*reads), run)
    (file,) = found["distribution"]
    assert (file["sha256"], found["craton:hidden"], found["craton:notDigested"]) == (sha256(b"a"), 1, [])
    assert "shut" not in json.dumps(found) and sha256(b"b") not in json.dumps(found)
    assert "license" not in file and file["craton:tagsHidden"], "tags are told to who may read tags"
    tags = [*reads, allow("s3:GetObjectTagging"), allow("s3:GetBucketTagging")]
    (file,) = manifest(server, other(*tags), run)["distribution"]
    assert file["license"] == "MIT" and "craton:tagsHidden" not in file
    # Who lost the right to read does not keep that to what was read, not even to a digest that is kept.
    assert len(manifest(server, user, run)["distribution"]) == 2
    server.command("policy", "rm", user.user, "test")
    left = manifest(server, user, run)
    assert (left["distribution"], left["craton:notDigested"], left["craton:hidden"]) == ([], [], 2)


def test_what_only_the_clients_own_key_opens_has_no_digest(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    mine = named(client(server, user), run)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="sealed", Body=b"x", ChecksumAlgorithm="SHA256", **own)
    mine.get_object(Bucket=bucket, Key="sealed", **own)["Body"].read()
    found = manifest(server, user, run)
    (one,) = found["craton:notDigested"]
    assert found["distribution"] == [] and one["craton:standing"] == "current"
    assert one["craton:why"].startswith("InvalidRequest") and "craton:sha256" not in one
