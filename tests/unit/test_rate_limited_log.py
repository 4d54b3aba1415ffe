"""Refusals of strangers in the log: a line a second, with the number of those left out."""

import logging
from itertools import chain, repeat

import pytest
from frostgate_server.observability import rate_limited_log
from frostgate_server.observability.rate_limited_log import RateLimitedLog


def test_no_stranger_can_fill_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    clock = chain(repeat(10.0, 12), repeat(11.5))
    monkeypatch.setattr(rate_limited_log, "monotonic", lambda: next(clock))
    log = RateLimitedLog(logging.getLogger("test"))
    with caplog.at_level(logging.INFO):
        for number in range(13):
            log.note(f"number {number}")
    assert caplog.messages == ["refused: number 0", "refused: number 11 (and 10 more since the last line)"]


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        ("a\nERROR forged", r"a\nERROR forged"),
        ("a\rb\tc\x1b[2Jd\x00", r"a\rb\tc\x1b[2Jd\x00"),
        ("a\x85b\u2028c\u202ed", r"a\x85b\u2028c\u202ed"),
        ("a\udcffb", r"a\udcffb"),
        ("ä €", "ä €"),
    ],
    ids=["a line break", "control characters", "breaks and directions of Unicode", "no UTF-8", "letters"],
)
def test_a_stranger_cannot_forge_a_line(sent: str, logged: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        RateLimitedLog(logging.getLogger("test")).note(sent)
    assert caplog.messages == [f"refused: {logged}"]
