"""The messages that the troubleshooting page quotes are those of the server."""

import re
from pathlib import Path

from frostgate import ErrorReason

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
SOURCES = sorted((ROOT / "server" / "src").rglob("*.py"))

OF_OTHERS = {
    "a worker hangs during its start",
    "failed to query for service descriptor",
    "Address already in use",
    "database or disk is full",
    "No space left on device",
}
"""Messages of grpcurl, the system and SQLite, and one that the supervisor composes."""

_BETWEEN_LITERALS = re.compile(r'"\n\s*f?"')
_QUOTE = re.compile(r"`([^`]* [^`]*)`")
_VALUES_AND_MARKS = re.compile(r"…|: |; |, |\.$")


def symptoms() -> list[str]:
    """The first cells of the tables below the first section, whose messages are those of gRPC."""
    sections = PAGE.split("\n## Errors of identity and role\n")[1]
    return [line.split(" | ")[0] for line in sections.splitlines() if line.startswith("| ")]


def test_the_quoted_messages_are_in_the_code_of_the_server() -> None:
    code = _BETWEEN_LITERALS.sub("", "\n".join(path.read_text() for path in SOURCES))
    parts = {
        part.strip(" ()")
        for symptom in symptoms()
        for quote in _QUOTE.findall(symptom)
        for part in _VALUES_AND_MARKS.split(quote)
        if " " in part.strip(" ()")
    }
    assert len(parts) > 30
    assert [part for part in sorted(parts - OF_OTHERS) if part not in code] == []


def test_the_reasons_of_the_page_exist() -> None:
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", " ".join(symptoms())))
    assert named - {reason.name for reason in ErrorReason} == set()
