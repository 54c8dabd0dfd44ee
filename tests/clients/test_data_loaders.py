"""Clients written in Rust that programs for data and training use from Python: obstore, and the client of
`s3torchconnector` (which is `s3torchconnectorclient`: what PyTorch adds to it are classes around it)."""

import os

import pytest

from server import REGION, unique

MIB = 1 << 20


class TestObstore:
    @pytest.fixture
    def store(self, server, bucket):
        import obstore

        return obstore.store.S3Store(
            bucket, endpoint=server.endpoint, access_key_id=server.root.id, secret_access_key=server.root.secret, region=REGION,
            client_options={"allow_http": True}, virtual_hosted_style_request=False,
        )

    def test_objects(self, store):
        import obstore

        data = os.urandom(300_000)
        names = ["a b/ü+&", "deep/er/k", "k"]
        for name in names:
            obstore.put(store, name, data)
        assert bytes(obstore.get(store, "k").bytes()) == data
        assert bytes(obstore.get_range(store, "k", start=5, length=10)) == data[5:15]
        assert [bytes(r) for r in obstore.get_ranges(store, "k", starts=[0, 299_990], ends=[10, 300_000])] == [data[:10], data[-10:]]
        assert obstore.head(store, "k")["size"] == 300_000
        listed = [o["path"] for page in obstore.list(store, chunk_size=2) for o in page]
        assert sorted(listed) == sorted(names)
        tops = obstore.list_with_delimiter(store)
        assert (sorted(tops["common_prefixes"]), [o["path"] for o in tops["objects"]]) == (["a b", "deep"], ["k"])
        obstore.copy(store, "k", "copied")
        obstore.rename(store, "copied", "moved")
        assert bytes(obstore.get(store, "moved").bytes()) == data
        obstore.delete(store, [*names, "moved"])
        assert [o for page in obstore.list(store) for o in page] == []
        with pytest.raises(FileNotFoundError):
            obstore.get(store, "k")

    def test_parts_and_conditions(self, store):
        import io

        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        data = os.urandom(12 * MIB + 1)
        obstore.put(store, "large", io.BytesIO(data), chunk_size=5 * MIB, use_multipart=True)
        assert bytes(obstore.get(store, "large").bytes()) == data
        obstore.put(store, "once", b"1", mode="create")
        with pytest.raises(AlreadyExistsError):
            obstore.put(store, "once", b"2", mode="create")
        head = obstore.head(store, "once")
        obstore.put(store, "once", b"3", mode={"e_tag": head["e_tag"]})
        with pytest.raises(PreconditionError):
            obstore.put(store, "once", b"4", mode={"e_tag": head["e_tag"]})
        assert bytes(obstore.get(store, "once").bytes()) == b"3"

    def test_attributes_tags_and_links(self, store, s3, bucket):
        import datetime
        import urllib.request

        import obstore

        obstore.put(store, "k", b"data", attributes={"Content-Type": "text/x", "who": "me"}, tags={"a": "1"})
        head = s3.head_object(Bucket=bucket, Key="k")
        assert (head["ContentType"], head["Metadata"]) == ("text/x", {"who": "me"})
        assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]
        url = obstore.sign(store, "GET", "k", datetime.timedelta(minutes=1))
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            assert answer.read() == b"data"


class TestTorch:
    @pytest.fixture
    def torch(self, server, monkeypatch):
        from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.root.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.root.secret)
        return MountpointS3Client(region=REGION, endpoint=server.endpoint, force_path_style=True, user_agent_prefix="test")

    def test_a_data_set(self, torch, s3, bucket):
        """Listed, read whole and in ranges; checkpoints written as streams."""
        samples = {f"train/{n:03}": os.urandom(100_000 + n) for n in range(20)}
        for key, data in samples.items():
            s3.put_object(Bucket=bucket, Key=key, Body=data)
        listed = [o.key for page in torch.list_objects(bucket, prefix="train/", max_keys=7) for o in page.object_info]
        assert listed == sorted(samples)
        for key, data in samples.items():
            assert b"".join(torch.get_object(bucket, key)) == data
        assert b"".join(torch.get_object(bucket, "train/000", start=10, end=1000)) == samples["train/000"][10:1000]
        assert torch.head_object(bucket, "train/007").size == 100_007
        data = os.urandom(9 * MIB)
        stream = torch.put_object(bucket, "checkpoint")
        for at in range(0, len(data), MIB):
            stream.write(data[at:at + MIB])
        stream.close()
        assert s3.get_object(Bucket=bucket, Key="checkpoint")["Body"].read() == data
        torch.copy_object(bucket, "checkpoint", bucket, "best")
        torch.delete_object(bucket, "checkpoint")
        assert s3.list_objects_v2(Bucket=bucket, Prefix="checkpoint")["KeyCount"] == 0
        assert b"".join(torch.get_object(bucket, "best")) == data

    def test_a_bucket_that_is_not(self, torch):
        from s3torchconnectorclient._mountpoint_s3_client import S3Exception

        with pytest.raises(S3Exception):
            b"".join(torch.get_object(unique("none"), "k"))
