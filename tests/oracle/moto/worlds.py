"""Requests at random: a world is one bucket, and a short story in it. The same number makes the same world."""

import random

from sides import Source, Tag, Upload, Version

KEYS = ["a", "a/1", "a/2", "b//c", "ü & +", "z"]
BODIES = [b"", b"x", b"some content", b"y" * 20_000]
PART = b"p" * (5 << 20)
ETAGS = ['"9dd4e461268c8034f5c8564e155c67a6"', '"00000000000000000000000000000000"', "*"]
RANGES = ["bytes=0-3", "bytes=2-", "bytes=-3", "bytes=5-2", "bytes=100000-", "bytes=0-99999999", "bytes=a-b", "bytes=-0", "items=0-1"]
TAGS = [{"a": "1"}, {"a": "1", "b": "two words"}, {}, {"k" * 129: "v"}, {f"k{i}": "v" for i in range(11)}]
STEPS = 24


class World:
    """Makes the requests of one world."""

    def __init__(self, number: int):
        self.dice = random.Random(number)
        self.bucket = f"world-{number}"
        self.uploads = 0
        self.parts: dict[int, set[int]] = {}
        self.flavour = self.dice.choice(["plain", "versions", "versions", "lock"])

    def begin(self) -> list[tuple[str, dict]]:
        if self.flavour == "lock":
            return [("create_bucket", {"Bucket": self.bucket, "ObjectLockEnabledForBucket": True})]
        made = [("create_bucket", {"Bucket": self.bucket})]
        if self.flavour == "versions":
            made.append(self.versioning("Enabled"))
        return made

    def story(self) -> list[tuple[str, dict]]:
        out = self.begin()
        for _ in range(4):
            out.append(self.put())
        makers = [
            (8, self.put), (10, self.get), (6, self.head), (6, self.delete), (3, self.delete_many), (7, self.copy), (7, self.list_keys),
            (5, self.list_versions), (4, self.tagging), (3, self.begin_upload), (5, self.put_part), (4, self.complete), (2, self.abort),
            (2, self.list_parts), (2, self.list_uploads), (3, self.attributes), (4, self.configuration), (2, self.read_configuration),
            (2, self.change_versioning), (2, self.lock), (1, self.bucket_itself),
        ]
        weights = [w for w, _ in makers]
        for _ in range(STEPS):
            out.append(self.dice.choices(makers, weights)[0][1]())
        return out

    def some(self, chance: float, name: str, values: list) -> dict:
        return {name: self.dice.choice(values)} if self.dice.random() < chance else {}

    def key(self) -> str:
        return self.dice.choice(KEYS if self.dice.random() < 0.95 else ["absent"])

    def names(self, chance_of_version: float = 0.0) -> dict:
        key = self.key()
        more = {}
        if self.flavour != "plain" and self.dice.random() < chance_of_version:
            more["VersionId"] = Version(key, self.dice.randrange(3)) if self.dice.random() < 0.9 else "null"
        return {"Bucket": self.bucket, "Key": key, **more}

    def write_conditions(self) -> dict:
        return {**self.some(0.08, "IfNoneMatch", ["*"])} or self.some(0.08, "IfMatch", ETAGS[:2])

    def read_conditions(self) -> dict:
        return {**self.some(0.1, "IfMatch", ETAGS), **self.some(0.1, "IfNoneMatch", ETAGS)}

    def stated(self) -> dict:
        return {
            **self.some(0.2, "Metadata", [{"a": "1"}, {"long": "v" * 2100}, {}]), **self.some(0.2, "ContentType", ["text/x"]),
            **self.some(0.1, "CacheControl", ["no-cache"]), **self.some(0.1, "StorageClass", ["STANDARD_IA", "NONE", "STANDARD"]),
            **self.some(0.15, "Tagging", ["a=1", "a=1&b=%20", "a=1&a=2"]), **self.some(0.1, "ServerSideEncryption", ["AES256", "rot13"]),
        }

    def put(self) -> tuple[str, dict]:
        sums = self.some(0.3, "ChecksumAlgorithm", ["CRC32", "SHA1", "SHA256"])
        return "put_object", {**self.names(), "Body": self.dice.choice(BODIES), **self.stated(), **self.write_conditions(), **sums}

    def get(self) -> tuple[str, dict]:
        more = self.some(0.3, "Range", RANGES) or self.some(0.1, "PartNumber", [1, 2])
        over = self.some(0.1, "ResponseContentType", ["text/other"])
        return "get_object", {**self.names(0.3), **more, **over, **self.read_conditions(), **self.some(0.3, "ChecksumMode", ["ENABLED"])}

    def head(self) -> tuple[str, dict]:
        return "head_object", {**self.names(0.3), **self.read_conditions(), **self.some(0.1, "PartNumber", [1])}

    def delete(self) -> tuple[str, dict]:
        return "delete_object", {**self.names(0.4), **self.some(0.3, "BypassGovernanceRetention", [True])}

    def delete_many(self) -> tuple[str, dict]:
        objects = []
        for _ in range(self.dice.randint(1, 3)):
            named = self.names(0.3)
            objects.append({k: named[k] for k in ("Key", "VersionId") if k in named})
        unique = list({repr(o): o for o in objects}.values())
        return "delete_objects", {"Bucket": self.bucket, "Delete": {"Objects": unique, **self.some(0.3, "Quiet", [True])}}

    def copy(self) -> tuple[str, dict]:
        from_key = self.key()
        version = Version(from_key, self.dice.randrange(3)) if self.flavour != "plain" and self.dice.random() < 0.2 else None
        more = {
            **self.some(0.3, "MetadataDirective", ["COPY", "REPLACE"]), **self.some(0.2, "TaggingDirective", ["COPY", "REPLACE"]),
            **self.some(0.1, "CopySourceIfMatch", ETAGS[:2]), **self.some(0.1, "CopySourceIfNoneMatch", ETAGS[:2]),
        }
        stated = self.stated() if "REPLACE" in (more.get("MetadataDirective"), more.get("TaggingDirective")) else {}
        return "copy_object", {**self.names(), "CopySource": Source(self.bucket, from_key, version), **more, **stated}

    def list_keys(self) -> tuple[str, dict]:
        arguments = {
            "Bucket": self.bucket, **self.some(0.4, "Prefix", ["a", "a/", "none", "ü"]), **self.some(0.5, "Delimiter", ["/", "//", "a"]),
            **self.some(0.4, "MaxKeys", [0, 1, 2, 1000, 2000]),
        }
        if self.dice.random() < 0.7:
            return "list_objects_v2", {**arguments, **self.some(0.3, "StartAfter", ["a", "a/1", "zz"]), **self.some(0.3, "FetchOwner", [True])}
        return "list_objects", {**arguments, **self.some(0.3, "Marker", ["a", "a/1", "zz"])}

    def list_versions(self) -> tuple[str, dict]:
        return "list_object_versions", {
            "Bucket": self.bucket, **self.some(0.4, "Prefix", ["a", "a/", "none"]), **self.some(0.3, "Delimiter", ["/"]),
            **self.some(0.2, "MaxKeys", [1, 3, 1000]), **self.some(0.2, "KeyMarker", ["a", "a/1"]),
        }

    def tagging(self) -> tuple[str, dict]:
        return "get_object_tagging", self.names(0.3)

    def begin_upload(self) -> tuple[str, dict]:
        self.uploads += 1
        stated = {k: v for k, v in self.stated().items() if k in ("ContentType", "Tagging") and v != "a=1&a=2"}
        return "create_multipart_upload", {**self.names(), "Key": KEYS[self.uploads % 3], **stated}

    def upload(self) -> tuple[int, dict]:
        number = self.dice.randrange(self.uploads) if self.uploads else 0
        return number, {"Bucket": self.bucket, "Key": KEYS[(number + 1) % 3], "UploadId": Upload(number)}

    def put_part(self) -> tuple[str, dict]:
        number, names = self.upload()
        part = self.dice.randint(1, 3)
        self.parts.setdefault(number, set()).add(part)
        if self.dice.random() < 0.2:
            return "upload_part_copy", {**names, "PartNumber": part, "CopySource": Source(self.bucket, self.key())}
        return "upload_part", {**names, "PartNumber": part, "Body": PART if self.dice.random() < 0.3 else b"part"}

    def complete(self) -> tuple[str, dict]:
        number, names = self.upload()
        parts = sorted(self.parts.get(number, {1}))
        if self.dice.random() < 0.1:
            parts.reverse()
        wanted = [{"PartNumber": p, "ETag": Tag(number, p)} for p in parts]
        return "complete_multipart_upload", {**names, "MultipartUpload": {"Parts": wanted}, **self.write_conditions()}

    def abort(self) -> tuple[str, dict]:
        return "abort_multipart_upload", self.upload()[1]

    def list_parts(self) -> tuple[str, dict]:
        return "list_parts", {**self.upload()[1], **self.some(0.3, "MaxParts", [1, 2])}

    def list_uploads(self) -> tuple[str, dict]:
        return "list_multipart_uploads", {"Bucket": self.bucket, **self.some(0.3, "Prefix", ["a", "none"])}

    def attributes(self) -> tuple[str, dict]:
        asked = self.dice.sample(["ETag", "ObjectSize", "StorageClass", "Checksum"], 2)
        return "get_object_attributes", {**self.names(0.2), "ObjectAttributes": asked}

    def configuration(self) -> tuple[str, dict]:
        rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p/"}, "Expiration": {"Days": self.dice.choice([0, 1, 30])}}
        cors = {"AllowedMethods": [self.dice.choice(["GET", "PATCH"])], "AllowedOrigins": ["*"]}
        algorithm = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
        tags = {"TagSet": [{"Key": k, "Value": v} for k, v in self.dice.choice(TAGS[:4]).items()]}
        operation, more = self.dice.choice([
            ("put_bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [rule]}}),
            ("delete_bucket_lifecycle", {}),
            ("put_bucket_cors", {"CORSConfiguration": {"CORSRules": [cors]}}), ("delete_bucket_cors", {}),
            ("put_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": [algorithm]}}), ("delete_bucket_encryption", {}),
            ("put_bucket_tagging", {"Tagging": tags}), ("delete_bucket_tagging", {}),
            ("put_public_access_block", {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}), ("delete_public_access_block", {}),
            ("put_bucket_ownership_controls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}),
            ("delete_bucket_ownership_controls", {}),
        ])
        return operation, {"Bucket": self.bucket, **more}

    def read_configuration(self) -> tuple[str, dict]:
        return self.dice.choice([
            "get_bucket_lifecycle_configuration", "get_bucket_cors", "get_bucket_encryption", "get_bucket_tagging", "get_public_access_block",
            "get_bucket_ownership_controls", "get_bucket_versioning", "get_bucket_policy", "get_bucket_policy_status", "get_bucket_acl",
            "get_bucket_location", "get_bucket_logging", "get_bucket_request_payment", "get_bucket_replication", "get_bucket_website",
            "get_bucket_notification_configuration", "get_object_lock_configuration", "get_bucket_accelerate_configuration",
            "list_bucket_inventory_configurations",
        ]), {"Bucket": self.bucket}

    def versioning(self, status: str) -> tuple[str, dict]:
        return "put_bucket_versioning", {"Bucket": self.bucket, "VersioningConfiguration": {"Status": status}}

    def change_versioning(self) -> tuple[str, dict]:
        if self.flavour == "plain":
            return "get_bucket_versioning", {"Bucket": self.bucket}
        # moto knows little of suspended buckets; one with locks can not be suspended.
        return self.versioning(self.dice.choice(["Enabled", "Off", "Suspended" if self.flavour == "lock" else "Enabled"]))

    def lock(self) -> tuple[str, dict]:
        names = self.names(0.3)
        return self.dice.choice([
            ("put_object_legal_hold", {**names, "LegalHold": {"Status": self.dice.choice(["ON", "OFF", "off"])}}),
            ("get_object_legal_hold", names), ("get_object_retention", names),
            ("put_object_retention", {**names, "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": "2099-01-01T00:00:00Z"}}),
        ])

    def bucket_itself(self) -> tuple[str, dict]:
        operation = self.dice.choice(["head_bucket", "delete_bucket", "create_bucket"])
        return operation, {"Bucket": self.bucket if self.dice.random() < 0.6 else f"{self.bucket}-not"}
