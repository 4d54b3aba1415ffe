"""What a setting may be: text to value, and back. A ValueError says what would be right."""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path

from frostgate_server.domain.enums import Decision
from frostgate_server.domain.partner import is_address

LONGEST_RETENTION = timedelta(days=3650)
LONGEST_DRAIN = timedelta(hours=1)
LONGEST_PATIENCE = timedelta(hours=1)
MOST_WORKERS = 64
LONGEST_LEEWAY = timedelta(seconds=60)
TOKEN_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Whoever can verify by them cannot sign: no secret is shared."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|s|m|h|d)")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_SWITCH = {"true": True, "false": False}


def text_of(value: object) -> str:
    """A value of a TOML file as the text that a flag would give."""
    return shown_switch(value) if isinstance(value, bool) else str(value)


def address(text: str) -> str:
    """HOST:PORT or unix:/path."""
    if is_unix(text) and len(text) > len("unix:"):
        return text
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535, or unix:/path")
    return text


def optional_address(text: str) -> str:
    """HOST:PORT, unix:/path, or none."""
    return address(text) if text else ""


def is_unix(listen: str) -> bool:
    """Whether the address is a unix socket."""
    return listen.startswith("unix:")


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach the address."""
    if is_unix(listen):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def switch(text: str) -> bool:
    """true or false."""
    if text not in _SWITCH:
        raise ValueError("must be true or false")
    return _SWITCH[text]


def shown_switch(value: bool) -> str:
    """true or false."""
    return "true" if value else "false"


def path(text: str) -> Path:
    """A file."""
    if "\0" in text or not Path(text).name:
        raise ValueError("must name a file")
    return Path(text)


def optional_path(text: str) -> Path | None:
    """A file, or none."""
    return path(text) if text else None


def shown_optional_path(value: Path | None) -> str:
    """A file, or nothing."""
    return "" if value is None else str(value)


def retention_period(text: str) -> timedelta:
    """Up to ten years."""
    return _duration(text, LONGEST_RETENTION)


def drain_period(text: str) -> timedelta:
    """Up to an hour."""
    return _duration(text, LONGEST_DRAIN)


def worker_patience(text: str) -> timedelta:
    """A second to an hour."""
    value = _duration(text, LONGEST_PATIENCE)
    if value < timedelta(seconds=1):
        raise ValueError("must be at least 1s")
    return value


def token_leeway(text: str) -> timedelta:
    """Up to a minute."""
    return _duration(text, LONGEST_LEEWAY)


def token_algorithms(text: str) -> tuple[str, ...]:
    """One or more of the asymmetric ones, by commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= set(TOKEN_ALGORITHMS):
        raise ValueError(f"must be one or more of {', '.join(TOKEN_ALGORITHMS)}, with commas between")
    return names


def shown_token_algorithms(value: tuple[str, ...]) -> str:
    """With commas between."""
    return ",".join(value)


def reflection(text: str) -> str:
    """anyone, callers or off."""
    if text not in ("anyone", "callers", "off"):
        raise ValueError("must be anyone, callers or off")
    return text


def export_target(text: str) -> str:
    """A file, - or nothing."""
    return str(path(text)) if text not in {"", "-"} else text


def export_period(text: str) -> timedelta:
    """A second to a day."""
    value = _duration(text, timedelta(days=1))
    if value < timedelta(seconds=1):
        raise ValueError("must be at least 1s")
    return value


def code_lifetime(text: str) -> timedelta:
    """A second to an hour."""
    value = _duration(text, timedelta(hours=1))
    if value < timedelta(seconds=1):
        raise ValueError("must be at least 1s")
    return value


def code_count(text: str) -> int:
    """1 to 100."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 100):
        raise ValueError("must be a number from 1 to 100")
    return int(text)


def mail_server(text: str) -> str:
    """HOST:PORT, log or nothing."""
    if text in {"", "log"}:
        return text
    match = _ADDRESS.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError("must be HOST:PORT with a port from 1 to 65535, or log")
    return text


def mail_sender(text: str) -> str:
    """An e-mail address, or nothing."""
    if text and not is_address(text):
        raise ValueError("must be an e-mail address, such as codes@example.org")
    return text


def mail_security(text: str) -> str:
    """starttls, tls or none."""
    if text not in ("starttls", "tls", "none"):
        raise ValueError("must be starttls, tls or none")
    return text


def _duration(text: str, longest: timedelta) -> timedelta:
    match = _DURATION.fullmatch(text)
    value = int(match["number"]) * _UNITS[match["unit"]] if match else None
    if value is None or value > longest:
        raise ValueError(f"must be a whole number with a unit of ms, s, m, h or d, at most {shown_duration(longest)}")
    return value


def shown_duration(value: timedelta) -> str:
    """In the largest unit that needs no fraction."""
    for unit, length in _UNITS.items():
        if value % length == timedelta(0):
            return f"{value // length}{unit}"
    raise ValueError(f"durations are whole milliseconds, is {value}")


def decision(text: str) -> Decision:
    """deny or allow."""
    if text not in ("deny", "allow"):
        raise ValueError("must be deny or allow")
    return Decision[text.upper()]


def shown_decision(value: Decision) -> str:
    """deny or allow."""
    return value.name.lower()


def thread_count(text: str) -> int:
    """1 to 64."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 64):
        raise ValueError("must be a number from 1 to 64")
    return int(text)


def worker_count(text: str) -> int | None:
    """1 to 64, or auto."""
    if text == "auto":
        return None
    try:
        return thread_count(text)
    except ValueError:
        raise ValueError("must be a number from 1 to 64, or auto") from None


def shown_worker_count(value: int | None) -> str:
    """A number, or auto."""
    return "auto" if value is None else str(value)


def log_level(text: str) -> str:
    """debug, info, warning or error."""
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return text
