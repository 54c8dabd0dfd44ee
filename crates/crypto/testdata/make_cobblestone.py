"""Makes cobblestone.json with PyPI `cryptography` (50 or later), the independent implementation.

    python make_cobblestone.py > cobblestone.json

Each message is `(7 * i + len) mod 256` for byte i. Short sealed messages are kept whole, long ones as header,
length and SHA-256: the test seals again with the salt from the header and compares.
"""
import hashlib
import json

from cryptography import __version__
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

LENGTHS = [0, 1, 15, 16, 300, 16383, 16384, 16385, 32767, 32768, 32769, 50000, 131072]
CONTEXTS = [b"", b"bucket/version", bytes(range(256))]


def vector(number, length):
    key = hashlib.sha256(b"key %d" % number).digest()
    context = CONTEXTS[number % len(CONTEXTS)]
    plain = bytes((7 * i + length) % 256 for i in range(length))
    encryptor = Cobblestone256Encryptor(key, context)
    sealed = bytes(encryptor.update(plain)) + bytes(encryptor.finalize())
    decryptor = Cobblestone256Decryptor(key, context)
    assert bytes(decryptor.update(sealed)) + bytes(decryptor.finalize()) == plain
    out = {"key": key.hex(), "context": context.hex(), "plain_len": length, "sealed_len": len(sealed)}
    out |= {"header": sealed[:56].hex(), "sealed_sha256": hashlib.sha256(sealed).hexdigest()}
    if length <= 300:
        out["sealed"] = sealed.hex()
    return out


vectors = [vector(n, length) for n, length in enumerate(LENGTHS)]
made = {"made_by": "testdata/make_cobblestone.py with PyPI cryptography " + __version__, "vectors": vectors}
print(json.dumps(made, indent=1))
