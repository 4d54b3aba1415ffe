"""Kinds of settings: each reads what it shows and quotes, and has one error text, which follows from its bounds."""

import re
import textwrap
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from frostgate_server.config import kinds
from frostgate_server.config.definition import Setting, setting, settings_of
from frostgate_server.config.kinds import (
    Address,
    Choice,
    Choices,
    Duration,
    EmailAddress,
    FilePath,
    Kind,
    MemberChoice,
    Number,
    Optional,
    OutputFile,
    Switch,
    Text,
)
from frostgate_server.config.settings import Settings, all_settings
from frostgate_server.domain.enums import Decision
from hypothesis import example, given
from hypothesis import strategies as st

CONTRIBUTING = Path(__file__).parent.parent.parent / "CONTRIBUTING.md"
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def toml_value(quoted: str) -> object:
    return tomllib.loads(f"value = {quoted}  # comment\n")["value"]


@pytest.mark.parametrize(
    ("kind", "text", "value", "in_toml"),
    [
        (Text(), "", "", ""),
        (Text(), 'a "b" \\', 'a "b" \\', 'a "b" \\'),
        (Switch(), "true", True, True),
        (Switch(), "false", False, False),
        (Number(1, 64), "1", 1, 1),
        (Number(1, 64), "64", 64, 64),
        (Number(0, 10**9), "1000000000", 10**9, 10**9),
        (Duration(most=HOUR), "0d", timedelta(0), "0d"),
        (Duration(most=HOUR), "1h", HOUR, "1h"),
        (Duration(most=HOUR, least=SECOND), "1s", SECOND, "1s"),
        (Duration(most=HOUR), "1500ms", timedelta(seconds=1.5), "1500ms"),
        (Choice("a", "b"), "b", "b", "b"),
        (MemberChoice(Decision.DENY, Decision.ALLOW), "allow", Decision.ALLOW, "allow"),
        (Choices("a", "b"), "b,a", ("b", "a"), "b,a"),
        (FilePath(), "data/f.db", Path("data/f.db"), "data/f.db"),
        (OutputFile(), "", "", ""),
        (OutputFile(), "-", "-", "-"),
        (OutputFile(), "a/b", "a/b", "a/b"),
        (Address(), "", "", ""),
        (Address(), "a.example:0", "a.example:0", "a.example:0"),
        (Address(), "[::1]:65535", "[::1]:65535", "[::1]:65535"),
        (Address(unix=True), "unix:/s", "unix:/s", "unix:/s"),
        (Address(least_port=1, word="log"), "log", "log", "log"),
        (EmailAddress(), "", "", ""),
        (EmailAddress(), "a@b.example", "a@b.example", "a@b.example"),
        (Optional(FilePath()), "", None, ""),
        (Optional(FilePath()), "f", Path("f"), "f"),
        (Optional(Number(1, 2), none="auto"), "auto", None, "auto"),
        (Optional(Number(1, 2), none="auto"), "2", 2, "2"),
        (Optional(Duration(most=HOUR, least=SECOND), none="0"), "0", None, "0"),
    ],
)
def test_a_kind_reads_shows_and_quotes_its_values(kind: Kind[Any], text: str, value: object, in_toml: object) -> None:
    assert kind.read(text) == value
    assert kind.show(value) == text
    assert toml_value(kind.quote(value)) == in_toml


@pytest.mark.parametrize(
    ("kind", "texts", "rule"),
    [
        (Switch(), ["", "True", "1"], "must be true or false"),
        (Number(1, 64), ["", "0", "65", "-1", "+1", " 1", "1_0", "٣", "9" * 5000], "must be a number from 1 to 64"),
        (
            Duration(most=HOUR),
            ["", "1", "1.5h", "-1s", "61m", "1w", "10000000000s"],
            "must be a whole number with a unit of ms, s, m, h or d, at most 1h",
        ),
        (
            Duration(most=HOUR, least=SECOND),
            ["999ms", "61m", "x"],
            "must be a whole number with a unit of ms, s, m, h or d, at least 1s and at most 1h",
        ),
        (Choice("a", "b", "c"), ["", "A", "d", "a,b"], "must be a, b or c"),
        (MemberChoice(Decision.DENY, Decision.ALLOW), ["", "DENY", "2"], "must be deny or allow"),
        (Choices("a", "b"), ["", "a,", "c", "a;b"], "must be one or more of a, b, separated by commas"),
        (FilePath(), ["", "/", "..\0", "."], "must name a file"),
        (OutputFile(), ["/", "a\0"], "must name a file"),
        (
            Address(),
            ["a", ":1", "a:65536", "a:-1", "a b:1", "unix:/s", "log"],
            "must be HOST:PORT with a port from 0 to 65535",
        ),
        (
            Address(unix=True),
            ["unix:", "::1:1", "log"],
            "must be HOST:PORT with a port from 0 to 65535, or unix:/path",
        ),
        (
            Address(least_port=1, word="log"),
            ["a:0", "logs", "unix:/s"],
            "must be HOST:PORT with a port from 1 to 65535, or log",
        ),
        (EmailAddress(), ["a", "a@", "a b@c"], "must be an e-mail address, such as codes@example.org"),
        (Optional(FilePath()), ["/"], "must name a file"),
        (
            Optional(Duration(most=HOUR, least=SECOND), none="0"),
            ["", "0s", "61m", "1"],
            "must be a whole number with a unit of ms, s, m, h or d, at least 1s and at most 1h, or 0",
        ),
        (Optional(Number(1, 64), none="auto"), ["", "0", "Auto"], "must be a number from 1 to 64, or auto"),
    ],
)
def test_a_kind_refuses_other_texts_with_its_rule(kind: Kind[Any], texts: list[str], rule: str) -> None:
    assert kind.rule == rule
    for text in texts:
        with pytest.raises(ValueError, match=f"^{re.escape(rule)}$"):
            kind.read(text)


def test_spaces_between_words_and_repeated_words_are_dropped() -> None:
    assert Choices("a", "b").read("b, a,b") == ("b", "a")


def test_a_fraction_of_a_millisecond_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="must be a whole number of milliseconds"):
        Duration(most=HOUR).show(timedelta(microseconds=1))


@example('\x7f \0 \r\n \t " \\ ü')
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_can_be_quoted(text: str) -> None:
    assert toml_value(Text().quote(text)) == text


@pytest.mark.parametrize("one", all_settings(), ids=lambda one: str(one.name))
def test_a_default_is_a_value_of_its_kind(one: Setting) -> None:
    default = getattr(Settings(), one.name)
    assert one.kind.read(one.default) == default
    in_toml = toml_value(one.kind.quote(default))
    assert (one.kind.show(in_toml) if isinstance(in_toml, bool) else str(in_toml)) == one.default


def test_the_example_of_the_contributing_page_defines_a_setting() -> None:
    section = CONTRIBUTING.read_text().split("## Add a setting\n")[1].split("\n## ")[0]
    block = textwrap.dedent(section.split("```python\n")[1].split("   ```")[0])
    namespace: dict[str, Any] = {"setting": setting, "dataclass": dataclass, **vars(kinds)}
    exec(f"@dataclass\nclass Example:\n{textwrap.indent(block, '    ')}", namespace)  # noqa: S102 - the page's own code
    (one,) = settings_of(namespace["Example"])
    assert (one.flag, one.variable, one.default) == ("--max-header-bytes", "FROSTGATE_MAX_HEADER_BYTES", "16384")
    assert one.kind == Number(16_384, 65_536)
    assert "16384 to 65536" in one.doc
    assert not one.is_switch
