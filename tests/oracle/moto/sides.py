"""One side of the comparison: a client that runs a request, and tells what came of it in words that both
sides share. Ids that a server chooses (of versions and uploads) become their place in the order in which they
were given out; times and names of owners are left out."""

import datetime
import re
from dataclasses import dataclass, field

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# What a server may choose as it likes.
CHOSEN = {
    "Owner", "Initiator", "LastModified", "Initiated", "CreationDate", "Location", "ResponseMetadata", "RequestCharged", "HostId",
    "RequestId", "Date", "AbortDate", "AbortRuleId", "LastAccessTime", "BucketArn",
}
VERSIONS = {"VersionId", "DeleteMarkerVersionId", "CopySourceVersionId", "VersionIdMarker", "NextVersionIdMarker"}
UPLOADS = {"UploadId", "UploadIdMarker", "NextUploadIdMarker"}
TOKENS = {"NextContinuationToken", "ContinuationToken"}


@dataclass(frozen=True)
class Version:
    """The n-th version of a key."""

    key: str
    number: int


@dataclass(frozen=True)
class Upload:
    """The n-th upload that was begun."""

    number: int


@dataclass(frozen=True)
class Tag:
    """The ETag of a part of an upload."""

    upload: int
    part: int


@dataclass(frozen=True)
class Source:
    """What is copied."""

    bucket: str
    key: str
    version: Version | None = None


@dataclass
class Side:
    """A client, and the ids that its server has given out."""

    endpoint: str
    key: str
    secret: str
    versions: dict[str, list[str]] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    tags: dict[tuple[int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}, parameter_validation=False)
        self.client = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=self.key, aws_secret_access_key=self.secret,
            config=config)

    def forget(self) -> None:
        """A new world begins."""
        self.versions.clear()
        self.uploads.clear()
        self.tags.clear()

    def given(self, value: object) -> object:
        """A request's argument in this side's words."""
        match value:
            case Version(key, number):
                ids = self.versions.get(key, [])
                return ids[number] if number < len(ids) else "null"
            case Upload(number):
                return self.uploads[number] if number < len(self.uploads) else "none"
            case Tag(upload, part):
                return self.tags.get((upload, part), '"00000000000000000000000000000000"')
            case Source(bucket, key, version):
                return {"Bucket": bucket, "Key": key} | ({"VersionId": self.given(version)} if version else {})
            case dict():
                return {k: self.given(v) for k, v in value.items()}
            case list():
                return [self.given(v) for v in value]
        return value

    def told(self, name: str, value: object) -> object:
        """A field of an answer in words that both sides share."""
        if name in VERSIONS and isinstance(value, str):
            for key, ids in self.versions.items():
                if value in ids:
                    return value if value == "null" else f"{key}#{ids.index(value)}"
            return value if value == "null" else "an id"
        if name in UPLOADS and isinstance(value, str):
            return f"upload {self.uploads.index(value)}" if value in self.uploads else "an id" if value else ""
        if name in TOKENS:
            return "a token"
        if isinstance(value, dict):
            return {k: self.told(k, v) for k, v in value.items() if k not in CHOSEN}
        if isinstance(value, list):
            return [self.told(name, v) for v in value]
        if isinstance(value, datetime.datetime):
            return value.isoformat()
        return value

    def run(self, operation: str, arguments: dict) -> dict:
        given = self.given(arguments)
        try:
            answer = getattr(self.client, operation)(**given)
        except ClientError as e:
            status = e.response["ResponseMetadata"]["HTTPStatusCode"]
            return {"outcome": f"{status} {e.response['Error']['Code']}"}
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        if "Body" in answer:
            answer["Body"] = answer["Body"].read()
        self.learn(operation, arguments, answer)
        return {"outcome": str(status), **self.told("", answer)}

    def learn(self, operation: str, arguments: dict, answer: dict) -> None:
        """Remembers the ids that this answer gives out."""
        if operation == "create_multipart_upload":
            self.uploads.append(answer["UploadId"])
        if operation in ("upload_part", "upload_part_copy") and isinstance(arguments["UploadId"], Upload):
            tag = answer.get("ETag") or answer["CopyPartResult"]["ETag"]
            self.tags[arguments["UploadId"].number, arguments["PartNumber"]] = tag
        # Markers are not remembered: moto does not always tell their ids.
        if operation in ("put_object", "copy_object", "complete_multipart_upload"):
            self.remember(arguments["Key"], answer.get("VersionId"))

    def remember(self, key: str, version: str | None) -> None:
        ids = self.versions.setdefault(key, [])
        if version and version not in ids:
            ids.append(version)


def differences(ours: object, theirs: object, path: str = "") -> list[tuple[str, object, object]]:
    """Where two answers differ; places in lists are not told apart."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for name in sorted({*ours, *theirs}):
            found += differences(ours.get(name), theirs.get(name), f"{path}.{name}".lstrip("."))
        return found
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [d for o, t in zip(ours, theirs, strict=True) for d in differences(o, t, f"{path}[]")]
    return [] if ours == theirs else [(path, ours, theirs)]


def short(value: object) -> str:
    """A value as the table of known differences names it."""
    return re.sub(r"\s+", " ", "-" if value is None else value if isinstance(value, str) else repr(value))[:160]
