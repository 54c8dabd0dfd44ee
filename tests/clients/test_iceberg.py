"""The Iceberg door with PyIceberg, as its users drive it: by tokens and by signatures."""

import threading

import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    CommitFailedException, NamespaceAlreadyExistsError, NamespaceNotEmptyError, NoSuchNamespaceError, NoSuchTableError,
    RESTError, TableAlreadyExistsError,
)
from pyiceberg.expressions import EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import BucketTransform, IdentityTransform
from pyiceberg.types import ListType, LongType, MapType, NestedField, StringType, StructType

from conftest import allow, client
from server import REGION, Key, Server

ROWS = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])


def rows(*names: str, start: int = 1) -> pa.Table:
    return pa.table({"id": range(start, start + len(names)), "name": names}, schema=ROWS)


def connect(server: Server, bucket: str, key: Key | None = None, bearer: bool = False, **more: str) -> RestCatalog:
    """A catalog; files are read and written with the key, the catalog is asked with it or with a token for it."""
    key = key or server.root
    files = {
        "s3.endpoint": server.endpoint, "s3.access-key-id": key.id, "s3.secret-access-key": key.secret, "s3.region": REGION,
    }
    asks = {"credential": f"{key.id}:{key.secret}", "oauth2-server-uri": f"{server.endpoint}/_iceberg/v1/oauth/tokens"}
    if not bearer:
        asks = {
            "rest.sigv4-enabled": "true", "rest.signing-name": "s3tables", "rest.signing-region": REGION,
            "client.access-key-id": key.id, "client.secret-access-key": key.secret, "client.region": REGION,
        }
    return RestCatalog("craton", uri=f"{server.endpoint}/_iceberg", warehouse=bucket, **files, **asks, **more)


@pytest.fixture(params=["signed", "bearer"])
def catalog(server, bucket, request, make_user) -> RestCatalog:
    """As root, by signatures; as a user who may everything, by a token, which root gets none of."""
    if request.param == "signed":
        return connect(server, bucket)
    return connect(server, bucket, make_user(allow("*")), bearer=True)


@pytest.fixture
def table(catalog):
    catalog.create_namespace("ns")
    return catalog.create_table("ns.t", schema=ROWS)


def test_namespaces(catalog):
    catalog.create_namespace("a", {"owner": "ana"})
    catalog.create_namespace(("a", "b"))
    catalog.create_namespace(("a", "b", "c"))
    catalog.create_namespace("other")
    assert catalog.list_namespaces() == [("a",), ("other",)]
    assert catalog.list_namespaces("a") == [("a", "b")]
    assert catalog.load_namespace_properties("a") == {"owner": "ana"}
    done = catalog.update_namespace_properties("a", removals={"owner", "none"}, updates={"x": "1"})
    assert (done.updated, done.removed, done.missing) == (["x"], ["owner"], ["none"])
    assert catalog.load_namespace_properties("a") == {"x": "1"}
    with pytest.raises(NamespaceAlreadyExistsError):
        catalog.create_namespace("a")
    with pytest.raises(RESTError, match="NoSuchNamespaceException"):
        catalog.create_namespace(("none", "b"))
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("a")
    assert catalog.namespace_exists(("a", "b", "c"))
    for namespace in [("a", "b", "c"), ("a", "b"), "a"]:
        catalog.drop_namespace(namespace)
    assert not catalog.namespace_exists("a")
    with pytest.raises(NoSuchNamespaceError):
        catalog.load_namespace_properties("a")
    assert catalog.list_namespaces() == [("other",)]


def test_a_table_is_written_and_read(catalog, table, s3, bucket):
    table.append(rows("ana", "bo"))
    table.append(rows("cy", start=3))
    again = catalog.load_table("ns.t")
    assert again.scan().to_arrow().sort_by("id")["name"].to_pylist() == ["ana", "bo", "cy"]
    assert again.scan(row_filter=EqualTo("id", 2)).to_arrow()["name"].to_pylist() == ["bo"]
    first, second = again.history()
    assert again.scan(snapshot_id=first.snapshot_id).to_arrow().num_rows == 2
    again.overwrite(rows("dee"))
    assert catalog.load_table("ns.t").scan().to_arrow()["name"].to_pylist() == ["dee"]
    assert catalog.load_table("ns.t").scan(snapshot_id=second.snapshot_id).to_arrow().num_rows == 3
    again.append(rows("eve", start=2))
    again.delete("id = 1")
    assert catalog.load_table("ns.t").scan().to_arrow()["name"].to_pylist() == ["eve"]
    # Files lie in the table's folder; who lists the bucket does not see them.
    assert again.location() == f"s3://{bucket}/.tables/{again.metadata.table_uuid}"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert "CommonPrefixes" not in s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert s3.list_objects_v2(Bucket=bucket, Prefix=".tables/")["KeyCount"] > 5


def test_a_table_evolves(catalog, table):
    table.append(rows("ana"))
    with table.update_schema() as update:
        update.add_column("age", LongType())
        update.rename_column("name", "called")
    with table.update_spec() as update:
        update.add_field("id", IdentityTransform(), "by_id")
    with table.transaction() as transaction:
        transaction.set_properties({"a": "1", "b": "2"})
        transaction.remove_properties("b")
    again = catalog.load_table("ns.t")
    assert again.schema().column_names == ["id", "called", "age"]
    assert [f.name for f in again.spec().fields] == ["by_id"]
    assert again.properties["a"] == "1" and "b" not in again.properties
    new = pa.table({"id": [2], "called": ["bo"], "age": [7]}, schema=again.schema().as_arrow())
    again.append(new)
    got = catalog.load_table("ns.t").scan().to_arrow().sort_by("id")
    assert got["called"].to_pylist() == ["ana", "bo"] and got["age"].to_pylist() == [None, 7]


def test_branches_and_tags(catalog, table):
    table.append(rows("ana"))
    first = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(first, "v1").create_branch(first, "work").commit()
    table.append(rows("bo", start=2), branch="work")
    table.refresh()
    assert table.scan().to_arrow().num_rows == 1
    assert table.scan().use_ref("work").to_arrow().num_rows == 2
    assert table.scan().use_ref("v1").to_arrow().num_rows == 1
    table.manage_snapshots().remove_tag("v1").commit()
    assert "v1" not in catalog.load_table("ns.t").refs()


def test_all_that_a_table_is_made_with(catalog):
    catalog.create_namespace("ns")
    schema = Schema(
        NestedField(1, "id", LongType(), required=True),
        NestedField(2, "list", ListType(3, StringType(), element_required=False)),
        NestedField(4, "map", MapType(5, StringType(), 6, StructType(NestedField(7, "x", LongType())))),
        identifier_field_ids=[1],
    )
    spec = PartitionSpec(PartitionField(1, 1000, BucketTransform(8), "bucket"))
    order = SortOrder(SortField(1, IdentityTransform()))
    for version in ("1", "2"):
        made = catalog.create_table(f"ns.v{version}", schema, partition_spec=spec, sort_order=order, properties={"format-version": version, "p": "q"})
        loaded = catalog.load_table(f"ns.v{version}")
        assert loaded.metadata == made.metadata and loaded.format_version == int(version)
        assert len(loaded.schema().fields) == 3 and len(loaded.spec().fields) == 1 and len(loaded.sort_order().fields) == 1
        assert loaded.properties["p"] == "q"


def test_a_table_that_is_made_in_a_transaction(catalog):
    catalog.create_namespace("ns")
    with catalog.create_table_transaction("ns.t", ROWS) as transaction:
        transaction.append(rows("ana"))
        assert not catalog.table_exists("ns.t")
    assert catalog.load_table("ns.t").scan().to_arrow().num_rows == 1
    with pytest.raises((CommitFailedException, TableAlreadyExistsError)):
        with catalog.create_table_transaction("ns.t", ROWS):
            pass


def test_renamed_dropped_registered(catalog, table, s3, bucket):
    table.append(rows("ana"))
    catalog.create_namespace("to")
    catalog.create_table("to.taken", ROWS)
    with pytest.raises(TableAlreadyExistsError):
        catalog.rename_table("ns.t", "to.taken")
    with pytest.raises(NoSuchNamespaceError):
        catalog.rename_table("ns.t", "none.t")
    renamed = catalog.rename_table("ns.t", "to.u")
    assert renamed.scan().to_arrow().num_rows == 1
    assert not catalog.table_exists("ns.t") and catalog.list_tables("to") == [("to", "taken"), ("to", "u")]
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("to")
    catalog.drop_table("to.u")
    with pytest.raises(NoSuchTableError):
        catalog.load_table("to.u")
    back = catalog.register_table("ns.back", renamed.metadata_location)
    assert back.scan().to_arrow().num_rows == 1
    folder = f".tables/{back.metadata.table_uuid}/"
    catalog.purge_table("ns.back")
    assert s3.list_objects_v2(Bucket=bucket, Prefix=folder)["KeyCount"] == 0
    with pytest.raises(NoSuchTableError):
        catalog.drop_table("ns.back")


def test_many_names_come_in_pages(catalog):
    catalog.create_namespace("ns")
    schema = Schema(NestedField(1, "id", LongType()))
    for number in range(5):
        catalog.create_table(f"ns.t{number}", schema)
        catalog.create_namespace(("ns", f"n{number}"))
    session, url = catalog._session, catalog.url
    token, names = "", []
    for _ in range(3):
        after = f"&pageToken={token}" if token else ""
        page = session.get(f"{url('namespaces/ns/tables')}?pageSize=2{after}").json()
        names += [i["name"] for i in page["identifiers"]]
        token = page.get("next-page-token")
    assert names == [f"t{n}" for n in range(5)] and token is None
    assert len(catalog.list_namespaces("ns")) == 5


def test_concurrent_writers_lose_nothing(catalog, table):
    failed = []

    def write(number: int) -> None:
        try:
            for turn in range(3):
                while True:
                    try:
                        catalog.load_table("ns.t").append(rows(f"{number}-{turn}", start=number * 10 + turn))
                        break
                    except CommitFailedException:
                        pass
        except Exception as error:  # noqa: BLE001: told below
            failed.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed
    got = catalog.load_table("ns.t").scan().to_arrow()
    assert sorted(got["name"].to_pylist()) == sorted(f"{n}-{t}" for n in range(4) for t in range(3))


def test_a_lost_race_is_said(catalog, table):
    stale = catalog.load_table("ns.t")
    table.append(rows("ana"))
    body = {
        "identifier": {"namespace": ["ns"], "name": "t"}, "updates": [{"action": "set-properties", "updates": {"a": "b"}}],
        "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None}],
    }
    answer = catalog._session.post(catalog.url("namespaces/ns/tables/t"), json=body)
    assert answer.status_code == 409 and answer.json()["error"]["type"] == "CommitFailedException"
    assert stale.metadata_location != catalog.load_table("ns.t").metadata_location


def test_what_a_commit_does_not_know_stays(catalog, table):
    """Unknown fields of a snapshot go through untouched."""
    uuid = str(table.metadata.table_uuid)
    snapshot = {
        "snapshot-id": 7, "sequence-number": 1, "timestamp-ms": 1, "summary": {"operation": "append"}, "from-the-future": {"a": [1]},
        "manifest-list": f"{table.location()}/metadata/x.avro", "schema-id": 0,
    }
    body = {"requirements": [{"type": "assert-table-uuid", "uuid": uuid}], "updates": [{"action": "add-snapshot", "snapshot": snapshot}]}
    answer = catalog._session.post(catalog.url("namespaces/ns/tables/t"), json=body)
    assert answer.status_code == 200, answer.text
    loaded = catalog._session.get(catalog.url("namespaces/ns/tables/t"))
    assert loaded.json()["metadata"]["snapshots"][0]["from-the-future"] == {"a": [1]}
    same = catalog._session.get(catalog.url("namespaces/ns/tables/t"), headers={"If-None-Match": loaded.headers["ETag"]})
    assert same.status_code == 304


@pytest.mark.parametrize("name", ["write.data.path", "write.metadata.path", "write.object-storage.path"])
def test_locations_are_the_tables_own(catalog, table, bucket, name):
    other = catalog.create_table("ns.other", ROWS)
    own = table.location()
    with table.transaction() as transaction:
        transaction.set_properties({name: f"{own}/inside"})
    for wrong in [other.location(), f"{own}/../x", f"s3://{bucket}/outside", "s3://elsewhere/x", f"{own}x", f"{own}/%2e%2e/x"]:
        body = {"requirements": [], "updates": [{"action": "set-properties", "updates": {name: wrong}}]}
        assert catalog._session.post(catalog.url("namespaces/ns/tables/t"), json=body).status_code == 400, wrong
        body["updates"] = [{"action": "set-location", "location": wrong}]
        assert catalog._session.post(catalog.url("namespaces/ns/tables/t"), json=body).status_code == 400, wrong
        with pytest.raises(Exception, match="own folder"):
            catalog.create_table("ns.new", ROWS, location=wrong)
        with pytest.raises(Exception, match="metadata file"):
            catalog.register_table("ns.new", f"{wrong}/v1.metadata.json")
    assert not catalog.table_exists("ns.new")


class TestWhoMay:
    """A table's files are the table's: S3 is no way round the catalog."""

    def test_a_stranger_learns_nothing(self, server, bucket, make_user):
        connect(server, bucket).create_namespace("ns")
        connect(server, bucket).create_table("ns.t", ROWS)
        user = make_user(allow(["s3tables:GetTableBucket"], f"arn:aws:s3tables:::bucket/{bucket}"))
        session, url = connect(server, bucket, user)._session, connect(server, bucket, user).url
        answers = [session.get(url(f"namespaces/{place}")) for place in ["ns", "none", "ns/tables", "ns/tables/t", "ns/tables/none"]]
        assert {a.status_code for a in answers} == {403}
        assert len({a.json()["error"]["message"].split("(")[0] for a in answers}) == 1

    def test_s3_rights_are_not_enough(self, server, bucket, make_user, s3):
        table = self.made(server, bucket)
        user = make_user(allow("s3:*"))
        theirs = client(server, user)
        key = s3.list_objects_v2(Bucket=bucket, Prefix=f".tables/{table.metadata.table_uuid}/data")["Contents"][0]["Key"]
        tries = [
            lambda: theirs.get_object(Bucket=bucket, Key=key), lambda: theirs.head_object(Bucket=bucket, Key=key),
            lambda: theirs.put_object(Bucket=bucket, Key=key, Body=b""), lambda: theirs.delete_object(Bucket=bucket, Key=key),
            lambda: theirs.list_objects_v2(Bucket=bucket, Prefix=f".tables/{table.metadata.table_uuid}/"),
            lambda: theirs.list_objects_v2(Bucket=bucket, Prefix=".tables/"),
            lambda: theirs.list_object_versions(Bucket=bucket, Prefix=".tables/"),
            lambda: theirs.copy_object(Bucket=bucket, Key="stolen", CopySource=f"{bucket}/{key}"),
            lambda: theirs.put_object(Bucket=bucket, Key=".tables/x", Body=b""),
        ]
        for attempt in tries:
            with pytest.raises(theirs.exceptions.ClientError) as told:
                attempt()
            assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert "Contents" not in theirs.list_objects_v2(Bucket=bucket)
        assert "Versions" not in theirs.list_object_versions(Bucket=bucket)

    def made(self, server, bucket):
        catalog = connect(server, bucket)
        catalog.create_namespace("ns")
        table = catalog.create_table("ns.t", ROWS)
        table.append(rows("ana"))
        return table

    def test_a_reader_of_one_table_reads_it_and_no_other(self, server, bucket, make_user):
        table = self.made(server, bucket)
        other = connect(server, bucket).create_table("ns.other", ROWS)
        other.append(rows("secret"))
        arn = f"arn:aws:s3tables:::bucket/{bucket}"
        user = make_user(allow(["s3tables:GetTableBucket"], arn), allow(["s3tables:Get*"], f"{arn}/table/{table.metadata.table_uuid}"))
        theirs = connect(server, bucket, user, bearer=True)
        mine = theirs.load_table("ns.t")
        assert mine.scan().to_arrow().num_rows == 1
        for attempt in [lambda: theirs.load_table("ns.other"), lambda: theirs.load_table("ns.none"), lambda: mine.append(rows("x"))]:
            with pytest.raises(Exception, match="(?i)denied|forbidden"):
                attempt()

    def test_a_deny_by_name_holds_for_files_too(self, server, bucket, make_user, s3):
        table = self.made(server, bucket)
        deny = {"Effect": "Deny", "Action": "s3tables:*", "Resource": "*", "Condition": {"StringEquals": {"s3tables:namespace": "ns"}}}
        theirs = client(server, make_user(allow("*"), deny))
        key = s3.list_objects_v2(Bucket=bucket, Prefix=f".tables/{table.metadata.table_uuid}/data")["Contents"][0]["Key"]
        with pytest.raises(theirs.exceptions.ClientError, match="AccessDenied"):
            theirs.get_object(Bucket=bucket, Key=key)
        connect(server, bucket).drop_table("ns.t")
        with pytest.raises(theirs.exceptions.ClientError, match="AccessDenied"):
            theirs.get_object(Bucket=bucket, Key=key)

    def test_metadata_files_are_written_by_the_catalog_alone(self, server, bucket, s3):
        table = self.made(server, bucket)
        key = table.metadata_location.split(f"{bucket}/", 1)[1]
        for attempt in [lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"{}"), lambda: s3.delete_object(Bucket=bucket, Key=key)]:
            with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
                attempt()
        assert s3.get_object(Bucket=bucket, Key=key)["ContentType"] == "application/json"
