"""The tables and blocks that `make docs` writes are those of the code."""

import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.processes import run

ROOT = Path(__file__).parent.parent.parent
GENERATED = [
    "README.md",
    "docs/architecture.md",
    "docs/callers.md",
    "docs/first-calls.txt",
    "docs/operators.md",
    "docs/security.md",
]


def generate(*flags: str) -> CompletedProcess[str]:
    return run(sys.executable, ROOT / "docs" / "generate.py", *flags)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with a copy of the pages."""
    for name in ("docs", "client"):
        (tmp_path / name).mkdir()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*.txt"), *ROOT.glob("client/*.md")]:
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_generated_blocks_of_all_pages_are_current() -> None:
    checked = generate("--check")
    assert (checked.returncode, checked.stdout) == (0, ""), f"Run `make docs`:\n{checked.stdout}"


def test_an_outdated_block_is_shown_by_the_check_and_written_anew(copy: Path) -> None:
    replace(copy / "README.md", "| NORMAL  ", "| FROZEN  ")
    replace(copy / "docs/architecture.md", "| 1 | [commands]", "| 7 | [commands]")
    replace(copy / "docs" / "callers.md", "ALREADY_FROZEN, NOT_FROZEN", "NOT_FROZEN")
    replace(copy / "docs" / "first-calls.txt", "grpcurl", "curl")
    replace(copy / "docs" / "operators.md", "`FROSTGATE_WORKERS` | `auto`", "`FROSTGATE_WORKERS` | `1`")
    replace(copy / "docs" / "operators.md", "only entries with a higher number", "all entries")
    replace(copy / "docs" / "security.md", "| CheckOperation | – |", "| CheckOperation | yes |")
    replace(copy / "docs" / "security.md", "`FROSTGATE_CODE_TRIES` | `5`", "`FROSTGATE_CODE_TRIES` | `6`")
    checked = generate("--check", "--directory", str(copy))
    removed = [line for line in checked.stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert checked.returncode == 1
    assert [line[4:] for line in checked.stdout.splitlines() if line.startswith("---")] == GENERATED
    assert len(removed) == 8
    assert (copy / "docs" / "first-calls.txt").read_text() != (ROOT / "docs" / "first-calls.txt").read_text()
    written = generate("--directory", str(copy))
    assert written.stdout.splitlines() == [f"{name} is written" for name in GENERATED]
    for name in GENERATED:
        assert (copy / name).read_text() == (ROOT / name).read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("generated: roles", "generated: rolls", "unknown generated blocks: rolls"),
        ("<!-- end -->\n", "", "each generated block needs its own <!-- generated: NAME --> and <!-- end -->"),
        ("<!-- generated: roles -->\n", "<!-- roles -->\n", "each generated block needs its own"),
    ],
    ids=["unknown name", "no end", "no beginning"],
)
def test_a_page_with_unusable_blocks_is_named(copy: Path, old: str, new: str, said: str) -> None:
    page = copy / "docs" / "security.md"
    replace(page, old, new)
    refused = generate("--directory", str(copy))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{page}: {said}" in refused.stderr


def test_a_block_that_no_page_has_is_named(copy: Path) -> None:
    (copy / "docs" / "callers.md").write_text("# Callers\n")
    refused = generate("--check", "--directory", str(copy))
    assert (refused.returncode, refused.stderr) == (1, "no page has the generated blocks errors\n")
