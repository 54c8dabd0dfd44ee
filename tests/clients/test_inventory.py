"""Inventories: their files, read by DuckDB and by hand, say what ListObjectVersions says."""

import csv
import gzip
import hashlib
import json
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError

from conftest import client
from server import Server, unique

WAIT_SECONDS_MAX = 60
FIELDS = [
    "Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "ReplicationStatus", "EncryptionStatus",
    "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus", "IntelligentTieringAccessTier", "BucketKeyStatus",
    "ChecksumAlgorithm", "ObjectAccessControlList", "ObjectOwner",
]


def until(done, tell=lambda: ""):
    end = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = done()
        if found:
            return found
        assert time.monotonic() < end, tell()
        time.sleep(0.05)


def configure(s3, bucket, to, name="all", form="Parquet", **more):
    place = {"Bucket": f"arn:aws:s3:::{to}", "Format": form, "Prefix": "lists", **more.pop("place", {})}
    document = {
        "Id": name, "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"},
        "OptionalFields": FIELDS, "Destination": {"S3BucketDestination": place}, **more,
    }
    s3.put_bucket_inventory_configuration(Bucket=bucket, Id=name, InventoryConfiguration=document)


def manifest(s3, bucket, to, name="all"):
    """The newest manifest, once it is there with its checksum."""
    def find():
        listed = s3.list_objects_v2(Bucket=to, Prefix=f"lists/{bucket}/{name}/").get("Contents", [])
        sums = sorted(o["Key"] for o in listed if o["Key"].endswith("/manifest.checksum"))
        return sums and sums[-1]

    key = until(find, lambda: str(s3.list_objects_v2(Bucket=to).get("Contents")))
    text = s3.get_object(Bucket=to, Key=key.replace(".checksum", ".json"))["Body"].read()
    assert s3.get_object(Bucket=to, Key=key)["Body"].read().decode() == hashlib.md5(text).hexdigest()
    return key, json.loads(text)


@pytest.fixture
def filled(s3):
    """A bucket with versions, markers, parts, odd keys; and one to write to."""
    bucket, to = unique("inv"), unique("lists")
    s3.create_bucket(Bucket=to)
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    for n in range(1205):
        s3.put_object(Bucket=bucket, Key=f"many/{n:05}", Body=b"x" * (n % 7))
    for n in range(3):
        s3.put_object(Bucket=bucket, Key='odd ü,"1"+/\n', Body=str(n).encode(), Metadata={"n": str(n)})
    s3.put_object(Bucket=bucket, Key="held", Body=b"1", ObjectLockLegalHoldStatus="ON", StorageClass="INTELLIGENT_TIERING",
                  ChecksumAlgorithm="SHA1")
    s3.put_object(Bucket=bucket, Key="gone", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="gone")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"p")["ETag"]
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload,
                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    return bucket, to


def listed(s3, bucket):
    """What ListObjectVersions says, as rows begin: key, version, latest, marker, size, tag, class, milliseconds."""
    rows = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for v in page.get("Versions", []):
            rows.append((v["Key"], v["VersionId"], v["IsLatest"], False, v["Size"], v["ETag"].strip('"'), v["StorageClass"]))
        for m in page.get("DeleteMarkers", []):
            rows.append((m["Key"], m["VersionId"], m["IsLatest"], True, None, None, None))
    return sorted(rows, key=str)


def fetch(s3, to, found, folder):
    files = []
    for file in found["files"]:
        body = s3.get_object(Bucket=to, Key=file["key"])["Body"].read()
        assert len(body) == file["size"] and hashlib.md5(body).hexdigest() == file["MD5checksum"]
        path = folder / file["key"].rsplit("/", 1)[1]
        path.write_bytes(body)
        files.append(path)
    return files


def test_parquet_says_what_listing_says(server, s3, filled, tmp_path):
    import duckdb

    bucket, to = filled
    configure(s3, bucket, to)
    server.command("inventory", "run", bucket, "all")
    key, found = manifest(s3, bucket, to)
    assert found["sourceBucket"] == bucket and found["destinationBucket"] == f"arn:aws:s3:::{to}"
    assert found["fileFormat"] == "Parquet" and found["version"] == "2016-11-30"
    assert found["fileSchema"].startswith("message s3.inventory { required binary bucket (UTF8);")
    [file] = fetch(s3, to, found, tmp_path)
    columns = "key, version_id, is_latest, is_delete_marker, size, e_tag, storage_class"
    rows = duckdb.sql(f"select {columns} from read_parquet('{file}')").fetchall()
    assert sorted(rows, key=str) == listed(s3, bucket)
    one = duckdb.sql(
        f"select encryption_status, object_lock_legal_hold_status, intelligent_tiering_access_tier, bucket_key_status, "
        f"checksum_algorithm, object_owner, is_multipart_uploaded, bucket, epoch_ms(last_modified_date) "
        f"from read_parquet('{file}') where key = 'held'"
    ).fetchone()
    assert one[:-1] == ("SSE-S3", "ON", "FREQUENT", "DISABLED", "SHA1", "root", False, bucket)
    written = s3.head_object(Bucket=bucket, Key="held")["LastModified"].timestamp()
    assert one[-1] // 1000 == int(written)
    assert duckdb.sql(f"select key from read_parquet('{file}') where is_multipart_uploaded").fetchall() == [("parts",)]
    base = f"lists/{bucket}/all/"
    links = [o["Key"] for o in s3.list_objects_v2(Bucket=to, Prefix=f"{base}hive/dt=")["Contents"]]
    assert s3.get_object(Bucket=to, Key=links[0])["Body"].read().decode() == f"s3://{to}/{found['files'][0]['key']}"
    assert found["files"][0]["key"].startswith(f"{base}data/") and key.startswith(base)


def test_csv_of_current_versions_under_a_prefix(server, s3, filled, tmp_path):
    bucket, to = filled
    configure(s3, bucket, to, name="odd", form="CSV", IncludedObjectVersions="Current", Filter={"Prefix": "odd"},
              OptionalFields=["Size", "ETag", "LastModifiedDate"], place={"Encryption": {"SSES3": {}}})
    server.command("inventory", "run", bucket, "odd")
    _, found = manifest(s3, bucket, to, "odd")
    assert found["fileSchema"] == "Bucket, Key, Size, LastModifiedDate, ETag"
    [file] = fetch(s3, to, found, tmp_path)
    rows = list(csv.reader(gzip.decompress(file.read_bytes()).decode().splitlines()))
    key = 'odd ü,"1"+/\n'
    head = s3.head_object(Bucket=bucket, Key=key)
    assert [[urllib.parse.unquote_plus(row[1]), row[2], row[4]] for row in rows] == [[key, "1", head["ETag"].strip('"')]]
    assert rows[0][0] == bucket and rows[0][3].endswith("Z") and len(rows[0][3]) == 24


def test_it_comes_by_itself_each_day_and_ends_with_its_configuration(tmp_path):
    own = Server(tmp_path, "--lifecycle-day", "2s").start()
    try:
        s3 = client(own)
        for name in ("data", "lists"):
            s3.create_bucket(Bucket=name)
        s3.put_object(Bucket="data", Key="k", Body=b"1")
        configure(s3, "data", "lists", form="CSV")

        def files():
            listed = s3.list_objects_v2(Bucket="lists", Prefix="lists/data/all/data/").get("Contents", [])
            return {o["Key"] for o in listed}

        until(lambda: len(files()) >= 2)
        runs = json.loads(own.command("work", "list", "--json"))["runs"]
        assert any(r["worker"] == "inventory" and r["subject"] == "data/all" and r["counts"].get("rows") == 1 for r in runs)
        s3.delete_bucket_inventory_configuration(Bucket="data", Id="all")
        time.sleep(1)
        before = files()
        time.sleep(4)
        assert files() == before
        own.stop()
    finally:
        own.kill()


def test_who_may_not_write_there_has_nothing_written_there(server, s3, filled, make_user):
    bucket, to = filled
    user = client(server, make_user(
        {"Effect": "Allow", "Action": "s3:*Inventory*", "Resource": f"arn:aws:s3:::{bucket}"},
        {"Effect": "Allow", "Action": "s3:ListBucketVersions", "Resource": f"arn:aws:s3:::{bucket}"},
    ))
    with pytest.raises(ClientError, match="AccessDenied"):
        configure(user, bucket, to)
    # The destination may refuse it later, too.
    configure(s3, bucket, to)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{to}/*"}
    s3.put_bucket_policy(Bucket=to, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    server.command("inventory", "run", bucket, "all")

    def failed():
        runs = json.loads(server.command("work", "list", "--json"))["runs"]
        return [r for r in runs if r["subject"] == f"{bucket}/all" and r["state"] == "failed"]

    assert "Denied" in until(failed)[0]["error"]
    s3.delete_bucket_policy(Bucket=to)
    assert not s3.list_objects_v2(Bucket=to).get("Contents")
