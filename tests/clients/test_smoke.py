"""The shortest way through everything, to fail first."""

import json


def test_put_get_delete(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"hello"
    s3.delete_object(Bucket=bucket, Key="a")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_commands(server, s3, bucket, tmp_path, make_user):
    file = tmp_path / "f"
    file.write_bytes(b"content of a file")
    server.command("put", str(file), f"{bucket}/dir/f")
    assert s3.get_object(Bucket=bucket, Key="dir/f")["Body"].read() == b"content of a file"
    assert server.command("get", f"{bucket}/dir/f", "-") == "content of a file"
    key = make_user()
    users = json.dumps(json.loads(server.command("user", "list", "--json")))
    assert key.user in users
