"""Versions, tags, locks and configurations by stock programs and libraries: awscli, rclone, s3cmd, minio-py, s3fs."""

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server import REGION, unique


class TestAws:
    @pytest.fixture
    def api(self, server):
        """`aws s3api`, and what it prints."""
        program = Path(sys.executable).parent / "aws"
        environment = os.environ | {
            "AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1",
        }

        def run(*arguments: str, code: int = 0) -> dict:
            done = subprocess.run(
                [program, "--endpoint-url", server.endpoint, "s3api", *arguments], env=environment, capture_output=True, timeout=100, check=False)
            assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
            return json.loads(done.stdout) if done.stdout.strip() else {}

        return run

    def test_versions_and_locks(self, api, s3, tmp_path):
        bucket = unique("api")
        api("create-bucket", "--bucket", bucket, "--object-lock-enabled-for-bucket")
        at = ("--bucket", bucket, "--key", "k")
        (tmp_path / "file").write_bytes(b"data")
        put = api("put-object", *at, "--body", str(tmp_path / "file"), "--tagging", "a=1", "--object-lock-legal-hold-status", "ON")
        assert api("get-object-legal-hold", *at) == {"LegalHold": {"Status": "ON"}}
        assert api("get-object-tagging", *at)["TagSet"] == [{"Key": "a", "Value": "1"}]
        api("delete-object", *at, "--version-id", put["VersionId"], code=255)
        api("put-object-legal-hold", *at, "--legal-hold", "Status=OFF")
        marker = api("delete-object", *at)
        assert marker["DeleteMarker"] is True
        listed = api("list-object-versions", "--bucket", bucket)
        assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (1, 1)
        for version in (marker["VersionId"], put["VersionId"]):
            api("delete-object", *at, "--version-id", version)
        api("delete-bucket", "--bucket", bucket)

    def test_configurations(self, api, bucket):
        at = ("--bucket", bucket)
        rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
        api("put-bucket-lifecycle-configuration", *at, "--lifecycle-configuration", json.dumps({"Rules": [rule]}))
        assert api("get-bucket-lifecycle-configuration", *at)["Rules"] == [rule]
        api("put-bucket-cors", *at, "--cors-configuration", json.dumps({"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}))
        assert api("get-bucket-cors", *at)["CORSRules"][0]["AllowedMethods"] == ["GET"]
        api("put-bucket-tagging", *at, "--tagging", "TagSet=[{Key=a,Value=b}]")
        assert api("get-bucket-tagging", *at)["TagSet"] == [{"Key": "a", "Value": "b"}]
        assert api("get-bucket-encryption", *at)["ServerSideEncryptionConfiguration"]["Rules"]
        assert api("get-public-access-block", *at)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
        api("get-bucket-policy", *at, code=255)


class TestRclone:
    def test_both_ways_and_versions(self, server, s3, bucket, tmp_path):
        (tmp_path / "rclone.conf").touch()
        here = tmp_path / "here"
        environment = os.environ | {
            "RCLONE_CONFIG": str(tmp_path / "rclone.conf"), "RCLONE_CONFIG_C_TYPE": "s3", "RCLONE_CONFIG_C_PROVIDER": "Other",
            "RCLONE_CONFIG_C_ENDPOINT": server.endpoint, "RCLONE_CONFIG_C_REGION": REGION,
            "RCLONE_CONFIG_C_ACCESS_KEY_ID": server.root.id, "RCLONE_CONFIG_C_SECRET_ACCESS_KEY": server.root.secret,
            "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1",
        }

        def run(*arguments: str) -> str:
            done = subprocess.run(["rclone", *arguments], env=environment, capture_output=True, timeout=100, check=False)
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
            return (done.stdout + done.stderr).decode()

        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for name in ("one", "two", "deep/three"):
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_text(name)
        both = ("bisync", str(here), f"c:{bucket}/t", "--workdir", str(tmp_path / "work"))
        run(*both, "--resync")
        (here / "two").write_text("changed here, and longer")
        (here / "four").write_text("new here")
        s3.put_object(Bucket=bucket, Key="t/five", Body=b"new there")
        s3.delete_object(Bucket=bucket, Key="t/deep/three")
        run(*both)
        wanted = {"one": "one", "two": "changed here, and longer", "four": "new here", "five": "new there"}
        assert {f.name: f.read_text() for f in here.rglob("*") if f.is_file()} == wanted
        there = {o["Key"]: s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read().decode() for o in s3.list_objects_v2(Bucket=bucket)["Contents"]}
        assert there == {f"t/{k}": v for k, v in wanted.items()}
        assert "two-v" in run("--s3-versions", "lsf", f"c:{bucket}/t")


class TestS3cmd:
    def test_configurations(self, server, s3, bucket, tmp_path):
        config = tmp_path / "s3cfg"
        config.write_text(
            f"[default]\naccess_key = {server.root.id}\nsecret_key = {server.root.secret}\nhost_base = {server.host}:{server.port}\n"
            f"host_bucket = {server.host}:{server.port}\nuse_https = False\nbucket_location = {REGION}\n")

        def run(*arguments: str) -> str:
            done = subprocess.run(["s3cmd", "-c", config, "--no-progress", *arguments], capture_output=True, timeout=100, check=False)
            assert done.returncode == 0, f"{arguments}: {done.stdout!r}\n{done.stderr!r}"
            return done.stdout.decode()

        for n in range(3):
            (tmp_path / f"file{n}").write_text(f"content {n}")
        run("sync", f"{tmp_path}/", f"s3://{bucket}/t/", "--exclude", "*", "--include", "file*")
        assert {o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {"t/file0", "t/file1", "t/file2"}
        said = run("info", f"s3://{bucket}")
        assert "Policy:" in said and "CORS:" in said
        assert "File size: 9" in run("info", f"s3://{bucket}/t/file1")
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/none"}
        (tmp_path / "policy").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        run("setpolicy", str(tmp_path / "policy"), f"s3://{bucket}")
        assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Effect"] == "Deny"
        run("delpolicy", f"s3://{bucket}")
        run("expire", "--expiry-days=5", "--expiry-prefix=old/", f"s3://{bucket}")
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"]["Days"] == 5
        run("mv", f"s3://{bucket}/t/file0", f"s3://{bucket}/moved")
        assert s3.get_object(Bucket=bucket, Key="moved")["Body"].read() == b"content 0"
        run("modify", "--add-header=Cache-Control:no-cache", f"s3://{bucket}/moved")
        assert s3.head_object(Bucket=bucket, Key="moved")["CacheControl"] == "no-cache"


class TestMinio:
    @pytest.fixture
    def minio(self, server):
        import minio

        return minio.Minio(
            endpoint=f"{server.host}:{server.port}", access_key=server.root.id, secret_key=server.root.secret, secure=False, region=REGION)

    def test_versions_tags_and_locks(self, minio):
        from minio.commonconfig import GOVERNANCE, Tags
        from minio.objectlockconfig import DAYS, ObjectLockConfig
        from minio.retention import Retention

        bucket = unique("minio")
        minio.make_bucket(bucket_name=bucket, object_lock=True)
        assert minio.get_bucket_versioning(bucket_name=bucket).status == "Enabled"
        name = {"bucket_name": bucket, "object_name": "k"}
        versions = [minio.put_object(**name, data=io.BytesIO(b"%d" % n), length=1).version_id for n in range(2)]
        tags = Tags.new_object_tags()
        tags["a"] = "1"
        minio.set_object_tags(**name, tags=tags)
        assert minio.get_object_tags(**name) == {"a": "1"}
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        minio.set_object_retention(**name, config=Retention(GOVERNANCE, until), version_id=versions[0])
        assert minio.get_object_retention(**name, version_id=versions[0]).mode == GOVERNANCE
        minio.enable_object_legal_hold(**name)
        assert minio.is_object_legal_hold_enabled(**name)
        minio.disable_object_legal_hold(**name)
        minio.set_object_lock_config(bucket_name=bucket, config=ObjectLockConfig(GOVERNANCE, 1, DAYS))
        assert minio.get_object_lock_config(bucket_name=bucket).duration == 1
        minio.remove_object(**name)
        listed = list(minio.list_objects(bucket_name=bucket, include_version=True))
        assert sorted(bool(o.is_delete_marker) for o in listed) == [False, False, True]

    def test_configurations(self, minio, bucket):
        from minio.commonconfig import ENABLED, Filter
        from minio.error import S3Error
        from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
        from minio.sseconfig import Rule as Sealed, SSEConfig

        rule = Rule(status=ENABLED, rule_filter=Filter(prefix="x/"), rule_id="r", expiration=Expiration(days=3))
        minio.set_bucket_lifecycle(bucket_name=bucket, config=LifecycleConfig([rule]))
        assert minio.get_bucket_lifecycle(bucket_name=bucket).rules[0].expiration.days == 3
        minio.delete_bucket_lifecycle(bucket_name=bucket)
        minio.set_bucket_encryption(bucket_name=bucket, config=SSEConfig(Sealed.new_sse_s3_rule()))
        assert minio.get_bucket_encryption(bucket_name=bucket).rule.sse_algorithm == "AES256"
        with pytest.raises(S3Error) as caught:
            minio.get_bucket_policy(bucket_name=bucket)
        assert caught.value.code == "NoSuchBucketPolicy"

    def test_a_form(self, minio, server, s3, bucket):
        from minio.datatypes import PostPolicy

        from server import Key
        from sigv4 import Signer, send
        from test_security_forms import form

        made = PostPolicy(bucket, datetime.now(UTC) + timedelta(minutes=1))
        made.add_starts_with_condition("key", "dir/")
        made.add_content_length_range_condition(1, 100)
        fields = minio.presigned_post_policy(policy=made)
        answer = send(server, form(Signer(server, Key("", "")), bucket, {**fields, "key": "dir/k"}))
        assert answer.status == 204, answer
        assert s3.get_object(Bucket=bucket, Key="dir/k")["Body"].read() == b"content"


class TestS3fs:
    def test_versions_and_tags(self, server, s3, bucket):
        import s3fs

        files = s3fs.S3FileSystem(
            key=server.root.id, secret=server.root.secret, endpoint_url=server.endpoint, client_kwargs={"region_name": REGION}, version_aware=True,
            use_listings_cache=False)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for text in (b"old", b"new"):
            files.pipe(f"{bucket}/k", text)
        versions = files.object_version_info(f"{bucket}/k")
        assert len(versions) == 2
        old = next(v["VersionId"] for v in versions if not v["IsLatest"])
        assert files.cat_file(f"{bucket}/k", version_id=old) == b"old" and files.cat(f"{bucket}/k") == b"new"
        files.put_tags(f"{bucket}/k", {"a": "1"})
        assert files.get_tags(f"{bucket}/k") == {"a": "1"}
        files.setxattr(f"{bucket}/k", who="me")
        assert files.getxattr(f"{bucket}/k", "who") == "me"
