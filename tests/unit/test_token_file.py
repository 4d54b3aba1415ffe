"""What a client takes from a token file, and what it refuses."""

import os
from pathlib import Path

import frostgate
import pytest
from frostgate.transport.token_file import TokenFile

TOKEN = "eyJh.eyJz-_.c2ln+/=="  # noqa: S105 - it opens nothing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a good token."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


@pytest.mark.parametrize("before", ["", "\n", "\ufeff", "\ufeff \t"], ids=ascii)
@pytest.mark.parametrize("after", ["", "\n", "\r\n", "\n\n", " \t\n", "\v\f", "\u2028"], ids=ascii)
def test_blanks_around_a_token_are_not_part_of_it(file: Path, before: str, after: str) -> None:
    file.write_bytes(f"{before}{TOKEN}{after}".encode())
    assert TokenFile(file).header() == ("authorization", f"Bearer {TOKEN}")
    assert TokenFile(str(file)).header() == ("authorization", f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"one\ntwo", r"contains the character '\\n'"),
        (b"one\r\ntwo\r\n", r"contains the character '\\r'"),
        (b"Bearer one", "contains the character ' '"),
        ("Schl\u00fcssel".encode(), "contains the character '\u00fc'"),
        (b"one\0", r"contains the character '\\x00'"),
        (b"\x7fone", r"contains the character '\\x7f'"),
        ("one\u200b".encode(), r"contains the character '\\u200b'"),
        (b"\xff\xfeo\0n\0e\0", "is not text"),
        (b"\x80", "is not text"),
    ],
    ids=repr,
)
def test_what_no_header_can_carry_is_refused_at_once(file: Path, content: bytes, problem: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"^token_file: {file} {problem}. It must contain one token and nothing else"):
        TokenFile(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"token_file: {tmp_path}/none cannot be read: No such file or directory"):
        TokenFile(tmp_path / "none")
    with pytest.raises(ValueError, match=f"token_file: {tmp_path} cannot be read: Is a directory"):
        TokenFile(tmp_path)


def test_a_token_is_not_shown_in_an_error(file: Path) -> None:
    file.write_text("secret\nsecret")
    with pytest.raises(ValueError, match="token_file") as raised:
        TokenFile(file)
    assert "secret" not in str(raised.value)


def test_a_token_that_is_replaced_is_read_again(file: Path) -> None:
    token = TokenFile(file)
    replacement = file.with_name("new")
    replacement.write_text("second\n")
    os.replace(replacement, file)  # noqa: PTH105 - as those do who replace a token
    assert token.header() == ("authorization", "Bearer second")
    file.write_text("the-third")
    assert token.header() == ("authorization", "Bearer the-third")


def test_a_token_behind_a_symlink_is_read_again_when_the_link_changes(file: Path) -> None:
    link, other = file.with_name("link"), file.with_name("other")
    link.symlink_to(file)
    token = TokenFile(link)
    other.write_text("o" * len(TOKEN))
    link.unlink()
    link.symlink_to(other)
    assert token.header() == ("authorization", f"Bearer {'o' * len(TOKEN)}")


def test_a_token_that_is_gone_or_broken_ends_a_call_and_one_that_is_back_is_sent(file: Path) -> None:
    token = TokenFile(file)
    file.unlink()
    with pytest.raises(frostgate.Unauthenticated, match="No such file"):
        token.header()
    file.write_text("two lines\n, broken")
    with pytest.raises(frostgate.Unauthenticated, match="contains the character ' '"):
        token.header()
    file.write_text("good-again\n")
    assert token.header() == ("authorization", "Bearer good-again")
