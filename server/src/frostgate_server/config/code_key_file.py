"""The file with the key for the digests of verification codes.

It is separate from the database, so that a copy of the database does not reveal codes.
"""

import os
import secrets
from pathlib import Path

from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import CodeKey

LEAST_BYTES = 32


def code_key(named: Path | None, default: Path) -> CodeKey:
    """The key in the named file, or else in the default one, which is created if it does not exist.

    Raises StartupError.
    """
    path = named or default
    try:
        if named is None and not path.exists():
            _make(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise StartupError(f"verification key {path} cannot be read: {error.strerror or error}") from error
    if len(key) < LEAST_BYTES:
        raise StartupError(f"verification key {path} must have at least {LEAST_BYTES} bytes but has {len(key)}")
    return CodeKey(key)


def _make(path: Path) -> None:
    """Creates the key file atomically: writes a temporary file and renames it."""
    unfinished = path.with_name(path.name + "-new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(LEAST_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
