"""Spark with Iceberg, in a Python that has it: takes statements as lines of JSON, answers with lines of JSON.

The first line is the settings of the session. An answer is `{"rows": [[…], …]}` or `{"error": "…"}`.
"""

import json
import os
import site
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from spark_jars import prepare


def main() -> None:
    # What the JVM prints goes where it is looked at when something fails; answers are alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.readline())
    jars = prepare(Path(site.getsitepackages()[0]), Path(os.environ["CRATON_TARGET"]) / "spark-jars")
    paths = ":".join(map(str, jars))
    folder = tempfile.mkdtemp(prefix="spark-")
    config = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.driver.extraClassPath": paths,
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": folder,
        "spark.local.dir": folder,
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    } | settings
    builder = SparkSession.builder
    for name, value in config.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    print(json.dumps({"rows": [[spark.version]]}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            rows = [list(row) for row in spark.sql(json.loads(line)).collect()]
            answer = {"rows": rows}
        except Exception as error:
            answer = {"error": str(error)[:4000]}
        print(json.dumps(answer, default=str), file=answers, flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
