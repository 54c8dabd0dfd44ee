"""Guard policies in SQL: columns that are forbidden, rows that are left, masks; and every way round them."""

import datetime
import urllib.error
import urllib.request

import boto3
import pyarrow as pa
import pytest
from pyiceberg.exceptions import ForbiddenError

import ledger
from conftest import allow, client
from expect import error
from sql import Refused, ask, rows
from test_guard import guard  # noqa: F401: a fixture
from test_iceberg import connect
from test_iceberg_door import Door

SCHEMA = pa.schema([
    ("id", pa.int64()), ("region", pa.string()), ("ssn", pa.string()), ("salary", pa.int64()), ("born", pa.date32()),
    ("who", pa.struct([("name", pa.string()), ("mail", pa.string())])),
])
PEOPLE = [
    (1, "eu", "111-11-1111", 5000), (2, "us", "222-22-2222", 7777), (3, "eu", None, 9000), (4, None, "444-44-4444", 7777),
]


@pytest.fixture
def table(server, bucket):
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    made = catalog.create_table("ns.people", SCHEMA)
    for id, region, ssn, salary in PEOPLE:
        row = dict(id=id, region=region, ssn=ssn, salary=salary, born=datetime.date(1980 + id, 5, id), who={"name": f"n{id}", "mail": f"m{id}"})
        made.append(pa.Table.from_pylist([row], schema=SCHEMA))
    made.files = [task.file.file_path.split("/", 3)[3] for task in made.scan().plan_files()]
    return made


@pytest.fixture
def user(make_user):
    """Allowed everything by the access plane: what is refused is refused by guard policies."""
    return make_user(allow(["s3:*", "s3tables:*", "craton:*"]))


@pytest.fixture
def sql(server, bucket, table, user):
    return lambda statement, key=user: rows(server, key, statement, bucket=bucket, namespace="ns")


@pytest.fixture
def refused(sql):
    def refused(statement: str) -> Refused:
        with pytest.raises(Refused) as caught:
            sql(statement)
        assert (caught.value.status, caught.value.reason) == (403, "AccessDenied"), statement
        return caught.value

    return refused


def forbid(user, what: str, annotation: str = "") -> str:
    return f'{annotation} forbid(principal == User::"{user.user}", action == Action::"s3tables:GetTableData", resource {what};'


def column(name: str) -> str:
    return f'is Column) when {{ resource.name == "{name}" }}'


def test_a_forbidden_column_refuses_what_uses_it(server, sql, refused, user, guard):  # noqa: F811
    name = guard(forbid(user, column("ssn"), '@id("s")'))
    assert sql("SELECT id, region FROM people WHERE salary > 6000 ORDER BY born") == [(2, "us"), (3, "eu"), (4, None)]
    assert sql("SELECT count(*) FROM people") == [(4,)]
    assert sql("SELECT id FROM (SELECT id, ssn FROM people) WHERE id = 1") == [(1,)]
    for statement in (
        "SELECT * FROM people", "SELECT ssn FROM people", "SELECT id FROM people WHERE ssn IS NULL", "SELECT count(ssn) FROM people",
        "SELECT id FROM people ORDER BY ssn", "SELECT count(*) FROM people GROUP BY ssn", "SELECT a.id FROM people a JOIN people b ON a.ssn = b.ssn",
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM people p WHERE p.ssn = '222-22-2222')", "SELECT max(length(ssn)) FROM people",
        "SELECT row_number() OVER (ORDER BY ssn) FROM people", "EXPLAIN SELECT ssn FROM people", "EXPLAIN ANALYZE SELECT ssn FROM people",
        "WITH x AS (SELECT ssn AS y FROM people) SELECT y FROM x", "SELECT id FROM people UNION SELECT length(ssn) FROM people",
        "SELECT CASE WHEN ssn = '1' THEN 1 END FROM people",
    ):
        told = refused(statement)
        assert 'the column "ssn"' in told.message, statement
    [denial] = [r for r in ledger.tells_of_one_refusal(server, told.request_id) if r["kind"] == "denial"]
    assert set(denial["statements"]) == {f"guard:{name}#s"}
    assert denial["facts"]["craton:columns"] == '["ssn"]'


def test_a_column_is_meant_by_each_of_its_names(sql, refused, user, guard, table):  # noqa: F811
    first = table.current_snapshot().snapshot_id
    with table.update_schema() as change:
        change.rename_column("ssn", "number")
    guard(forbid(user, column("ssn")))
    assert '"ssn"' in refused("SELECT number FROM people").message
    refused(f"SELECT ssn FROM people VERSION AS OF {first}")
    guard(forbid(user, column("who.mail")))
    assert sql("SELECT count(*), max(salary) FROM people") == [(4, 9000)]
    assert '"who.mail"' in refused("SELECT who['name'] FROM people").message


def test_explain_names_the_policies(sql, user, guard):  # noqa: F811
    rows_by = guard(forbid(user, 'is Table)', """@id("eu") @rows("region = 'eu'")"""))
    masks = guard(forbid(user, column("ssn"), '@id("ssn") @mask("last 4")'))
    told = dict(sql("EXPLAIN SELECT ssn FROM people WHERE id = 1"))
    assert f"rows by {rows_by}#eu" in told["policies"] and f"ssn as last 4 by {masks}#ssn" in told["policies"]
    assert "Restricted" in told["physical_plan"] and ".parquet" not in str(told) and "'eu'" not in str(told)


CONDITIONS = [
    ("region = 'eu'", [1, 3]), ("region != 'eu'", [2]), ("not (region = 'eu')", [2]), ("region is null or id = 1", [1, 4]),
    ("id in (2, 3, 99)", [2, 3]), ("salary >= 7777 and born < '1984-01-01'", [2, 3]), ("id not in (1) and ssn is not null", [2, 4]),
    ("region = ${purpose}", []), ("region != ${purpose}", []), ("region in ${groups}", []), ("not region in ${groups}", [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("condition", "left"), CONDITIONS)
def test_rows_for_which_a_condition_is_true_stay(sql, user, guard, condition, left):  # noqa: F811
    guard(forbid(user, "is Table)", f'@rows("{condition}")'))
    assert sql("SELECT id FROM people ORDER BY id") == [(id,) for id in left]
    assert sql("SELECT count(*) FROM people") == [(len(left),)]
    assert sql("SELECT id FROM people ORDER BY id LIMIT 1") == [(id,) for id in left[:1]]


def test_rows_by_who_asks(server, bucket, sql, table, user, make_user, guard):  # noqa: F811
    table.append(pa.Table.from_pylist([dict(id=9, region=user.user)], schema=SCHEMA))
    guard(f'@rows("region = ${{principal}}") forbid(principal, action, resource == Table::"{bucket}/ns/people");')
    assert sql("SELECT id FROM people") == [(9,)]
    assert sql("SELECT id FROM people", make_user(allow(["s3tables:*", "craton:*"]))) == []


def test_policies_add_up(sql, user, guard):  # noqa: F811
    guard(forbid(user, "is Table)", "@rows(\"region = 'eu'\")") + forbid(user, "is Table)", '@rows("salary > 6000")'))
    guard(forbid(user, column("ssn"), '@mask("last 4")') + forbid(user, column("ssn"), '@mask("first 3")'))
    assert sql("SELECT id, ssn FROM people") == [(3, None)]


def test_what_stays_of_a_masked_column(sql, user, guard):  # noqa: F811
    guard(
        forbid(user, column("ssn"), '@mask("last 4")') + forbid(user, column("born"), '@mask("year")')
        + forbid(user, column("salary"), '@mask("null")') + forbid(user, column("region"), "@mask(\"'there'\")")
        + forbid(user, column("who.mail"), '@mask("null")')
    )
    year = datetime.date(1981, 1, 1)
    assert sql("SELECT * FROM people WHERE id = 1") == [(1, "there", "*******1111", None, year, None)]
    assert sql("SELECT count(*), count(ssn), count(salary), min(region), sum(salary) FROM people") == [(4, 3, 0, "there", None)]


PROBES = [
    "SELECT id FROM people WHERE ssn = '222-22-2222'", "SELECT id FROM people WHERE ssn LIKE '222%'",
    "SELECT id FROM people WHERE salary = 7777", "SELECT a.id FROM people a JOIN (VALUES ('222-22-2222')) v(s) ON a.ssn = v.s",
    "SELECT id FROM people WHERE salary > 6000", "SELECT id FROM people WHERE ssn IN ('222-22-2222', '111-11-1111')",
    "SELECT id FROM people GROUP BY id HAVING max(salary) = 7777", "SELECT DISTINCT id FROM people WHERE ssn >= '2' AND ssn < '3'",
]


def test_a_masked_value_can_not_be_asked_for(sql, user, guard):  # noqa: F811
    guard(forbid(user, column("ssn"), '@mask("last 4")') + forbid(user, column("salary"), '@mask("null")'))
    for probe in PROBES:
        assert sql(probe) == [], probe
    assert sql("SELECT min(salary), max(salary), min(ssn), max(ssn) FROM people") == [(None, None, "*******1111", "*******4444")]
    order = sql("SELECT id FROM people ORDER BY salary DESC NULLS LAST, id")
    assert order == [(1,), (2,), (3,), (4,)]


def test_nothing_tells_of_rows_that_are_kept_back(sql, user, guard, server, bucket):  # noqa: F811
    guard(forbid(user, "is Table)", "@rows(\"region = 'eu'\")"))
    # What would fail on a row that is kept back, and on no other.
    assert sql("SELECT id FROM people WHERE 1 / (salary - 7777) IS NOT NULL ORDER BY id") == [(1,), (3,)]
    assert sql("SELECT id FROM people WHERE CAST(substr(ssn, 1, 1) AS INT) <> 2 AND 1 / (id - 2) IS NOT NULL") == [(1,)]
    assert sql("SELECT max(salary), min(id), count(*), count(DISTINCT region) FROM people") == [(9000, 1, 2, 1)]
    assert {b for _, b in sql("SELECT a.id AS x, b.id AS y FROM people a LEFT JOIN people b ON b.id IN (2, 4)")} == {None}

    def physical(salary: int) -> str:
        told = dict(sql(f"EXPLAIN SELECT id FROM people WHERE salary = {salary}"))
        return told["physical_plan"].replace(str(salary), "N")

    assert physical(7777) == physical(123)
    with pytest.raises(Refused) as failed:
        sql("SELECT CAST(region AS INT) FROM people")
    assert "us" not in failed.value.message.replace("must", "")
    read = ask(server, user, "SELECT * FROM people", bucket=bucket, namespace="ns")
    assert read["region"].to_pylist() == ["eu", "eu"]


@pytest.mark.parametrize("what", [("is Table)", "@rows(\"region = 'eu'\")"), (column("ssn"), '@mask("last 4")')])
def test_raw_files_are_refused(server, bucket, table, user, guard, what, make_user):  # noqa: F811
    """Every way to the bytes of a table of which something is kept back."""
    mine = client(server, user)
    assert mine.get_object(Bucket=bucket, Key=table.files[0])["Body"].read(4) == b"PAR1"
    before = mine.generate_presigned_url("get_object", Params=dict(Bucket=bucket, Key=table.files[0]))
    load = connect(server, bucket, user).load_table("ns.people")
    vended = {k: v for k, v in load.io.properties.items() if k.startswith("s3.")}
    guard(forbid(user, *what))
    keys = [*table.files, *(m.manifest_path.split("/", 3)[3] for m in table.current_snapshot().manifests(table.io))]
    for key in keys:
        with error("AccessDenied", 403):
            mine.get_object(Bucket=bucket, Key=key)
        with error("403", 403):
            mine.head_object(Bucket=bucket, Key=key)
        with error("AccessDenied", 403):
            mine.get_object(Bucket=bucket, Key=key, Range="bytes=0-3")
        with error("AccessDenied", 403):
            mine.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        with error("AccessDenied", 403):
            mine.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectSize"])
    upload = mine.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    with error("AccessDenied", 403):
        mine.upload_part_copy(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": table.files[0]})
    for url in (before, mine.generate_presigned_url("get_object", Params=dict(Bucket=bucket, Key=table.files[0]))):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        assert caught.value.code == 403
    with error("AccessDenied", 403):
        mine.list_objects_v2(Bucket=bucket, Prefix=table.files[0].rsplit("/", 1)[0] + "/")
    with pytest.raises(ForbiddenError):
        connect(server, bucket, user).load_table("ns.people")
    door = Door(server, bucket, user)
    for path in ("namespaces/ns/tables/people", "namespaces/ns/tables/people/credentials"):
        assert door.ask("GET", path).status == 403
    # Credentials that were given before are decided anew, too.
    old = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id=vended["s3.access-key-id"],
        aws_secret_access_key=vended["s3.secret-access-key"], aws_session_token=vended["s3.session-token"],
    )
    with error("AccessDenied", 403):
        old.get_object(Bucket=bucket, Key=table.files[0])


def test_a_policy_that_does_not_fit_refuses(refused, sql, user, guard):  # noqa: F811
    for condition in ("nothing = 1", "id = 'x'", "born = 'yesterday'"):
        guard(forbid(user, "is Table)", f'@id("p") @rows("{condition}")'))
        assert "does not fit" in refused("SELECT id FROM people").message


@pytest.mark.parametrize("policy", ["rows", "mask", "column"])
def test_who_sees_a_part_of_a_table_changes_none_of_it(sql, refused, user, guard, policy, server, bucket):  # noqa: F811
    """What a change touches, and how many rows it says it touched, would tell of what is kept back."""
    guard({
        "rows": forbid(user, f'== Table::"{bucket}/ns/people")', """@rows("region = 'eu'")"""),
        "mask": forbid(user, column("ssn"), '@mask("last 4")'),
        "column": forbid(user, column("ssn")),
    }[policy])
    for statement in (
        "DELETE FROM people WHERE ssn = '222-22-2222'", "UPDATE people SET salary = 1 WHERE region = 'us'", "DELETE FROM people",
        "MERGE INTO people USING (SELECT 2 AS id) AS other ON people.id = other.id WHEN MATCHED THEN DELETE",
    ):
        refused(statement)
    sql("CREATE TABLE copy AS SELECT id, region, salary FROM people")
    sql("INSERT INTO copy SELECT id + 10, region, salary FROM people")
    assert sql("SELECT count(*) FROM copy") == [(4 if policy == "rows" else 8,)]
    assert rows(server, server.root, "SELECT count(*), sum(salary) FROM people", bucket=bucket, namespace="ns") == [(4, 29554)]
