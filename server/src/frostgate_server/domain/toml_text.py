"""Parses TOML in UTF-8, with or without a byte order mark."""

import tomllib
from typing import Any


def parse_toml(content: bytes | str) -> dict[str, Any]:
    """The document. Raises ValueError with one line that says why it cannot be read."""
    try:
        return tomllib.loads(content if isinstance(content, str) else content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"is not in UTF-8, at byte {error.start + 1}: save it in UTF-8") from error
    except RecursionError as error:
        raise ValueError("is not valid TOML: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"is not valid TOML: {error}") from error
