"""What engines are given to reach a table's files: credentials for them alone, or signatures for each request."""

import json
import time
import urllib.parse
from dataclasses import replace

import boto3
import pytest
from botocore.config import Config
from pyiceberg.catalog.rest import RestCatalog

from conftest import allow
from server import REGION, Key, Server
from sigv4 import Request, send
from test_iceberg import ROWS, rows
from test_iceberg_door import SCHEMA, Door, kind

VENDED = [("x-iceberg-access-delegation", "vended-credentials")]


def catalog_of(server: Server, bucket: str, key: Key, **more: str) -> RestCatalog:
    """A catalog by token, with no credentials for files."""
    asks = {"credential": f"{key.id}:{key.secret}", "oauth2-server-uri": f"{server.endpoint}/_iceberg/v1/oauth/tokens"}
    return RestCatalog("craton", uri=f"{server.endpoint}/_iceberg", warehouse=bucket, **asks, **more)


def files(server: Server, given: dict, service: str = "s3"):
    """A client with vended credentials."""
    token = given["s3.session-token"]
    server.secrets.add(token)
    server.keep(Key(given["s3.access-key-id"], given["s3.secret-access-key"]))
    config = Config(retries={"max_attempts": 1}, **({"s3": {"addressing_style": "path"}} if service == "s3" else {}))
    return boto3.client(
        service, endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=given["s3.access-key-id"],
        aws_secret_access_key=given["s3.secret-access-key"], aws_session_token=token, config=config,
    )


def refused(attempt) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as told:
        attempt()
    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403), told.value


def of_tables(bucket: str, *actions: str) -> dict:
    arn = f"arn:aws:s3tables:::bucket/{bucket}"
    return allow(list(actions), [arn, f"{arn}/table/*"])


@pytest.fixture
def writer(server, bucket, make_user) -> Key:
    """May everything with tables and nothing with S3."""
    return make_user(of_tables(bucket, "s3tables:*"))


@pytest.fixture
def table(server, bucket, writer):
    catalog = catalog_of(server, bucket, writer)
    catalog.create_namespace("ns")
    table = catalog.create_table("ns.t", ROWS)
    table.append(rows("ana"))
    return table


def credentials(door: Door, name: str = "t") -> dict:
    given = door.did("GET", f"namespaces/ns/tables/{name}/credentials")["storage-credentials"]
    assert len(given) == 1
    return given[0]


def test_pyiceberg_writes_and_reads_with_what_it_is_given(server, bucket, writer, table):
    again = catalog_of(server, bucket, writer).load_table("ns.t")
    again.append(rows("bo", start=2))
    assert sorted(again.scan().to_arrow()["name"].to_pylist()) == ["ana", "bo"]
    again.delete("id = 1")
    with catalog_of(server, bucket, writer).create_table_transaction("ns.staged", ROWS) as transaction:
        transaction.append(rows("cy"))
    assert catalog_of(server, bucket, writer).load_table("ns.staged").scan().to_arrow().num_rows == 1


def test_credentials_reach_one_table_and_its_files(server, bucket, s3, table, make_user):
    catalog_of(server, bucket, make_user(of_tables(bucket, "s3tables:*"))).create_table("ns.other", ROWS).append(rows("secret"))
    key = make_user(allow("*"))
    given = credentials(Door(server, bucket, key))
    folder = f".tables/{table.metadata.table_uuid}/"
    assert given["prefix"] == f"s3://{bucket}/{folder}"
    left_ms = int(given["config"]["s3.session-token-expires-at-ms"]) - time.time() * 1000
    assert 0 < left_ms <= 3_610_000
    theirs = files(server, given["config"])
    inside = [o["Key"] for o in theirs.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]]
    data = next(k for k in inside if "/data/" in k)
    assert theirs.get_object(Bucket=bucket, Key=data)["Body"].read() and theirs.head_object(Bucket=bucket, Key=data)
    theirs.put_object(Bucket=bucket, Key=f"{folder}data/x", Body=b"x")
    theirs.copy_object(Bucket=bucket, Key=f"{folder}data/y", CopySource=f"{bucket}/{data}")
    theirs.delete_object(Bucket=bucket, Key=f"{folder}data/x")
    s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=".tables/")["Contents"]]
    others = next(k for k in listed if not k.startswith(folder) and "/data/" in k)
    for attempt in [
        lambda: theirs.get_object(Bucket=bucket, Key=others), lambda: theirs.get_object(Bucket=bucket, Key="plain"),
        lambda: theirs.put_object(Bucket=bucket, Key="new", Body=b""), lambda: theirs.list_objects_v2(Bucket=bucket),
        lambda: theirs.list_objects_v2(Bucket=bucket, Prefix=".tables/"), lambda: theirs.list_buckets(),
        lambda: theirs.copy_object(Bucket=bucket, Key=f"{folder}data/z", CopySource=f"{bucket}/plain"),
        lambda: theirs.copy_object(Bucket=bucket, Key="stolen", CopySource=f"{bucket}/{data}"),
        lambda: theirs.put_object_tagging(Bucket=bucket, Key=data, Tagging={"TagSet": []}),
        lambda: theirs.get_object_tagging(Bucket=bucket, Key=data), lambda: theirs.delete_bucket(Bucket=bucket),
        lambda: theirs.get_bucket_policy(Bucket=bucket), lambda: theirs.create_bucket(Bucket=f"{bucket}-x"),
        # Metadata files are the catalog's.
        lambda: theirs.put_object(Bucket=bucket, Key=f"{folder}metadata/9.metadata.json", Body=b"{}"),
        lambda: files(server, given["config"], "iam").list_users(), lambda: files(server, given["config"], "sts").get_session_token(),
        lambda: files(server, given["config"], "sts").assume_role(RoleArn="arn:aws:iam::000000000000:role/x", RoleSessionName="session"),
    ]:
        refused(attempt)


def test_who_may_read_is_given_what_reads(server, bucket, table, make_user):
    reader = make_user(of_tables(bucket, "s3tables:Get*"))
    mine = catalog_of(server, bucket, reader).load_table("ns.t")
    assert mine.scan().to_arrow().num_rows == 1
    with pytest.raises(Exception, match="(?i)denied|forbidden"):
        mine.append(rows("x"))
    theirs = files(server, credentials(Door(server, bucket, reader))["config"])
    folder = f".tables/{table.metadata.table_uuid}/"
    key = next(o["Key"] for o in theirs.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"] if "/data/" in o["Key"])
    assert theirs.get_object(Bucket=bucket, Key=key)["Body"].read()
    refused(lambda: theirs.put_object(Bucket=bucket, Key=f"{folder}data/x", Body=b""))
    refused(lambda: theirs.delete_object(Bucket=bucket, Key=key))
    refused(lambda: theirs.create_multipart_upload(Bucket=bucket, Key=f"{folder}data/x"))


def test_they_end_with_the_rights_and_the_key_that_they_were_given_for(server, bucket, table, make_user):
    user = make_user(of_tables(bucket, "s3tables:*"))
    theirs = files(server, credentials(Door(server, bucket, user))["config"])
    folder = f".tables/{table.metadata.table_uuid}/"
    assert theirs.list_objects_v2(Bucket=bucket, Prefix=folder)["KeyCount"]
    server.command("policy", "rm", user.user, "test")
    refused(lambda: theirs.list_objects_v2(Bucket=bucket, Prefix=folder))
    other = make_user(of_tables(bucket, "s3tables:*"))
    theirs = files(server, credentials(Door(server, bucket, other))["config"])
    assert theirs.list_objects_v2(Bucket=bucket, Prefix=folder)["KeyCount"]
    server.command("user", "rm", other.user)
    refused(lambda: theirs.list_objects_v2(Bucket=bucket, Prefix=folder))


def test_nothing_is_given_that_was_not_asked_for_nor_to_root(server, bucket, table, writer):
    path = "namespaces/ns/tables/t"
    plain = Door(server, bucket, writer).did("GET", path)
    assert plain["config"] == {} and "storage-credentials" not in plain
    root = Door(server, bucket)
    assert root.did("GET", f"{path}/credentials")["storage-credentials"] == []
    assert b"s3.secret-access-key" not in root.ask("GET", path, headers=VENDED).body
    mine = Door(server, bucket, writer)
    first, second = (mine.ask("GET", path, headers=VENDED) for _ in range(2))
    assert first.headers["cache-control"] == "no-store" and first.body == second.body
    assert b"client.refresh-credentials-endpoint" in first.body


def test_cve_2026_42809_a_location_is_looked_at_before_anything_is_given(server, bucket, writer, table):
    """Nothing is vended for a table, staged or not, whose location is not its own folder."""
    door = Door(server, bucket, writer)
    for staged in (True, False):
        for where in (f"s3://{bucket}/", table.location(), f"s3://{bucket}/.tables/", "s3://elsewhere/x"):
            body = {"name": "new", "schema": SCHEMA, "location": where, "stage-create": staged}
            answer = door.ask("POST", "namespaces/ns/tables", body, headers=VENDED)
            assert kind(answer) == (400, "BadRequestException") and b"access-key" not in answer.body
    made = door.ask("POST", "namespaces/ns/tables", {"name": "new", "schema": SCHEMA, "stage-create": True}, headers=VENDED)
    assert made.status == 200 and b"s3.session-token" in made.body


@pytest.mark.parametrize("name", ["*", "t*", "?", "${aws:username}", "["])
def test_cve_2026_42810_a_table_s_name_is_no_pattern(server, bucket, writer, name, table):
    is_for_itself_alone(server, Door(server, bucket, writer), name, table)


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a') || true || ('", "\\", "a,b"])
def test_cve_2026_42811_a_table_s_name_is_no_syntax(server, bucket, writer, name, table):
    is_for_itself_alone(server, Door(server, bucket, writer), name, table)


@pytest.mark.parametrize("name", ["..", "a/b", "../x", "a.b", "a\x00b", "a\x1fb", "\n"])
def test_cve_2026_54917_no_name_of_a_table_leads_elsewhere(server, bucket, writer, name):
    """Of tables, views and namespaces: in paths and in bodies."""
    door = Door(server, bucket, writer)
    door.did("POST", "namespaces", {"namespace": ["ns"]})
    places = [("POST", "namespaces", {"namespace": [name]}), ("POST", "namespaces/ns/tables", {"name": name, "schema": SCHEMA})]
    quoted = urllib.parse.quote(name, safe="")
    paths = [("GET", f"namespaces/ns/tables/{quoted}"), ("GET", f"namespaces/ns/views/{quoted}"), ("DELETE", f"namespaces/ns/tables/{quoted}")]
    for method, path, body in places + [(*place, None) for place in paths]:
        # An encoded slash in a path that is signed for S3 is a slash, and so not what was signed.
        wanted = (400, 401) if "/" in name and body is None else (400,)
        assert door.ask(method, path, body).status in wanted, (method, path)


def is_for_itself_alone(server: Server, door: Door, name: str, table) -> None:
    """Whatever a table is called, what is given for it is for it alone."""
    bucket = door.prefix.split("/")[3]
    door.did("POST", "namespaces/ns/tables", {"name": name, "schema": SCHEMA})
    given = credentials(door, urllib.parse.quote(name, safe=""))
    theirs = files(server, given["config"])
    own = given["prefix"].removeprefix(f"s3://{bucket}/")
    assert theirs.list_objects_v2(Bucket=bucket, Prefix=own)["KeyCount"] == 1
    folder = f".tables/{table.metadata.table_uuid}/"
    refused(lambda: theirs.list_objects_v2(Bucket=bucket, Prefix=folder))
    refused(lambda: theirs.put_object(Bucket=bucket, Key=f"{folder}data/x", Body=b""))


@pytest.mark.parametrize("name", ["write.metadata.path", "write.data.path", "write.object-storage.path"])
def test_cve_2026_42812_every_location_is_looked_at_on_every_commit(server, bucket, writer, table, name):
    other = Door(server, bucket, writer).did("POST", "namespaces/ns/tables", {"name": "other", "schema": SCHEMA})["metadata"]["location"]
    door = Door(server, bucket, writer)
    for where in (other, f"s3://{bucket}/", f"{table.location()}/../x"):
        answer = door.commit([{"action": "set-properties", "updates": {name: where}}])
        assert kind(answer) == (400, "BadRequestException")
        made = door.ask("POST", "namespaces/ns/tables", {"name": "new", "schema": SCHEMA, "properties": {name: where}}, headers=VENDED)
        assert kind(made) == (400, "BadRequestException") and b"access-key" not in made.body


def patiently(attempt):
    """PyIceberg's file system is sometimes used before its signer is in place: such a request is a stranger's, and is refused."""
    for _ in range(20):
        try:
            return attempt()
        except PermissionError:
            pass
    return attempt()


class TestRemoteSigning:
    def test_pyiceberg_has_each_request_signed(self, server, bucket, writer, table):
        signed = catalog_of(
            server, bucket, writer,
            **{"header.X-Iceberg-Access-Delegation": "remote-signing", "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"},
        ).load_table("ns.t")
        assert signed.io.properties["s3.signer"] == "S3V4RestSigner" and "s3.session-token" not in signed.io.properties
        assert patiently(lambda: signed.scan().to_arrow())["name"].to_pylist() == ["ana"]
        patiently(lambda: signed.append(rows("bo", start=2)))
        assert sorted(patiently(lambda: signed.scan().to_arrow())["name"].to_pylist()) == ["ana", "bo"]

    def test_what_is_signed_is_good_for_that_request_alone(self, server, bucket, writer, table):
        door, path = Door(server, bucket, writer), f"/{bucket}/.tables/{table.metadata.table_uuid}/data/x"

        def signed(method: str, body: bytes = b"") -> Request:
            headers = {"host": [f"{server.host}:{server.port}"], "content-type": ["text/plain"]}
            asked = {"method": method, "uri": server.endpoint + path, "region": REGION, "headers": headers}
            told = json.loads(door.ask("POST", "namespaces/ns/tables/t/sign", asked).body)
            assert told["uri"] == server.endpoint + path
            server.secrets.update(told["headers"]["x-amz-security-token"])
            given = [(name, value) for name, values in (headers | told["headers"]).items() for value in values]
            return Request(method, path, [*given, ("content-length", str(len(body)))], body)

        put = signed("PUT", b"x")
        assert send(server, put).status == 200 and send(server, signed("GET")).body == b"x"
        assert send(server, replace(put, target=path + "y")).status == 403
        assert send(server, replace(signed("GET"), method="DELETE")).status == 403
        assert send(server, signed("DELETE")).status == 204

    def test_only_requests_for_the_tables_files_are_signed(self, server, bucket, writer, table, make_user):
        folder = f".tables/{table.metadata.table_uuid}"
        other = Door(server, bucket, writer).did("POST", "namespaces/ns/tables", {"name": "other", "schema": SCHEMA})["metadata"]["table-uuid"]

        def sign(door: Door, method: str, path: str) -> int:
            body = {"method": method, "uri": f"{server.endpoint}/{path}", "region": REGION, "headers": {"x-amz-meta-a": ["b"]}}
            return door.ask("POST", "namespaces/ns/tables/t/sign", body).status

        door, reader = Door(server, bucket, writer), Door(server, bucket, make_user(of_tables(bucket, "s3tables:Get*")))
        assert sign(door, "PUT", f"{bucket}/{folder}/data/x") == sign(reader, "GET", f"{bucket}/{folder}/data/x") == 200
        assert sign(reader, "GET", f"{bucket}?list-type=2&prefix={folder}%2Fdata") == 200
        for method, path in [
            ("PUT", f"{bucket}/{folder}/data/x"), ("DELETE", f"{bucket}/{folder}/data/x"), ("POST", f"{bucket}/{folder}/data/x?uploads"),
        ]:
            assert sign(reader, method, path) == 403, (method, path)
        for path in [
            f"{bucket}/plain", bucket, f"{bucket}?list-type=2", f"{bucket}?list-type=2&prefix=.tables%2F", f"{bucket}/.tables/{other}/data/x",
            f"{bucket}/{folder}/../{other}/data/x", f"{bucket}/{folder}%2F..%2F{other}/x", f"other/{folder}/data/x", f"{bucket}/{folder}x", "",
        ]:
            assert sign(door, "GET", path) == 403, path
        for body in [{}, {"method": "GET"}, {"method": "G E", "uri": "http://x/"}, {"method": "GET", "uri": "\n"}]:
            assert door.ask("POST", "namespaces/ns/tables/t/sign", body).status == 400
        assert sign(Door(server, bucket), "GET", f"{bucket}/{folder}/data/x") == 400, "root has no sessions"
