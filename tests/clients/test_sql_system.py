"""The system's own tables: what they tell, and to whom."""

import pytest

from conftest import allow
from server import unique
from sql import Refused, ask, rows
from test_guard import guard  # noqa: F401: a fixture
from test_iceberg import ROWS
from test_iceberg_delegation import catalog_of, of_tables

RUN = allow("craton:RunStatement")


def test_access_is_the_ledger(server, bucket, s3, make_user):
    auditor = make_user(RUN, allow("craton:ReadLedger"))
    s3.put_object(Bucket=bucket, Key="a key", Body=b"12345")
    found = rows(server, auditor, f"SELECT operation, principal, verdict, result FROM system.access WHERE bucket = '{bucket}' AND action = 's3:PutObject'")
    assert found == [("PutObject", "root", "allow", "ok")]
    # Newest first, and no further than it is read.
    [(own,)] = rows(server, auditor, "SELECT operation FROM system.access LIMIT 1")
    assert own in ("ListRecords", "RunStatement")
    columns = ask(server, auditor, "SELECT * FROM system.access LIMIT 1").schema.names
    assert columns[:4] == ["id", "time", "kind", "principal"]
    with pytest.raises(Refused) as refused:
        rows(server, make_user(RUN), "SELECT count(*) FROM system.access")
    assert (refused.value.status, refused.value.reason) == (403, "AccessDenied")


def test_objects_are_those_that_one_may_list(server, bucket, s3, make_user):
    other = unique("b")
    s3.create_bucket(Bucket=other)
    for name in (bucket, other):
        for n in range(3):
            s3.put_object(Bucket=name, Key=f"k{n}", Body=b"x" * n)
    mine = make_user(RUN, allow("s3:ListAllMyBuckets"), allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    assert rows(server, mine, f"SELECT DISTINCT bucket FROM system.objects WHERE bucket IN ('{bucket}', '{other}')") == [(bucket,)]
    assert rows(server, mine, f"SELECT key, size FROM system.objects WHERE bucket = '{bucket}' ORDER BY key") == [("k0", 0), ("k1", 1), ("k2", 2)]
    with pytest.raises(Refused) as refused:
        rows(server, make_user(RUN, allow("s3:ListBucket")), "SELECT * FROM system.objects")
    assert refused.value.status == 403


def test_tables_are_those_that_one_may_list(server, bucket, s3, make_user):
    writer = make_user(of_tables(bucket, "s3tables:*"))
    catalog = catalog_of(server, bucket, writer)
    catalog.create_namespace("ns")
    catalog.create_namespace(("ns", "deep"))
    catalog.create_namespace("hidden")
    for name in (("ns", "t"), ("ns", "deep", "u"), ("hidden", "v")):
        catalog.create_table(name, ROWS)
    lists = of_tables(bucket, "s3tables:ListNamespaces")
    of_some = of_tables(bucket, "s3tables:ListTables") | {"Condition": {"StringLike": {"s3tables:namespace": "ns*"}}}
    some = make_user(RUN, allow("s3:ListAllMyBuckets"), lists, of_some)
    found = rows(server, some, f"SELECT namespace, name, kind FROM system.tables WHERE bucket = '{bucket}' ORDER BY 1, 2")
    assert found == [("ns", "t", "table"), ("ns.deep", "u", "table")]
    # A namespace of that name is no way to hide them, nor they one to hide it.
    catalog.create_namespace("system")
    catalog.create_table("system.tables", ROWS)
    both = make_user(RUN, of_tables(bucket, "s3tables:*"), allow("s3:ListAllMyBuckets"))
    assert rows(server, both, f'SELECT count(*) FROM "{bucket}".system.tables', bucket=bucket) == [(0,)]
    assert rows(server, both, "SELECT count(*) FROM system.tables WHERE namespace = 'system'", bucket=bucket) == [(1,)]


def test_sessions_and_policies(server, make_user, guard):  # noqa: F811
    reader = make_user(RUN, allow(["craton:ListSessions", "craton:ListGuardPolicies"]))
    name = guard('forbid(principal == User::"nobody", action, resource == Bucket::"none");')
    kinds = rows(server, reader, f"SELECT kind, document FROM system.policies WHERE name = '{name}'")
    assert [(kind, "nobody" in text) for kind, text in kinds] == [("guard", True)]
    assert rows(server, reader, "SELECT DISTINCT kind FROM system.policies") == [("guard",)]
    assert ask(server, reader, "SELECT id, principal, expires FROM system.sessions").num_rows >= 0
    for table in ("sessions", "policies"):
        with pytest.raises(Refused) as refused:
            rows(server, make_user(RUN), f"SELECT * FROM system.{table}")
        assert refused.value.status == 403
    with pytest.raises(Refused) as refused:
        rows(server, reader, "SELECT * FROM system.nothing")
    assert (refused.value.status, refused.value.reason) == (404, "NoSuchTableException")
