"""TPC-H: Craton over Arrow Flight SQL, beside plain DataFusion, DuckDB and Polars on the same Parquet files, in one run.

The tables are made by tpchgen, written as Iceberg tables by PyIceberg through Craton, and the files that this left are fetched for the
others, which read them from a folder. Every engine has two threads and the 22 queries in DuckDB's wording; each engine is a process of its own,
and engines take turns query by query, so that what else goes on at the machine is the same for all. What is compared is CPU time (user
and system) of the engine's process: of Craton's the server's; its client's is told beside it. Answers are compared with DuckDB's.
"""

import argparse
import contextlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]
THREADS = 2
TICKS = os.sysconf("SC_CLK_TCK")
# Rows that are all left and a mask of a column that no answer shows: what policies cost, with answers that can be compared.
GUARD = """
@id("rows") @rows("l_quantity > 0 and l_returnflag is not null")
forbid(principal == User::"{user}", action == Action::"s3tables:GetTableData", resource == Table::"{bucket}/tpch/lineitem");
@id("mask") @mask("null")
forbid(principal == User::"{user}", action == Action::"s3tables:GetTableData", resource is Column)
when {{ resource.name == "l_comment" || resource.name == "ps_comment" }};
"""


def queries() -> list[str]:
    import duckdb
    from duckdb_extensions import import_extension

    with tempfile.TemporaryDirectory() as folder:
        con = duckdb.connect(config={"extension_directory": folder})
        import_extension("tpch", con=con)
        con.execute("load tpch")
        return [text.rstrip().rstrip(";") for (text,) in con.execute("select query from tpch_queries() order by query_nr").fetchall()]


# ---- engines, each in a process of its own: a line with a query's number in, a line of JSON out


class Plain:
    """DataFusion, DuckDB or Polars on a folder of Parquet files."""

    def __init__(self, engine: str, folder: Path):
        files = {table: str(folder / table / "*.parquet") for table in TABLES}
        if engine == "datafusion":
            import datafusion

            context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(THREADS))
            for table in TABLES:
                context.register_parquet(table, str(folder / table))
            self.ask = lambda text: [batch.to_pylist() for batch in context.sql(text).collect()]
            self.rows = lambda text: [tuple(row.values()) for batch in context.sql(text).collect() for row in batch.to_pylist()]
        elif engine == "duckdb":
            import duckdb

            con = duckdb.connect(config={"threads": THREADS})
            for table, path in files.items():
                con.execute(f"create view {table} as from '{path}'")
            self.rows = lambda text: con.execute(text).fetchall()
        else:
            import polars

            context = polars.SQLContext({table: polars.scan_parquet(path) for table, path in files.items()})
            self.rows = lambda text: context.execute(text).collect().rows()

    def cpu(self) -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def pid(self) -> int:
        return os.getpid()


class Flight:
    """Craton, by its Flight SQL door."""

    def __init__(self, settings: dict):
        sys.path.insert(0, str(ROOT / "tests/clients"))
        import flightsql
        from server import Key

        class At:
            endpoint = settings["endpoint"]

        connection = flightsql.connect(At(), Key(*settings["key"]), settings["bucket"], "tpch")
        self.rows = lambda text: flightsql.rows(connection, text)
        self.server = settings["pid"]

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.server}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def pid(self) -> int:
        return self.server


def serve(engine: str, about: str) -> None:
    """Answers queries until its input ends."""
    asked = json.loads(about)
    at = Flight(asked) if engine.startswith("craton") else Plain(engine, Path(asked["folder"]))
    texts = queries()
    print("ready", flush=True)
    for line in sys.stdin:
        text = texts[int(line) - 1]
        Path(f"/proc/{at.pid()}/clear_refs").write_text("5")
        wall, cpu = time.monotonic(), at.cpu()
        try:
            rows = at.rows(text)
        except Exception as error:  # noqa: BLE001: whatever a peer does not know
            print(json.dumps({"failed": f"{type(error).__name__}: {error}"[:300]}), flush=True)
            continue
        wall, cpu = time.monotonic() - wall, at.cpu() - cpu
        status = Path(f"/proc/{at.pid()}/status").read_text()
        peak = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM:")) / 1024
        told = [[plain(value) for value in row] for row in rows]
        print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak, "rows": told}), flush=True)


def plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()[:10]
    return value


def same(left: list, right: list) -> bool:
    def equal(a: object, b: object) -> bool:
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            return math.isclose(a, b, rel_tol=1e-6, abs_tol=0.01)
        return a == b

    return len(left) == len(right) and all(
        len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True)) for a, b in zip(left, right, strict=True)
    )


class Engine:
    """One of them, from outside."""

    def __init__(self, name: str, about: dict):
        self.name = name
        command = [sys.executable, __file__, "--serve", name, "--about", json.dumps(about)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", name

    def ask(self, number: int) -> dict:
        print(number, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


# ---- the data


def generated(folder: Path, scale: float) -> Path:
    """Parquet files of tpchgen; made once."""
    made = folder / f"made-{scale}"
    if not (made / "done").exists():
        tool = Path(sys.executable).parent / "tpchgen-cli"
        parts = str(max(1, math.ceil(scale)))
        subprocess.run([tool, "parquet", "-s", str(scale), "--parts", parts, "-o", made, "--overwrite", "--quiet"], check=True)
        (made / "done").touch()
    return made


def loaded(server, folder: Path, made: Path) -> tuple[dict, Path]:
    """Iceberg tables of the files; where Craton is asked, and a folder with the same files."""
    import boto3
    import pyarrow.parquet as parquet
    from pyiceberg.catalog.rest import RestCatalog
    from server import Key

    bucket, user = "tpch", "analyst"
    s3 = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id=server.root.id, aws_secret_access_key=server.root.secret,
    )
    s3.create_bucket(Bucket=bucket)
    added = json.loads(server.command("user", "add", user, "--json"))
    key = Key(added["id"], added["secret"], user)
    policy = folder / "policy.json"
    actions = ["s3:*", "s3tables:*", "craton:*"]
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}))
    server.command("policy", "put", user, "p", str(policy))
    catalog = RestCatalog(
        "craton", uri=f"{server.endpoint}/_iceberg", warehouse=bucket, credential=f"{key.id}:{key.secret}",
        **{"oauth2-server-uri": f"{server.endpoint}/_iceberg/v1/oauth/tokens"},
    )
    catalog.create_namespace("tpch")
    same_files = folder / "same"
    for name in TABLES:
        table = None
        for part in sorted((made / name).glob("*.parquet")):
            rows = parquet.read_table(part)
            table = table or catalog.create_table(f"tpch.{name}", rows.schema)
            table.append(rows)
        (same_files / name).mkdir(parents=True, exist_ok=True)
        for number, task in enumerate(table.scan().plan_files()):
            place, _, object_key = task.file.file_path.removeprefix("s3://").partition("/")
            s3.download_file(place, object_key, str(same_files / name / f"{number}.parquet"))
    return {"endpoint": server.endpoint, "key": [key.id, key.secret, user], "bucket": bucket, "pid": server.process.pid}, same_files


# ---- the run


def measure(engines: list[Engine], rounds: int, guard) -> dict:
    """Of each engine and query the medians, and what was wrong."""
    out: dict = {}
    for number in range(1, 23):
        expected = None
        for turn in range(rounds + 1):
            for engine in engines:
                with guard(engine.name):
                    answer = engine.ask(number)
                kept = out.setdefault(engine.name, {}).setdefault(number, [])
                if "failed" in answer:
                    kept.append(answer)
                    continue
                if engine.name == "duckdb":
                    expected = answer["rows"]
                # The first answer to each is compared, and not counted.
                if turn == 0 and not same(answer["rows"], expected):
                    raise SystemExit(f"query {number}: {engine.name} answers {answer['rows'][:3]} and DuckDB {expected[:3]}")
                del answer["rows"]
                if turn > 0:
                    kept.append(answer)
    return out


def median(kept: list[dict], what: str) -> float | None:
    if any("failed" in one for one in kept):
        return None
    return statistics.median(one[what] for one in kept)


def report(found: dict) -> None:
    names = list(found)
    print("| query | " + " | ".join(f"{name} CPU s" for name in names) + " | Craton is, of DataFusion |")
    print("|--:|" + "--:|" * (len(names) + 1))
    totals = dict.fromkeys(names, 0.0)
    walls = dict.fromkeys(names, 0.0)
    for number in range(1, 23):
        cpu = {name: median(found[name][number], "cpu") for name in names}
        for name in names:
            totals[name] += cpu[name] or 0
            walls[name] += median(found[name][number], "wall") or 0
        cells = [f"{cpu[name]:.2f}" if cpu[name] is not None else "–" for name in names]
        ratio = f"{cpu['craton'] / cpu['datafusion']:.2f} ×" if cpu.get("datafusion") else ""
        print(f"| {number} | " + " | ".join(cells) + f" | {ratio} |")
    print("| all | " + " | ".join(f"{totals[name]:.2f}" for name in names) + f" | {totals['craton'] / totals['datafusion']:.2f} × |")
    print("| wall s | " + " | ".join(f"{walls[name]:.2f}" for name in names) + f" | {walls['craton'] / walls['datafusion']:.2f} × |")
    peaks = {name: max(one.get("peak", 0) for kept in found[name].values() for one in kept) for name in names}
    print("| peak MiB | " + " | ".join(f"{peaks[name]:.0f}" for name in names) + " | |")
    if "craton-policies" in totals:
        print(f"\nwith row and column policies: {totals['craton-policies'] / totals['craton']:.2f} × Craton without")
    print(f"DataFusion is {totals['datafusion'] / totals['duckdb']:.2f} × DuckDB")
    for name in names:
        failed = {number: kept[0]["failed"] for number, kept in found[name].items() if any("failed" in one for one in kept)}
        for number, why in failed.items():
            print(f"{name}, query {number}: {why}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve")
    parser.add_argument("--about")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="4GiB")
    parser.add_argument("--alone", action="store_true", help="Craton alone: whether it completes, within its memory")
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.about)
        return
    sys.path.insert(0, str(ROOT / "tests/clients"))
    from server import Server

    asked.folder.mkdir(parents=True, exist_ok=True)
    made = generated(asked.folder, asked.scale)
    with tempfile.TemporaryDirectory(dir=asked.folder) as work:
        spill = Path(work) / "spill"
        server = Server(Path(work), "--memory", asked.memory, "--sql-spill", str(spill), log="warn").start()
        try:
            craton, same_files = loaded(server, Path(work), made)
            peers = [] if asked.alone else ["duckdb", "datafusion", "polars"]
            engines = [Engine(name, {"folder": str(same_files)}) for name in (peers or ["duckdb"])]
            engines += [Engine(name, craton) for name in (["craton"] if asked.alone else ["craton", "craton-policies"])]
            policy = Path(work) / "guard"
            policy.write_text(GUARD.format(user="analyst", bucket=craton["bucket"]))

            @contextlib.contextmanager
            def guard(name: str):
                if name != "craton-policies":
                    yield
                    return
                server.command("guard", "put", "bench", str(policy))
                try:
                    yield
                finally:
                    server.command("guard", "rm", "bench")

            found = measure(engines, asked.rounds, guard)
            for engine in engines:
                engine.end()
            print(f"TPC-H SF{asked.scale:g}, {asked.rounds} rounds, {THREADS} threads, Craton with --memory {asked.memory}\n")
            if asked.alone:
                found["datafusion"] = found["duckdb"]
            report(found)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
