"""Objects: get, put, list and delete, as S3 means them. For what is not here (multipart uploads, tags, locks …) use boto3 or
any other client of S3 at the same address."""

from __future__ import annotations

import datetime
import email.utils
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from .auth import encoded
from .errors import NotFound
from .transport import PIECE_BYTES, Answer

if TYPE_CHECKING:
    from .client import Client, Query

_METADATA = "x-amz-meta-"


@dataclass(frozen=True)
class ObjectInfo:
    """An object, as a listing or an answer tells it.

    Attributes:
        key: its key.
        size: its bytes.
        etag: changes with its content; in quotes, as S3 has it.
        modified: when it was written.
        version: its version's id, if the bucket keeps versions; listings do not tell it.
        content_type: of an answer, what it was written as.
        metadata: of an answer, what its writer said of it.
    """

    key: str
    size: int
    etag: str
    modified: datetime.datetime
    version: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectReader(io.BufferedReader):
    """An object's content as a file that is read forwards, once.

    Attributes:
        info: the object that is read; its size is that of the part that was asked for.
    """

    def __init__(self, answer: Answer, info: ObjectInfo) -> None:
        super().__init__(answer, PIECE_BYTES)
        self.info = info


class Bucket:
    """A bucket of objects. Made by ``Client.bucket``."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name

    def _send(self, method: str, key: str = "", *, query: Query | None = None, headers: Mapping[str, str] | None = None,
              body: bytes | IO[bytes] = b"") -> Answer:
        target = f"/{encoded(self.name)}/{encoded(key, '/')}" if key else f"/{encoded(self.name)}"
        return self.client.send(method, target, query=query, headers=headers, body=body)

    def create(self, *, exist_ok: bool = False) -> None:
        """Makes the bucket.

        Args:
            exist_ok: whether it may be there already, and the caller's to see.
        """
        if not (exist_ok and self.exists()):
            self._send("PUT").close()

    def exists(self) -> bool:
        """Whether it is there."""
        try:
            self._send("HEAD").close()
        except NotFound:
            return False
        return True

    def drop(self) -> None:
        """Deletes the bucket, which must be empty."""
        self._send("DELETE").close()

    def open(self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None,
             etag: str | None = None) -> ObjectReader:
        """Opens an object to be read as it comes.

        Args:
            start: the first byte that is wanted.
            length: how many are; all to the end if ``None``.
            version: which version; the newest if ``None``.
            etag: what it must be; ``Changed`` is raised if it is not any more.
        """
        headers = {"if-match": etag} if etag else {}
        if start or length is not None:
            headers["range"] = f"bytes={start}-{'' if length is None else start + length - 1}"
        answer = self._send("GET", key, query={"versionId": version}, headers=headers)
        return ObjectReader(answer, _info(key, answer))

    def get(self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None,
            etag: str | None = None) -> bytes:
        """An object's content, or a part of it. The arguments are those of ``open``."""
        if length == 0:
            return b""
        with self.open(key, start=start, length=length, version=version, etag=etag) as reader:
            return reader.read()

    def head(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """What an object is, without its content."""
        with self._send("HEAD", key, query={"versionId": version}) as answer:
            return _info(key, answer)

    def put(self, key: str, content: bytes | str | Path | IO[bytes], *, content_type: str | None = None,
            metadata: Mapping[str, str] | None = None, etag: str | None = None, new: bool = False) -> ObjectInfo:
        """Writes an object, of at most 5 GiB.

        Args:
            content: bytes, a text (UTF-8), the path of a file, or a file that can be read twice: once for its hash.
            content_type: what it is.
            metadata: what is said of it: letters, digits and ``-`` in names, ASCII in values.
            etag: what is there now; ``Changed`` is raised if it is something else.
            new: whether nothing may be there yet; ``Changed`` is raised if something is.
        """
        if isinstance(content, Path):
            with content.open("rb") as file:
                return self.put(key, file, content_type=content_type, metadata=metadata, etag=etag, new=new)
        body = content.encode() if isinstance(content, str) else content
        headers = {f"{_METADATA}{name.lower()}": value for name, value in (metadata or {}).items()}
        headers |= {"content-type": content_type} if content_type else {}
        headers |= {"if-match": etag} if etag else {}
        headers |= {"if-none-match": "*"} if new else {}
        size = len(body) if isinstance(body, bytes) else _left(body)
        with self._send("PUT", key, headers=headers, body=body) as answer:
            now = datetime.datetime.now(datetime.timezone.utc)
            told = answer.headers
            return ObjectInfo(key, size, told["etag"], now, told.get("x-amz-version-id"), content_type, dict(metadata or {}))

    def delete(self, key: str, *, version: str | None = None) -> None:
        """Deletes an object, or one version of it. It need not be there."""
        self._send("DELETE", key, query={"versionId": version}).close()

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """The objects whose keys begin so, in order, page by page as they are asked for.

        Args:
            after: only those whose keys come after this one.
        """
        for page in self._pages(prefix, None, after):
            for found in page.iterfind("{*}Contents"):
                modified = datetime.datetime.fromisoformat(_text(found, "LastModified").replace("Z", "+00:00"))
                yield ObjectInfo(
                    unquote_plus(_text(found, "Key")), int(_text(found, "Size")), _text(found, "ETag"), modified
                )

    def folders(self, prefix: str = "", *, delimiter: str = "/") -> Iterator[str]:
        """The different beginnings of keys under ``prefix``, to the next ``delimiter``."""
        for page in self._pages(prefix, delimiter, None):
            for found in page.iterfind("{*}CommonPrefixes"):
                yield unquote_plus(_text(found, "Prefix"))

    def _pages(self, prefix: str, delimiter: str | None, after: str | None) -> Iterator[ElementTree.Element]:
        token: str | None = None
        while True:
            query: Query = {"list-type": 2, "encoding-type": "url", "prefix": prefix or None, "delimiter": delimiter,
                     "start-after": after, "continuation-token": token}
            with self._send("GET", query=query) as answer:
                page = ElementTree.fromstring(answer.read())
            yield page
            token = page.findtext("{*}NextContinuationToken")
            if not token:
                return


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""


def _left(file: IO[bytes]) -> int:
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end - here


def _info(key: str, answer: Answer) -> ObjectInfo:
    told = answer.headers
    metadata = {name.lower()[len(_METADATA):]: value for name, value in told.items() if name.lower().startswith(_METADATA)}
    return ObjectInfo(
        key, int(told.get("content-length", 0)), told.get("etag", ""), email.utils.parsedate_to_datetime(told["last-modified"]),
        told.get("x-amz-version-id"), told.get("content-type"), metadata,
    )
