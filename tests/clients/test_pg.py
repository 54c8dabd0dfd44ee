"""The PostgreSQL door, by psql, psycopg and bytes: who may, both protocols, parameters, cancelling, errors, limits, TLS."""

import datetime
import os
import socket
import struct
import subprocess
import threading
import time
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

import ledger
from conftest import allow
from server import Key, Server
from test_iceberg import ROWS
from test_iceberg import rows as people
from test_iceberg_delegation import catalog_of, of_tables
from test_sts import oauth

RUN = allow("craton:RunStatement")


def connect(server: Server, key: Key, database: str = "", **more: object) -> psycopg.Connection:
    settings = dict(host="127.0.0.1", port=server.pg_port, user=key.id, password=key.secret, dbname=database or key.id, autocommit=True)
    return psycopg.connect(**(settings | more))


def psql(server: Server, key: Key, database: str, statement: str, code: int = 0, **more: str) -> str:
    """What psql prints: lines of values."""
    settings = dict(PGHOST="127.0.0.1", PGPORT=str(server.pg_port), PGUSER=key.id, PGPASSWORD=key.secret, PGDATABASE=database) | more
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement], env=os.environ | settings, capture_output=True, timeout=120, check=False,
    )
    assert done.returncode == code, done
    return (done.stdout if code == 0 else done.stderr).decode()


@pytest.fixture
def writer(bucket, make_user):
    return make_user(of_tables(bucket, "s3tables:*"), RUN)


@pytest.fixture
def database(server, bucket, writer):
    """A table `t` with a row `ana`, and the database that it is in."""
    catalog = catalog_of(server, bucket, writer)
    catalog.create_namespace("ns")
    catalog.create_table("ns.t", ROWS).append(people("ana"))
    return f"{bucket}/ns"


def test_psql_asks(server, database, writer):
    assert psql(server, writer, database, "SELECT name, 1 + 1 FROM t") == "ana|2\n"
    assert psql(server, writer, database, "-- nothing\n;") == ""
    assert psql(server, writer, database, "SHOW server_version") == "17.0\n"
    assert "bucket" in psql(server, writer, database, "SELECT * FROM other.ns.t", code=1)
    wrong = psql(server, writer, database, "SELECT nam FROM t", code=1, PGOPTIONS="")
    assert "nam" in wrong and "Line" in wrong


def test_psycopg_with_parameters(server, database, writer):
    with connect(server, writer, database) as client:
        assert client.execute("SELECT name FROM t WHERE name = %s", ["ana"]).fetchall() == [("ana",)]
        assert client.execute("SELECT count(*) FROM t WHERE id < %s AND id > %s", [2**40, -1.5]).fetchall() == [(1,)]
        assert client.execute("SELECT name FROM t WHERE name = %b OR id = %b", ["x", 77]).fetchall() == []
        assert client.execute("SELECT %s::int + 1, %s::date, %s::boolean, %s::text", [41, datetime.date(2026, 1, 2), True, None]).fetchone() == (
            42, datetime.date(2026, 1, 2), True, None,
        )
        for _ in range(8):
            # Prepared by name from the sixth on.
            assert client.execute("SELECT count(*) FROM t WHERE name = %s", ["ana"]).fetchone() == (1,)


VALUES = (
    "SELECT true, 1::int, 2::bigint, 1.5::double, CAST(-12.34 AS DECIMAL(9, 2)), CAST(0 AS DECIMAL(38, 10)), 'größe', DATE '2026-01-02', "
    "TIMESTAMP '2026-01-02T03:04:05.678901', X'00ff', NULL, [1, 2], CAST(100000 AS DECIMAL(12, 3))"
)


@pytest.mark.parametrize("binary", [False, True])
def test_values_of_every_type(server, writer, binary):
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
    with connect(server, writer) as client, client.cursor(binary=binary) as cursor:
        found = cursor.execute(VALUES).fetchone()
    assert found == (
        True, 1, 2, 1.5, Decimal("-12.34"), Decimal(0), "größe", at.date(), at, b"\x00\xff", None, [1, 2], Decimal(100000),
    )


def test_who_may(server, database, writer, make_user):
    stranger = make_user(RUN)
    token = oauth(server, grant_type="client_credentials", client_id=writer.id, client_secret=writer.secret)["access_token"]
    with connect(server, writer, database, user="whoever", password=token) as client:
        assert client.execute("SELECT name FROM t").fetchall() == [("ana",)]
    for user, password in ((writer.id, "wrong"), ("nobody", writer.secret), (writer.id, token + "x"), (server.root.id, server.root.secret), (writer.id, "")):
        with pytest.raises(psycopg.OperationalError) as refused:
            connect(server, writer, database, user=user, password=password)
        assert "do not go together" in str(refused.value) or "password" in str(refused.value)
    with connect(server, stranger, database) as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("SELECT * FROM t")
    with connect(server, make_user(), database) as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("SELECT 1")
    with connect(server, writer, database) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
        server.command("key", "rm", writer.user, writer.id)
        with pytest.raises(psycopg.Error) as refused:
            client.execute("SELECT 1")
        assert refused.value.sqlstate == "28P01"
    doors = {(r["door"], r["operation"]) for r in ledger.records(server)}
    assert {("pg", "RunStatement"), ("pg", "ScanTable"), ("pg", "Connect")} <= doors


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELEC 1", "42601"), ("SELECT nam FROM t", "42703"), ("SELECT * FROM none", "42P01"), ("SELECT * FROM a.b.c.d", "42000"), ("SELECT 1/0", "22000"),
        ("SELECT * FROM t, t b WHERE nofunction(1)", "42000"), ("SHOW nothing", "42704"), ("SELECT CAST('x' AS INT)", "22000"),
    ],
)
def test_errors_have_their_state(server, database, writer, statement, state):
    with connect(server, writer, database) as client:
        for simple in (True, False):
            with pytest.raises(psycopg.Error) as refused:
                if simple:
                    psycopg.ClientCursor(client).execute(statement)
                else:
                    client.execute(statement, prepare=True)
            assert refused.value.sqlstate == state, refused.value
            assert client.execute("SELECT 2").fetchone() == (2,)


def test_blocks(server, database, writer):
    with connect(server, writer, database, autocommit=False) as client:
        assert client.execute("SELECT count(*) FROM t").fetchone() == (1,)
        with pytest.raises(psycopg.errors.UndefinedColumn):
            client.execute("SELECT x FROM t")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            client.execute("SELECT 1")
        client.rollback()
        assert client.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            client.execute("INSERT INTO t SELECT * FROM t")
        client.rollback()


LONG = "SELECT count(*) FROM (SELECT a.v FROM (VALUES {v}) a(v), (VALUES {v}) b(v), (VALUES {v}) c(v), (VALUES {v}) d(v), (VALUES {v}) e(v), (VALUES {v}) f(v) WHERE a.v * b.v + c.v * d.v - e.v <> f.v)".format(
    v=",".join(f"({n})" for n in range(60))
)


def test_a_statement_is_cancelled(server, writer):
    with connect(server, writer) as client:
        threading.Timer(1, client.cancel_safe).start()
        start = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute(LONG)
        assert time.monotonic() - start < 20
        assert client.execute("SELECT 1").fetchone() == (1,)
    # A wrong key cancels nothing.
    with connect(server, writer) as client, socket.create_connection(("127.0.0.1", server.pg_port)) as other:
        other.sendall(struct.pack(">IIIi", 16, 80877102, client.pgconn.backend_pid, 1))
        assert other.recv(1) == b""
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_client_that_goes_ends_its_statement(server, writer):
    for _ in range(8):
        client = connect(server, writer)
        client.pgconn.send_query(LONG.encode())
        client.pgconn.flush()
        time.sleep(0.2)
        client.pgconn.finish()
    # There is a turn for the next one: none of them goes on.
    end = time.monotonic() + 30
    with connect(server, writer) as client:
        while True:
            try:
                assert client.execute("SELECT 1").fetchone() == (1,)
                return
            except psycopg.errors.TooManyConnections:
                assert time.monotonic() < end
                time.sleep(0.1)


def test_rows_in_parts(server, writer):
    many = "SELECT a.v * 1000 + b.v FROM (VALUES {v}) a(v), (VALUES {v}) b(v)".format(v=",".join(f"({n})" for n in range(200)))
    with connect(server, writer) as client:
        assert len(client.execute(many).fetchall()) == 40000
        assert sum(1 for _ in client.cursor().stream(many)) == 40000
    assert len(psql(server, writer, "", many).split()) == 40000


def raw(server: Server, *parts: bytes) -> bytes:
    """All that a server answers to bytes."""
    with socket.create_connection(("127.0.0.1", server.pg_port), timeout=30) as wire:
        for part in parts:
            wire.sendall(part)
        out = b""
        try:
            wire.shutdown(socket.SHUT_WR)
            while piece := wire.recv(65536):
                out += piece
        except OSError:
            # The server had no more to say.
            pass
        return out


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def test_what_is_sent_has_limits(server, writer):
    def startup(body: bytes, version: int = 196608) -> bytes:
        return struct.pack(">II", len(body) + 8, version) + body

    said = b"user\0" + writer.id.encode() + b"\0\0"
    good = [startup(said), message(b"p", writer.secret.encode() + b"\0")]
    assert b"08P01" in raw(server, startup(b"", 131072))
    assert b"08P01" in raw(server, struct.pack(">II", 1 << 30, 196608))
    assert b"54000" in raw(server, startup(said), b"p" + struct.pack(">I", 1 << 30))
    assert b"54000" in raw(server, *good, b"Q" + struct.pack(">I", 1 << 30))
    assert b"08P01" in raw(server, *good, message(b"?", b""))
    assert b"08P01" in raw(server, *good, message(b"Q", b"no end"))
    assert b"54000" in raw(server, *good, message(b"Q", b"SELECT '" + b"x" * (300 << 10) + b"'\0"))
    sync = message(b"S", b"")
    parse = b"".join(message(b"P", f"s{n}".encode() + b"\0SELECT 1\0\0\0") for n in range(65)) + sync
    assert raw(server, *good, parse).count(b"1\0\0\0\x04") == 64
    assert b"54000" in raw(server, *good, parse)
    assert b"08P01" in raw(server, *good, message(b"P", b"\0SELECT $1\0\0\0"), message(b"B", b"\0\0\0\0\0\1" + struct.pack(">i", 99) + b"x"), sync)
    with connect(server, writer) as client:
        done = client.pgconn.exec_params(b"SELECT $7::int", [])
        assert done.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"22P02"
    # With minor versions and options of its own a client is told what there is.
    assert raw(server, startup(b"_pq_.x\0y\0" + said, 196610)).startswith(b"v")


@pytest.fixture
def tls(tmp_path):
    files = Path(__file__).resolve().parents[2] / "crates/craton/tests/binary/tls"
    arguments = ("--tls-cert", str(files / "cert.pem"), "--tls-key", str(files / "key.pem"), "--memory", "128MiB", "--pg-address", "127.0.0.1:0")
    running = Server(tmp_path, *arguments).start()
    try:
        yield running
        running.stop()
    finally:
        running.kill()


def test_passwords_are_for_tls_where_there_is_tls(tls):
    key = Key("AKIAX", "wrong")
    with pytest.raises(psycopg.OperationalError, match="TLS only"):
        connect(tls, key, sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="do not go together"):
        connect(tls, key, sslmode="require")
