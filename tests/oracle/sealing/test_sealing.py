"""Our sealing against PyPI `cryptography`, which implements the same layout on its own: what one
seals the other opens, and neither opens what was changed."""

import os
import pathlib
import random
import subprocess

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

OURS = pathlib.Path(os.environ["CRATON_EXAMPLES"]) / "cobblestone"
CHUNK, HEADER, TAG = 16384, 56, 16
LENGTHS = [0, 1, 16, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 100_003, 1_000_000]
RANDOM = random.Random(2)


def ours(mode, key, context, data):
    command = [OURS, mode, key.hex(), context.hex()]
    return subprocess.run(command, input=data, capture_output=True, check=False)


def seal(key, context, plain):
    encryptor = Cobblestone256Encryptor(key, context)
    return bytes(encryptor.update(plain)) + bytes(encryptor.finalize())


def open_sealed(key, context, sealed):
    decryptor = Cobblestone256Decryptor(key, context)
    return bytes(decryptor.update(sealed)) + bytes(decryptor.finalize())


def message(length):
    return RANDOM.randbytes(32), RANDOM.randbytes(RANDOM.randrange(64)), RANDOM.randbytes(length)


@pytest.mark.parametrize("length", LENGTHS)
def test_they_open_what_we_seal(length):
    key, context, plain = message(length)
    sealed = ours("seal", key, context, plain)
    assert sealed.returncode == 0, sealed.stderr
    assert len(sealed.stdout) == HEADER + length + TAG * (length // CHUNK + 1)
    assert open_sealed(key, context, sealed.stdout) == plain


@pytest.mark.parametrize("length", LENGTHS)
def test_we_open_what_they_seal(length):
    key, context, plain = message(length)
    opened = ours("open", key, context, seal(key, context, plain))
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout == plain


@pytest.mark.parametrize("length", [0, 300, CHUNK, 2 * CHUNK + 7])
def test_we_refuse_what_was_changed(length):
    key, context, plain = message(length)
    sealed = seal(key, context, plain)
    for _ in range(12):
        bit = RANDOM.randrange(len(sealed) * 8)
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        refused = ours("open", key, context, bytes(changed))
        assert refused.returncode != 0, f"bit {bit}"
        assert plain.startswith(refused.stdout), "only what verified may come out"


def test_we_refuse_what_was_cut_and_other_contexts():
    key, context, plain = message(2 * CHUNK + 7)
    sealed = seal(key, context, plain)
    for length in [0, 55, 56, HEADER + CHUNK + TAG, len(sealed) - 1]:
        assert ours("open", key, context, sealed[:length]).returncode != 0, f"{length} bytes"
    assert ours("open", key, context + b"x", sealed).returncode != 0
    assert ours("open", RANDOM.randbytes(32), context, sealed).returncode != 0
