"""Objects by their addresses in SQL: formats, folders, partitions; who may."""

import io

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import ledger
from conftest import allow
from sql import Refused, fetch, rows
from test_guard import guard  # noqa: F401: a fixture
from test_iceberg import connect
from test_sql_policies import SCHEMA

RUN = allow("craton:RunStatement")
DATA = pa.table({"id": [1, 2, 3], "name": ["ana", "bo", None]})


def content(extension: str) -> bytes:
    out = io.BytesIO()
    match extension:
        case "parquet":
            pyarrow.parquet.write_table(DATA, out)
        case "csv" | "tsv":
            options = pyarrow.csv.WriteOptions(delimiter="," if extension == "csv" else "\t")
            pyarrow.csv.write_csv(DATA, out, options)
        case "arrow":
            with pa.ipc.new_file(out, DATA.schema) as writer:
                writer.write_table(DATA)
        case _:
            out.write(b'{"id": 1, "name": "ana"}\n{"id": 2, "name": "bo"}\n{"id": 3}\n')
    return out.getvalue()


@pytest.fixture
def reader(bucket, make_user):
    of_bucket = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return make_user(RUN, allow(["s3:GetObject", "s3:ListBucket"], of_bucket))


@pytest.mark.parametrize("extension", ["parquet", "csv", "tsv", "json", "jsonl", "ndjson", "arrow"])
def test_an_object_is_a_table(server, bucket, s3, reader, extension):
    s3.put_object(Bucket=bucket, Key=f"a b/größe%.{extension}", Body=content(extension))
    found = rows(server, reader, f"SELECT id, name FROM 's3://{bucket}/a b/größe%.{extension}' WHERE id < 3 ORDER BY id DESC")
    assert found == [(2, "bo"), (1, "ana")]


def test_a_folder_is_a_table(server, bucket, s3, reader):
    for day in (1, 2):
        for n in range(3):
            s3.put_object(Bucket=bucket, Key=f"log/day={day}/{n}.csv", Body=f"n\n{n}\n".encode())
    s3.put_object(Bucket=bucket, Key="log/day=1/notes.txt", Body=b"x")
    s3.put_object(Bucket=bucket, Key="logs.csv", Body=b"n\n100\n")
    folder = f"'s3://{bucket}/log/*.csv'"
    assert rows(server, reader, f"SELECT day, count(*), sum(n) FROM {folder} GROUP BY day ORDER BY day") == [("1", 3, 3), ("2", 3, 3)]
    _, request_id = fetch(server, reader, f"SELECT * FROM {folder} WHERE day = '2'")
    opened = {r["resource"] for r in ledger.of_request(server, request_id) if r["operation"] == "GetObject"}
    assert len([name for name in opened if "day=2" in name]) == 3 and not any("notes" in name for name in opened)


def test_who_may_not_may_not_by_sql(server, bucket, s3, reader, make_user):
    s3.put_object(Bucket=bucket, Key="k.csv", Body=b"n\n1\n")
    only_get = make_user(RUN, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/k.csv"))
    assert rows(server, only_get, f"SELECT n FROM 's3://{bucket}/k.csv'") == [(1,)]
    for key, name in ((only_get, f"s3://{bucket}/*.csv"), (make_user(RUN), f"s3://{bucket}/k.csv")):
        with pytest.raises(Refused) as refused:
            rows(server, key, f"SELECT * FROM '{name}'")
        assert (refused.value.status, refused.value.reason) == (403, "AccessDenied")
        ledger.tells_of_one_refusal(server, refused.value.request_id)
    for name, status in ((f"s3://{bucket}/none.csv", 404), (f"s3://{bucket}/k.txt", 400), (f"s3://{bucket}/*/k.csv", 400), (f"s3://{bucket}/none/*.csv", 404)):
        with pytest.raises(Refused) as refused:
            rows(server, reader, f"SELECT * FROM '{name}'")
        assert refused.value.status == status, refused.value
    with pytest.raises(Refused):
        rows(server, reader, "SELECT * FROM '/etc/passwd'")
    with pytest.raises(Refused):
        rows(server, reader, "SELECT * FROM 'file:///etc/hostname.csv'")


def test_files_of_a_table_with_restrictions_are_not_read_by_their_address(server, bucket, make_user, guard):  # noqa: F811
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    table = catalog.create_table("ns.people", SCHEMA)
    table.append(pa.Table.from_pylist([dict(id=1, region="us", ssn="111-11-1111")], schema=SCHEMA))
    [file] = [task.file.file_path for task in table.scan().plan_files()]
    user = make_user(allow(["s3:*", "s3tables:*", "craton:*"]))
    assert rows(server, user, f"SELECT id FROM '{file}'") == [(1,)]
    guard(f"""@rows("region = 'eu'") forbid(principal == User::"{user.user}", action == Action::"s3tables:GetTableData", resource is Table);""")
    for statement in (f"SELECT id FROM '{file}'", f"SELECT count(*) FROM '{file}'", f"SELECT id FROM '{file.rsplit('/', 1)[0]}/*.parquet'"):
        with pytest.raises(Refused) as refused:
            rows(server, user, statement)
        assert refused.value.status == 403
