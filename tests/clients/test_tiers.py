"""Tiers: content of a storage class lies at another store, sealed, and is read through or restored. The other store is a
second server of ours, or a folder; a day is one second."""

import os
import time

import pytest

import ledger
from expect import error
from server import Server
from test_events import client, until

SIZE = 6_000_000


class Cold:
    """A server whose classes lie at another one and in a folder."""

    def __init__(self, folder):
        (folder / "far").mkdir()
        (folder / "near").mkdir()
        self.far = Server(folder / "far").start()
        self.store = client(self.far)
        self.store.create_bucket(Bucket="cold")
        self.folder = folder / "tape"
        file = folder / "tiers.toml"
        file.write_text(f"""
            [[tier]]
            class = "GLACIER"
            [tier.s3]
            endpoint = "{self.far.endpoint}"
            bucket = "cold"
            prefix = "from/here"
            access-key = "{self.far.root.id}"
            secret-key = "{self.far.root.secret}"

            [[tier]]
            class = "GLACIER_IR"
            folder = "{self.folder}"
        """)
        file.chmod(0o600)
        self.near = Server(folder / "near", "--tiers", str(file), "--lifecycle-day", "1s", "--memory", "128MiB")
        self.near.secrets.add(self.far.root.secret)
        self.near.start()
        self.s3 = client(self.near)

    def far_blobs(self):
        return [o["Key"] for o in self.store.list_objects_v2(Bucket="cold", Prefix="from/here/").get("Contents", [])]

    def far_bytes(self):
        return b"".join(self.store.get_object(Bucket="cold", Key=key)["Body"].read() for key in self.far_blobs())

    def folder_blobs(self):
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def local_blobs(self):
        return [path for path in (self.near.data / "blobs").rglob("*") if path.is_file()]

    def move(self, bucket, to, prefix=""):
        rule = {"ID": "m", "Status": "Enabled", "Filter": {"Prefix": prefix}, "Transitions": [{"Days": 1, "StorageClass": to}]}
        self.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})

    def of_class(self, bucket, key):
        return self.s3.head_object(Bucket=bucket, Key=key).get("StorageClass")


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    servers = Cold(tmp_path_factory.mktemp("tiers"))
    try:
        yield servers
        servers.near.stop()
        servers.far.stop()
    finally:
        servers.near.kill()
        servers.far.kill()


def test_a_class_that_is_read_through(cold):
    s3 = cold.s3
    s3.create_bucket(Bucket="through")
    data = os.urandom(SIZE)
    s3.put_object(Bucket="through", Key="k", Body=data, Metadata={"a": "1"}, Tagging="t=1", ChecksumAlgorithm="SHA256")
    before = s3.head_object(Bucket="through", Key="k", ChecksumMode="ENABLED")
    cold.move("through", "GLACIER_IR")
    until(lambda: cold.of_class("through", "k") == "GLACIER_IR")
    until(lambda: len(cold.folder_blobs()) == 1 and not cold.local_blobs(), lambda: str(cold.local_blobs()))
    assert data[:64] not in cold.folder_blobs()[0].read_bytes(), "it is sealed"
    got = s3.get_object(Bucket="through", Key="k")
    assert got["Body"].read() == data and got["Metadata"] == {"a": "1"} and got["TagCount"] == 1
    for n in range(0, SIZE, 1_234_567):
        part = s3.get_object(Bucket="through", Key="k", Range=f"bytes={n}-{n + 99}")
        assert part["Body"].read() == data[n:n + 100]
    after = s3.head_object(Bucket="through", Key="k", ChecksumMode="ENABLED")
    same = ("ETag", "LastModified", "ChecksumSHA256", "ContentLength")
    assert {n: before[n] for n in same} == {n: after[n] for n in same}
    s3.copy_object(Bucket="through", Key="copy", CopySource="through/k", StorageClass="STANDARD")
    assert s3.get_object(Bucket="through", Key="copy")["Body"].read() == data
    s3.delete_bucket_lifecycle(Bucket="through")


def test_an_archive_is_restored_and_its_copy_goes(cold):
    s3 = cold.s3
    s3.create_bucket(Bucket="archive")
    data = os.urandom(SIZE)
    s3.put_object(Bucket="archive", Key="folder/k", Body=data)
    cold.move("archive", "GLACIER")
    until(lambda: cold.of_class("archive", "folder/k") == "GLACIER")
    s3.delete_bucket_lifecycle(Bucket="archive")
    assert len(cold.far_blobs()) == 1 and data[:64] not in cold.far_bytes()
    with error("InvalidObjectState", 403):
        s3.get_object(Bucket="archive", Key="folder/k")
    with error("InvalidObjectState", 403):
        s3.copy_object(Bucket="archive", Key="copy", CopySource="archive/folder/k")
    upload = s3.create_multipart_upload(Bucket="archive", Key="parts")["UploadId"]
    with error("InvalidObjectState", 403):
        s3.upload_part_copy(Bucket="archive", Key="parts", UploadId=upload, PartNumber=1, CopySource="archive/folder/k")
    head = s3.head_object(Bucket="archive", Key="folder/k")
    assert head["ContentLength"] == SIZE and "Restore" not in head
    assert s3.list_objects_v2(Bucket="archive")["Contents"][0]["StorageClass"] == "GLACIER"
    attributes = s3.get_object_attributes(Bucket="archive", Key="folder/k", ObjectAttributes=["ObjectSize", "StorageClass"])
    assert (attributes["ObjectSize"], attributes["StorageClass"]) == (SIZE, "GLACIER")
    s3.put_object_tagging(Bucket="archive", Key="folder/k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})

    asked = s3.restore_object(Bucket="archive", Key="folder/k", RestoreRequest={"Days": 4, "GlacierJobParameters": {"Tier": "Expedited"}})
    assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
    restored = lambda: "ongoing-request=\"false\"" in s3.head_object(Bucket="archive", Key="folder/k").get("Restore", "")
    until(restored)
    got = s3.get_object(Bucket="archive", Key="folder/k")
    assert got["Body"].read() == data and got["StorageClass"] == "GLACIER" and got["TagCount"] == 1
    s3.copy_object(Bucket="archive", Key="copy", CopySource="archive/folder/k", StorageClass="STANDARD")

    # The copy's days pass: it goes, and what is at the tier stays.
    until(lambda: "Restore" not in s3.head_object(Bucket="archive", Key="folder/k"))
    with error("InvalidObjectState", 403):
        s3.get_object(Bucket="archive", Key="folder/k")
    assert len(cold.far_blobs()) == 1
    assert s3.get_object(Bucket="archive", Key="copy")["Body"].read() == data

    done = lambda: {r.get("operation") for r in ledger.records(cold.near, "limit=1000") if "folder/k" in str(r)}
    until(lambda: {"LifecycleTransition", "LifecycleRestore", "LifecycleRestoreOver"} <= done())

    s3.delete_object(Bucket="archive", Key="folder/k")


def test_put_with_a_class_goes_there_by_itself_and_is_deleted_there(cold):
    s3 = cold.s3
    s3.create_bucket(Bucket="direct")
    s3.put_bucket_versioning(Bucket="direct", VersioningConfiguration={"Status": "Enabled"})
    far, data = len(cold.far_blobs()), os.urandom(200_000)
    version = s3.put_object(Bucket="direct", Key="k", Body=data, StorageClass="GLACIER")["VersionId"]
    small = s3.put_object(Bucket="direct", Key="small", Body=b"in its row", StorageClass="GLACIER")["VersionId"]
    with error("InvalidObjectState", 403):
        s3.get_object(Bucket="direct", Key="k")
    until(lambda: len(cold.far_blobs()) == far + 1)
    # What is small stays in its row; it is restored like the others.
    assert s3.restore_object(Bucket="direct", Key="small", RestoreRequest={"Days": 1})["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert s3.get_object(Bucket="direct", Key="small")["Body"].read() == b"in its row"
    again = s3.restore_object(Bucket="direct", Key="small", RestoreRequest={"Days": 2})
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    for key, one in (("k", version), ("small", small)):
        s3.delete_object(Bucket="direct", Key=key, VersionId=one)
    until(lambda: len(cold.far_blobs()) == far, lambda: str(cold.far_blobs()))


def test_a_tier_that_does_not_answer_keeps_the_rest_working(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text("""
        [[tier]]
        class = "GLACIER_IR"
        [tier.s3]
        endpoint = "http://127.0.0.1:9"
        bucket = "none"
        access-key = "a"
        secret-key = "b"
    """)
    file.chmod(0o600)
    server = Server(tmp_path, "--tiers", str(file), "--lifecycle-day", "1s").start()
    try:
        s3 = client(server)
        s3.create_bucket(Bucket="moving")
        s3.put_object(Bucket="moving", Key="k", Body=b"x" * 200_000, StorageClass="GLACIER_IR")
        s3.put_object(Bucket="moving", Key="old/k", Body=b"x")
        rule = {"ID": "e", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket="moving", LifecycleConfiguration={"Rules": [rule]})
        until(lambda: "Contents" not in s3.list_objects_v2(Bucket="moving", Prefix="old/"))
        assert len(s3.get_object(Bucket="moving", Key="k")["Body"].read()) == 200_000, "it is still here"
        server.stop()
    finally:
        server.kill()


def test_killed_again_and_again_while_content_moves(tmp_path):
    (tmp_path / "server").mkdir()
    file = tmp_path / "tiers.toml"
    file.write_text(f'[[tier]]\nclass = "GLACIER_IR"\nfolder = "{tmp_path / "tape"}"\n')
    file.chmod(0o600)
    server = Server(tmp_path / "server", "--tiers", str(file), "--lifecycle-day", "1s", log="info").start()
    try:
        s3 = client(server)
        s3.create_bucket(Bucket="moving")
        written = {f"k{n:02}": os.urandom(300_000 + n) for n in range(24)}
        for key, data in written.items():
            s3.put_object(Bucket="moving", Key=key, Body=data)
        rule = {"ID": "m", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}]}
        s3.put_bucket_lifecycle_configuration(Bucket="moving", LifecycleConfiguration={"Rules": [rule]})
        for n in range(6):
            time.sleep(0.9 + 0.15 * n)
            server.kill()
            server.start()
            s3 = client(server)
            for key in sorted(written)[n::6]:
                assert s3.get_object(Bucket="moving", Key=key)["Body"].read() == written[key], (n, key)
        moved = lambda: all(s3.head_object(Bucket="moving", Key=key).get("StorageClass") == "GLACIER_IR" for key in written)
        until(moved)
        for key, data in written.items():
            assert s3.get_object(Bucket="moving", Key=key)["Body"].read() == data, key
            s3.delete_object(Bucket="moving", Key=key)
        server.stop()
    finally:
        server.kill()


def test_a_file_that_others_may_read_is_refused(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text(f'[[tier]]\nclass = "GLACIER"\nfolder = "{tmp_path}/x"\n')
    file.chmod(0o644)
    server = Server(tmp_path, "--tiers", str(file))
    with pytest.raises(AssertionError, match="chmod 600"):
        server.start()
    server.kill()
