"""Pseudonyms: a customer, an address or a device becomes its HMAC, under a key that stays with who makes the reports.

The same key gives the same pseudonyms, so that reports of different days can be joined; nobody without it can find out
who is meant by trying all customers.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

_BLOCK_BYTES = 64
"""Of SHA-256. Source: RFC 2104 section 2."""

_KEY_BYTES = 32


class KeyFileError(ValueError):
    """A key file cannot be used."""


def read_or_make_key(path: Path) -> bytes:
    """Read the key of a file, all its bytes; make the file, for its owner alone, where there is none.

    Raises:
        KeyFileError: The file is empty.
        OSError: It cannot be read or made.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode())
    except FileExistsError:
        pass
    key = path.read_bytes()
    if not key:
        raise KeyFileError(
            f"{path} is empty: give a key file of at least {_KEY_BYTES} bytes, or remove it to have one made"
        )
    return key


def pseudonym(key: bytes, value: str) -> str:
    """Return the HMAC-SHA-256 of a value, in hexadecimal. Source: RFC 2104."""
    return hmac.digest(key, value.encode(), "sha256").hex()


def pseudonym_in_sql(key: bytes, value: str) -> str:
    """Write an expression of DuckDB that gives a value's pseudonym; null where the value is null.

    DuckDB has no HMAC, so it is put together from its two hashes.

    Args:
        key: The key.
        value: An expression of type VARCHAR.
    """
    block = _key_of_hmac(key).ljust(_BLOCK_BYTES, b"\0")
    inner, outer = (_blob(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    return f"sha256({outer} || unhex(sha256({inner} || encode({value}))))"


def _key_of_hmac(key: bytes) -> bytes:
    """Hash a key that is longer than a block, as HMAC does."""
    return hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key


def _blob(content: bytes) -> str:
    return f"unhex('{content.hex()}')"
