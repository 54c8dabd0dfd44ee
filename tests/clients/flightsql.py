"""Connections to the Flight SQL door, by ADBC."""

from adbc_driver_flightsql import dbapi as driver
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import dbapi

from server import Key, Server


def connect(server: Server, key: Key | None, bucket: str = "", namespace: str = "", **headers: str) -> dbapi.Connection:
    """A connection; names that are not whole are those of a bucket and a namespace."""
    options = {"username": key.id, "password": key.secret} if key else {}
    named = {"x-craton-bucket": bucket, "x-craton-namespace": namespace} | headers
    options |= {DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + name: value for name, value in named.items() if value}
    return driver.connect(server.endpoint.replace("http://", "grpc+tcp://"), db_kwargs=options, autocommit=True)


def rows(connection: dbapi.Connection, statement: str, parameters: list | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
