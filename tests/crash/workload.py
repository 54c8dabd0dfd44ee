"""Writers that keep a log of what was acknowledged, and the check of a server against it.

Each key of a writer has one writer. So after a crash it holds what was acknowledged last, or what was under way
and not answered. Keys under `race/` have all writers at once, each with `If-None-Match: *`: one wins.
"""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "crash"
WRITERS = 8
KEYS_EACH = 6
# Content above this is a file of its own.
INLINE_BYTES_MAX = 32 << 10
PART_BYTES_MIN = 5 << 20
SEA = random.Random(20261122).randbytes(PART_BYTES_MIN + (1 << 20))


@dataclass(frozen=True)
class Content:
    """An object's content, by what it is made from: one number and the sizes of its parts."""

    number: int
    sizes: tuple[int, ...]
    in_parts: bool = False

    def part(self, index: int) -> bytes:
        mark = f"{self.number:020}.{index:02}/".encode()
        size = self.sizes[index]
        start = (self.number * 7919 + index) % (len(SEA) - size) if size < len(SEA) else 0
        return (mark + SEA[start : start + size])[:size]

    def bytes(self) -> bytes:
        return b"".join(self.part(i) for i in range(len(self.sizes)))

    def blobs(self) -> int:
        return sum(size > INLINE_BYTES_MAX for size in self.sizes)


@dataclass
class Log:
    """What is known of one key: what was acknowledged, and what may have happened since."""

    acknowledged: Content | None = None
    under_way: list[Content | None] = field(default_factory=list)


@dataclass
class Race:
    """What is known of one key that all writers want to make."""

    won: list[Content] = field(default_factory=list)
    lost: int = 0
    unknown: list[Content] = field(default_factory=list)


class Gone(Exception):
    """The server went away."""


class Writer(threading.Thread):
    """One writer, for one life of the server."""

    def __init__(self, workload: "Workload", index: int):
        super().__init__(name=f"writer-{index}", daemon=True)
        self.workload = workload
        self.s3 = workload.s3
        self.index = index
        self.random = random.Random(f"{workload.seed} {workload.life} {index}")
        self.races = 0
        self.error: BaseException | None = None
        # The last answers, by kind, as request ids: their records must not be lost.
        self.last: dict[str, str] = {}

    def run(self) -> None:
        try:
            while not self.workload.stop.is_set():
                self.one()
        except Gone:
            pass
        except BaseException as e:  # noqa: BLE001 - shown by the test
            self.error = e

    def one(self) -> None:
        key = f"writer-{self.index}/{self.random.randrange(KEYS_EACH)}"
        log = self.workload.logs[key]
        # Only what is known for certain can be the ground of a condition.
        match self.random.choices(range(8), [40, 12, 8, 12, 8, 4, 10, 6])[0]:
            case 0:
                self.put(key, log, self.random.randrange(4000))
            case 1:
                self.put(key, log, self.random.randrange(INLINE_BYTES_MAX + 1, 300_000))
            case 2:
                self.multipart(key, log, complete=True)
            case 3:
                self.delete(key, log)
            case 4:
                self.put_if_match(key, log)
            case 5:
                self.multipart(key, log, complete=False)
            case 6:
                self.race()
            case 7:
                self.get(key, log)

    def call(self, kind: str, method: str, **arguments: object) -> dict:
        """A call; `Gone` if the connection or the server ended."""
        try:
            answer = getattr(self.s3, method)(Bucket=BUCKET, **arguments)
        except ClientError:
            raise
        except (BotoCoreError, OSError) as e:
            raise Gone from e
        self.last[kind] = answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
        self.workload.acknowledged += 1
        return answer

    def change(self, log: Log, content: Content | None, method: str, **arguments: object) -> dict:
        """A call that makes `content` the key's content."""
        log.under_way.append(content)
        answer = self.call("write", method, **arguments)
        log.acknowledged = content
        log.under_way.clear()
        return answer

    def new(self, *sizes: int, in_parts: bool = False) -> Content:
        return Content(self.random.getrandbits(60), sizes, in_parts)

    def put(self, key: str, log: Log, size: int) -> None:
        content = self.new(size)
        self.change(log, content, "put_object", Key=key, Body=content.bytes())

    def put_if_match(self, key: str, log: Log) -> None:
        content = self.new(self.random.randrange(1, 60_000))
        if log.acknowledged is None:
            self.change(log, content, "put_object", Key=key, Body=content.bytes(), IfNoneMatch="*")
            return
        etag = self.call("read", "head_object", Key=key)["ETag"]
        self.change(log, content, "put_object", Key=key, Body=content.bytes(), IfMatch=etag)

    def delete(self, key: str, log: Log) -> None:
        self.change(log, None, "delete_object", Key=key)

    def get(self, key: str, log: Log) -> None:
        if log.acknowledged is not None:
            answer = self.call("read", "get_object", Key=key)
            try:
                body = answer["Body"].read()
            except (BotoCoreError, OSError) as e:
                raise Gone from e
            assert body == log.acknowledged.bytes(), f"{key} has other content"

    def multipart(self, key: str, log: Log, *, complete: bool) -> None:
        sizes = [self.random.randrange(1, 200_000)]
        if self.random.random() < 0.15:
            sizes.insert(0, PART_BYTES_MIN)
        content = self.new(*sizes, in_parts=True)
        upload = self.call("write", "create_multipart_upload", Key=key)["UploadId"]
        open_upload = self.workload.opened(key, upload)
        parts = []
        for number, _ in enumerate(sizes, 1):
            body = content.part(number - 1)
            etag = self.call("write", "upload_part", Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
            open_upload[number] = etag
        if not complete and self.random.random() < 0.5:
            return
        # From here on the upload may be closed.
        self.workload.closing(upload)
        if complete:
            named = {"Parts": parts}
            self.change(log, content, "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload=named)
        else:
            self.call("write", "abort_multipart_upload", Key=key, UploadId=upload)

    def race(self) -> None:
        self.races += 1
        key = f"race/{self.workload.life}-{self.races}"
        content = self.new(self.random.choice([100, 50_000]))
        race = self.workload.race(key)
        race.unknown.append(content)
        try:
            self.call("write", "put_object", Key=key, Body=content.bytes(), IfNoneMatch="*")
            race.won.append(content)
        except ClientError as e:
            assert e.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), e
            # A conflict says nothing about who won.
            race.lost += e.response["Error"]["Code"] == "PreconditionFailed"
        race.unknown.remove(content)


class Workload:
    """All writers, over all lives of the server."""

    def __init__(self, s3, seed: int):
        self.s3 = s3
        self.seed = seed
        self.life = 0
        self.acknowledged = 0
        keys = (f"writer-{w}/{k}" for w in range(WRITERS) for k in range(KEYS_EACH))
        self.logs: dict[str, Log] = {key: Log() for key in keys}
        self.races: dict[str, Race] = {}
        # Uploads that are open for certain: key and id, and the parts that were acknowledged.
        self.uploads: dict[str, tuple[str, dict[int, str]]] = {}
        self.lock = threading.Lock()
        self.stop = threading.Event()

    def race(self, key: str) -> Race:
        with self.lock:
            return self.races.setdefault(key, Race())

    def opened(self, key: str, upload: str) -> dict[int, str]:
        with self.lock:
            return self.uploads.setdefault(upload, (key, {}))[1]

    def closing(self, upload: str) -> None:
        with self.lock:
            self.uploads.pop(upload, None)

    def begin(self) -> list[Writer]:
        self.life += 1
        self.stop.clear()
        writers = [Writer(self, index) for index in range(WRITERS)]
        for writer in writers:
            writer.start()
        return writers

    def end(self, writers: list[Writer]) -> None:
        self.stop.set()
        for writer in writers:
            writer.join(60)
            assert not writer.is_alive(), f"{writer.name} hangs"
            if writer.error:
                raise AssertionError(f"{writer.name} in life {self.life}") from writer.error

    def verify(self) -> None:
        """Every key holds what it must; what was under way is known from here on."""
        listed = self._list()
        with ThreadPoolExecutor(WRITERS) as pool:
            found = dict(zip(listed, pool.map(self._read, listed), strict=True))
        for key, log in self.logs.items():
            allowed = [log.acknowledged, *log.under_way]
            log.acknowledged = self._one_of(key, found.pop(key, None), listed, allowed)
            log.under_way.clear()
        for key, race in self.races.items():
            assert len(race.won) <= 1, f"{key} was made {len(race.won)} times"
            allowed = race.won or [*race.unknown, *([] if race.lost else [None])]
            self._one_of(key, found.pop(key, None), listed, allowed)
        assert not found, f"nobody wrote {sorted(found)}"
        self._verify_uploads()
        self._forget_races()

    def _list(self) -> dict[str, int]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def _read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    @staticmethod
    def _one_of(key: str, body: bytes | None, listed: dict, allowed: list[Content | None]) -> Content | None:
        for content in allowed:
            if content is None and body is None:
                return None
            if content is not None and body is not None and body == content.bytes():
                assert listed[key] == len(body), f"{key} is listed with another size"
                return content
        held = "nothing" if body is None else f"{len(body)} bytes, {body[:40]!r}"
        raise AssertionError(f"{key} holds {held}, and not one of {allowed}")

    def _verify_uploads(self) -> None:
        """Parts that were acknowledged are there. All uploads are aborted."""
        there = {}
        for page in self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET):
            there |= {u["UploadId"]: u["Key"] for u in page.get("Uploads", [])}
        for upload, (key, parts) in self.uploads.items():
            assert there.get(upload) == key, f"the upload {upload} of {key} is gone"
            answer = self.s3.list_parts(Bucket=BUCKET, Key=key, UploadId=upload)
            found = {p["PartNumber"]: p["ETag"] for p in answer.get("Parts", [])}
            assert parts.items() <= found.items(), f"parts of {upload}: {found}, acknowledged {parts}"
        for upload, key in there.items():
            self.s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
        self.uploads.clear()

    def _forget_races(self) -> None:
        keys = [{"Key": key} for key in self.races]
        for start in range(0, len(keys), 1000):
            answer = self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys[start : start + 1000]})
            assert not answer.get("Errors"), answer["Errors"]
        self.races.clear()

    def blobs(self) -> int:
        """How many blobs the objects have that are there."""
        return sum(log.acknowledged.blobs() for log in self.logs.values() if log.acknowledged)
