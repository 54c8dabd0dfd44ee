"""The jars that Spark needs for Iceberg, put together from those in Python packages.

The Iceberg runtime in `snowpark-connect-deps-iceberg` lacks its own copies of the HTTP client and of Jackson, which it names by
`org/apache/iceberg/shaded/…`. `bodo-iceberg-connector` has both by their plain names, and the AWS SDK: the classes are given the names that
the runtime knows.
"""

import struct
import sys
import zipfile
from pathlib import Path

SHADED = b"org/apache/iceberg/shaded/"
RENAMED = (b"org/apache/hc/", b"com/fasterxml/jackson/")
RELOCATED = ("httpclient5-", "httpcore5-", "jackson-core-2", "jackson-databind-", "jackson-annotations-")
SDK = "2.29.26"
# To be raised with any change of what is put together here: a jar that is there is not made again.
VERSION = 2
# The runtime names it, and the client in the packages is older than it. Nothing of it is used.
STRATEGY = "org/apache/hc/client5/http/ssl/TlsSocketStrategy"
PLAIN = ("reactive-streams-", "eventstream-", "slf4j-none")

# Bytes of a constant behind its tag, by the tag (JVM specification, 4.4); 1 has a length of its own, 5 and 6 take two places.
SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}


def renamed(text: bytes) -> bytes:
    for name in RENAMED:
        text = text.replace(name, SHADED + name)
        dotted = name.replace(b"/", b".")
        text = text.replace(dotted, SHADED.replace(b"/", b".") + dotted)
    return text


def relocated(content: bytes) -> bytes:
    """A class with the names in its constants changed."""
    (count,) = struct.unpack_from(">H", content, 8)
    out, at, index = [content[:10]], 10, 1
    while index < count:
        tag = content[at]
        if tag == 1:
            (size,) = struct.unpack_from(">H", content, at + 1)
            text = renamed(content[at + 3 : at + 3 + size])
            out.append(struct.pack(">BH", 1, len(text)) + text)
            at += 3 + size
        else:
            out.append(content[at : at + 1 + SIZES[tag]])
            at += 1 + SIZES[tag]
        index += 2 if tag in (5, 6) else 1
    return b"".join(out) + content[at:]


def interface(name: bytes) -> bytes:
    """An interface without methods (JVM specification, 4.1)."""
    constants = [b"\x01" + struct.pack(">H", len(text)) + text + b"\x07" + struct.pack(">H", at) for at, text in ((1, name), (3, b"java/lang/Object"))]
    return struct.pack(">IHHH", 0xCAFEBABE, 0, 52, 5) + b"".join(constants) + struct.pack(">HHHHHHH", 0x0601, 2, 4, 0, 0, 0, 0)


def relocate(jars: list[Path], out: Path) -> None:
    seen = set()
    with zipfile.ZipFile(out, "w") as written:
        for jar in jars:
            with zipfile.ZipFile(jar) as read:
                for name in read.namelist():
                    if name.endswith("/") or name.startswith("META-INF/") or name == "module-info.class" or name in seen:
                        continue
                    seen.add(name)
                    content = read.read(name)
                    content = relocated(content) if name.endswith(".class") else content
                    written.writestr(renamed(name.encode()).decode(), content)
        if f"{STRATEGY}.class" not in seen:
            name = renamed(STRATEGY.encode())
            written.writestr(f"{name.decode()}.class", interface(name))


def prepare(packages: Path, folder: Path) -> list[Path]:
    """The jars of a classpath, made once in a folder."""
    libs = packages / "bodo_iceberg_connector/jars/libs"
    runtime = packages / "snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-1.10.2.jar"
    jar = folder / f"iceberg-shaded-{VERSION}.jar"
    if not jar.exists():
        folder.mkdir(parents=True, exist_ok=True)
        begun = folder / f"{jar.name}.begun"
        relocate([j for j in sorted(libs.glob("*.jar")) if j.name.startswith(RELOCATED)], begun)
        begun.rename(jar)
    others = [j for j in sorted(libs.glob("*.jar")) if j.name.endswith(f"-{SDK}.jar") or j.name.startswith(PLAIN)]
    return [runtime, jar, *others]


if __name__ == "__main__":
    print("\n".join(map(str, prepare(Path(sys.argv[1]), Path(sys.argv[2])))))
