"""s3torchconnector with torch itself: datasets, loaders, checkpoints. In a process of the system's Python, which has
Debian's torch (PyPI's is 3 GB)."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"


def test_datasets_and_checkpoints(server, s3, bucket):
    for n in range(50):
        s3.put_object(Bucket=bucket, Key=f"train/{n:03}", Body=bytes([n]) * (1000 + n))
    s3.put_object(Bucket=bucket, Key="large", Body=bytes(n % 251 for n in range(20_000_000)))
    version = subprocess.run([SYSTEM_PYTHON, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=True)
    assert version.stdout.strip() == str(sys.version_info[:2]), "the connector is built for this version of Python"
    environment = os.environ | {
        "PYTHONPATH": sysconfig.get_paths()["purelib"], "AWS_ACCESS_KEY_ID": server.root.id,
        "AWS_SECRET_ACCESS_KEY": server.root.secret, "OMP_NUM_THREADS": "1",
    }
    script = Path(__file__).with_name("torch_client.py")
    done = subprocess.run(
        [SYSTEM_PYTHON, script, server.endpoint, bucket], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert done.stdout.startswith("checkpoint 8")
    assert s3.head_object(Bucket=bucket, Key="checkpoints/epoch0.ckpt")["ContentLength"] > 8_000_000
