"""What a refusal must look like."""

import contextlib

import pytest
from botocore.exceptions import ClientError

import ledger
from server import Server
from sigv4 import Answer, Request, send


@contextlib.contextmanager
def error(code: str, status: int | None = None):
    """The block fails with this S3 code."""
    with pytest.raises(ClientError) as caught:
        yield caught
    response = caught.value.response
    assert response["Error"]["Code"] == code, response
    if status:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status, response


def stored(s3, bucket: str) -> tuple:
    """Everything that a bucket holds: objects with their tags and sizes, uploads with their parts."""
    objects = [
        (o["Key"], o["ETag"], o["Size"])
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for o in page.get("Contents", [])
    ]
    uploads = []
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        parts = s3.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts", [])
        uploads.append((upload["Key"], upload["UploadId"], [(p["PartNumber"], p["ETag"]) for p in parts]))
    return objects, uploads


class Vault:
    """A bucket with something in it, to see that refused requests leave it alone."""

    def __init__(self, server: Server, s3, bucket: str):
        self.server, self.s3, self.bucket = server, s3, bucket
        s3.put_object(Bucket=bucket, Key="kept", Body=b"as it was")
        self.upload = s3.create_multipart_upload(Bucket=bucket, Key="upload")["UploadId"]
        self.part_etag = s3.upload_part(Bucket=bucket, Key="upload", UploadId=self.upload, PartNumber=1, Body=b"part")["ETag"]

    def state(self) -> tuple:
        kept = self.s3.get_object(Bucket=self.bucket, Key="kept")["Body"].read()
        return kept, stored(self.s3, self.bucket), [b["Name"] for b in self.s3.list_buckets()["Buckets"]]

    def refuses(
        self, request: Request | bytes, status: int, *codes: str, recorded: bool = True, timeout: float = 20
    ) -> Answer:
        """The request is answered with this status and one of these codes, changes nothing, and leaves
        one denial in the ledger."""
        before = self.state()
        answer = send(self.server, request, timeout)
        assert answer.status == status, (answer, request)
        method = request.method if isinstance(request, Request) else "PUT"
        if codes and method != "HEAD":
            assert answer.code in codes, (answer, request)
        assert self.state() == before, "a refused request changed something"
        if recorded:
            ledger.tells_of_one_refusal(self.server, answer.request_id)
        return answer
