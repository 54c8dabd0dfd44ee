"""The Flight SQL door, by ADBC's driver, by pyarrow and by bytes: who may, statements, parameters, what there is, errors, cutting off."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.flight as flight
import pytest
from adbc_driver_manager import NotSupportedError, ProgrammingError
from adbc_driver_manager import Error as Failed

import ledger
from conftest import allow
from flightsql import connect, rows
from server import Key
from test_guard import guard  # noqa: F401: a fixture
from test_iceberg import ROWS
from test_iceberg import rows as people
from test_iceberg_delegation import catalog_of, of_tables
from test_sql_policies import column, forbid
from test_sts import oauth

RUN = allow("craton:RunStatement")
LIST = allow("s3:ListAllMyBuckets")
# Ten thousand rows.
TENS = ", ".join(f"(SELECT column1 AS n FROM (VALUES {', '.join(f'({n})' for n in range(10))})) {name}" for name in "abcd")


@pytest.fixture
def writer(bucket, make_user):
    return make_user(of_tables(bucket, "s3tables:*"), RUN, LIST)


@pytest.fixture
def place(server, bucket, writer):
    """A table `t` with a row `ana`; its bucket and namespace."""
    catalog = catalog_of(server, bucket, writer)
    catalog.create_namespace("ns")
    catalog.create_table("ns.t", ROWS).append(people("ana"))
    return bucket, "ns"


def test_a_statement(server, place, writer):
    with connect(server, writer, *place) as connection:
        assert rows(connection, "SELECT name, 1 + 1 FROM t") == [("ana", 2)]
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, name FROM t WHERE false")
            assert cursor.fetch_arrow_table().schema.names == ["id", "name"]
            schema = cursor.adbc_execute_schema("SELECT name AS n FROM t")
            assert schema.names == ["n"]


def test_values_are_those_of_arrow(server, writer):
    text = (
        "SELECT true AS a, 1::int AS b, 2::bigint AS c, 1.5::double AS d, CAST(-12.34 AS DECIMAL(9, 2)) AS e, 'größe' AS f, DATE '2026-01-02' AS g, "
        "TIMESTAMP '2026-01-02T03:04:05.678901' AS h, X'00ff' AS i, NULL AS j, [1, 2] AS k"
    )
    with connect(server, writer) as connection:
        assert rows(connection, text) == [
            (
                True, 1, 2, 1.5, Decimal("-12.34"), "größe", datetime.date(2026, 1, 2),
                datetime.datetime(2026, 1, 2, 3, 4, 5, 678901), b"\x00\xff", None, [1, 2],
            )
        ]


def test_more_than_one_message(server, writer):
    """Rows that are wide come in messages that a client takes which nobody told otherwise."""
    with connect(server, writer) as connection:
        text = f"SELECT a.n * 1000 + b.n * 100 + c.n * 10 + d.n AS value, concat('{'x' * 4000}', a.n) AS wide FROM {TENS}"
        with connection.cursor() as cursor:
            cursor.execute(text)
            table = cursor.fetch_arrow_table()
        assert sorted(table["value"].to_pylist()) == list(range(10_000))
        assert max(chunk.nbytes for chunk in table["wide"].chunks) <= 2 << 20


def test_parameters(server, place, writer):
    with connect(server, writer, *place) as connection:
        assert rows(connection, "SELECT name FROM t WHERE name = $1", ["ana"]) == [("ana",)]
        assert rows(connection, "SELECT $1::int + 1, $2", [41, "it's"]) == [(42, "it's")]
        with pytest.raises(Failed, match="\\$2 has no value"):
            rows(connection, "SELECT $1::int + $2::int", [1])
        with pytest.raises(Failed, match="several rows of parameters"), connection.cursor() as cursor:
            cursor.execute("SELECT $1::int", pa.record_batch({"a": [1, 2]}))


def test_changes(server, place, writer):
    with connect(server, writer, *place) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made (id BIGINT, name VARCHAR, amount DECIMAL(9, 2), day DATE)")
        assert cursor.executemany(
            "INSERT INTO made VALUES ($1, $2, $3, $4)",
            [(n, f"row '{n}", Decimal(n) / 4, datetime.date(2026, 1, n)) for n in range(1, 21)],
        ) is None
        assert rows(connection, "SELECT count(*), sum(amount), max(day), min(name) FROM made") == [
            (20, Decimal("52.50"), datetime.date(2026, 1, 20), "row '1")
        ]
        cursor.execute("UPDATE made SET name = $1 WHERE id <= $2", ("new", 5))
        cursor.adbc_statement.set_sql_query("DELETE FROM made WHERE id > 15")
        assert cursor.adbc_statement.execute_update() == 5
        assert rows(connection, "SELECT name, count(*) FROM made WHERE name = 'new' GROUP BY name") == [("new", 5)]
        with pytest.raises(Failed, match="several rows of parameters"):
            cursor.executemany("DELETE FROM made WHERE id = $1", [(1,), (2,)])
        assert rows(connection, "SELECT count(*) FROM made") == [(15,)]
    snapshots = catalog_of(server, place[0], writer).load_table("ns.made").history()
    assert len(snapshots) == 3, "twenty rows are one commit"


def test_what_there_is(server, place, writer):
    bucket, namespace = place
    with connect(server, writer) as connection:
        found = connection.adbc_get_objects(depth="columns", catalog_filter=bucket).read_all().to_pylist()
        (catalog,) = found
        assert catalog["catalog_name"] == bucket
        (schema,) = catalog["catalog_db_schemas"]
        assert schema["db_schema_name"] == namespace
        (table,) = schema["db_schema_tables"]
        assert (table["table_name"], table["table_type"]) == ("t", "table")
        assert [column["column_name"] for column in table["table_columns"]] == ["id", "name"]
        assert sorted(connection.adbc_get_table_types()) == ["table", "view"]
        assert connection.adbc_get_info()["vendor_name"] == "Craton"
        schema = connection.adbc_get_table_schema("t", catalog_filter=bucket, db_schema_filter=namespace)
        assert schema.names == ["id", "name"]


def test_what_one_may_not_see_is_not_told(server, place, make_user):
    with connect(server, make_user(RUN, LIST)) as connection:
        found = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
        assert place[0] not in [catalog["catalog_name"] for catalog in found]
        with pytest.raises(Failed, match="AccessDenied|403"):
            rows(connection, f'SELECT * FROM "{place[0]}".ns.t')


def test_a_masked_column_is_masked_here_too(server, place, writer, guard):  # noqa: F811
    """The same plan as at every door of SQL, so one case is enough."""
    guard(forbid(writer, column("name"), '@id("m") @mask("null")'))
    with connect(server, writer, *place) as connection:
        assert rows(connection, "SELECT name FROM t") == [(None,)]
        assert rows(connection, "SELECT count(*) FROM t WHERE name = $1", ["ana"]) == [(0,)]


def test_errors_have_their_codes(server, place, writer):
    with connect(server, writer, *place) as connection:
        for statement, kind, said in [
            ("SELEC", ProgrammingError, "SyntaxError"),
            ("SELECT nam FROM t", ProgrammingError, "nam"),
            ("SELECT * FROM none", ProgrammingError, "none"),
            ("COPY t TO 'x'", NotSupportedError, "NotSupportedYet"),
        ]:
            with pytest.raises(kind, match=said):
                rows(connection, statement)


def test_who_may(server, place, writer, make_user):
    bucket, _ = place
    wrong = Key(writer.id, "wrong" + writer.secret[5:], writer.user)
    with pytest.raises(Failed, match="(?i)unauthenticated"):
        connect(server, wrong).cursor().execute("SELECT 1")
    with pytest.raises(Failed, match="MissingAuthenticationToken"), connect(server, None) as connection:
        rows(connection, "SELECT 1")
    with pytest.raises(Failed, match="AccessDenied"), connect(server, make_user()) as connection:
        rows(connection, "SELECT 1")
    token = oauth(server, grant_type="client_credentials", client_id=writer.id, client_secret=writer.secret)["access_token"]
    with connect(server, None, bucket, "ns", authorization=f"Bearer {token}") as connection:
        assert rows(connection, "SELECT name FROM t") == [("ana",)]
    with connect(server, None, authorization="Bearer nonsense") as connection, pytest.raises(Failed):
        rows(connection, "SELECT 1")


def test_records(server, place, writer):
    """A statement is recorded as of this door, in the run that the client names."""
    with connect(server, writer, *place, **{"x-craton-run": "by-flight"}) as connection:
        rows(connection, "SELECT name FROM t")
    found = [r for r in ledger.records(server, "limit=200") if r.get("principal") == writer.user and r.get("run") == "by-flight"]
    assert {"RunStatement", "ScanTable"} <= {r["operation"] for r in found}
    assert {r["door"] for r in found} == {"flight"}


def test_pyarrow(server, place, writer):
    client = flight.connect(server.endpoint.replace("http://", "grpc+tcp://"))
    token = client.authenticate_basic_token(writer.id, writer.secret)
    assert token[1].startswith(b"Bearer ")
    options = flight.FlightCallOptions(headers=[token])
    names = {action.type for action in client.list_actions(options)}
    assert names == {"CreatePreparedStatement", "ClosePreparedStatement"}
    for nonsense in (b"", b"\xff\xff\xff", b"SELECT 1"):
        with pytest.raises((flight.FlightError, pa.ArrowException)):
            client.do_get(flight.Ticket(nonsense), options)
        with pytest.raises((flight.FlightError, pa.ArrowException)):
            client.get_flight_info(flight.FlightDescriptor.for_command(nonsense), options)
    with pytest.raises(pa.ArrowNotImplementedError):
        list(client.list_flights(b"", options))
    with pytest.raises(flight.FlightUnauthenticatedError):
        list(client.list_actions())


def test_who_goes_away_ends_the_statement(server, writer):
    with connect(server, writer) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT a.n FROM {TENS}, {TENS.replace(') ', ') x')}")
        reader = cursor.fetch_record_batch()
        assert reader.read_next_batch().num_rows > 0
    # All places of one principal are free again.
    for _ in range(6):
        with connect(server, writer) as connection:
            assert rows(connection, "SELECT 1") == [(1,)]
