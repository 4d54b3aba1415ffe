"""Writes what the pages take from the code, such as the table of settings: `make docs`.

A generated block stands between `<!-- generated: NAME -->` and `<!-- end -->`, and NAME is a key of BLOCKS.
The version of the policy in answers is kept current too, and
`docs/first-calls.txt` is generated as a whole. With --check nothing is written: the differences are printed, and the
exit status is 1 if there are any.
"""

import argparse
import ast
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout, suppress
from difflib import unified_diff
from importlib import import_module
from io import StringIO
from pathlib import Path
from pkgutil import iter_modules

from frostgate_server import domain
from frostgate_server.__main__ import main as run_server_command
from frostgate_server.config.definition import Setting
from frostgate_server.config.settings import all_settings
from frostgate_server.domain.enums import Decision
from frostgate_server.domain.errors import CallerCancelled, FrostgateError
from frostgate_server.domain.roles import Role
from frostgate_server.policy.loader import load
from frostgate_server.policy.table import as_text
from frostgate_server.rpc.methods import METHODS
from frostgate_server.rpc.status_mapping import status_code

ROOT = Path(__file__).parent.parent
PACKAGES = "server/src/frostgate_server"

HELP_COLUMNS = 100

PICTURE_WIDTH = 41
"""Characters between the edges of the picture of the layers."""

REPEAT = {
    "INVALID_ARGUMENT": "no: correct the request",
    "NOT_FOUND": "no",
    "ALREADY_EXISTS": "no",
    "FAILED_PRECONDITION": "no: read the customer first, or request a code",
    "ABORTED": "no: read the customer again, and decide again",
    "UNAUTHENTICATED": "no: use a valid certificate or token",
    "PERMISSION_DENIED": "no",
    "RESOURCE_EXHAUSTED": "after the time in RetryInfo",
    "UNAVAILABLE": "yes, with backoff",
    "INTERNAL": "a change, with its `request_id`, after a pause; report the `call_id`",
    "VERIFICATION_CODE_NOT_SENT": "check whether a code has arrived, then request another one",
}
"""Whether to repeat a failed call, by status code. A row with a reason overrides the one of its code."""

_BLOCK = re.compile(r"^(<!-- generated: ([a-z-]+) -->\n).*?(?=^<!-- end -->$)", re.DOTALL | re.MULTILINE)
_BEGINNING = re.compile(r"^<!-- generated: ", re.MULTILINE)
_END = re.compile(r"^<!-- end -->$", re.MULTILINE)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
_POLICY_VERSION = re.compile(r'(?<="policy_version": ")[0-9a-f]{16}(?=")')
"""That of the built-in policy, as answers in console blocks show it."""

_COMMAND_IN_HELP = re.compile(r"^ {4}([a-z-]+)\b", re.MULTILINE)


class UnusablePages(Exception):
    """The pages name blocks that are not known, or lack some."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(row)} |\n" for row in (header, *rows)]
    return "".join([lines[0], "|---" * len(header), "|\n", *lines[1:]])


def settings_table(settings: Iterable[Setting]) -> str:
    """Settings as the command line has them."""
    rows = [
        (f"`{one.flag}`", f"`{one.variable}`", f"`{one.default}`" if one.default else "none", one.doc)
        for one in settings
    ]
    return table(("flag", "variable", "default", "what it is"), rows)


def code_limits() -> str:
    """The limits of verification codes."""
    return settings_table(one for one in all_settings() if one.name.startswith("code_"))


def help_of(*command: str) -> str:
    """The output of `frostgate-server COMMAND --help`."""
    os.environ["COLUMNS"] = str(HELP_COLUMNS)
    with redirect_stdout(StringIO()) as printed, suppress(SystemExit):
        run_server_command([*command, "--help"])
    return printed.getvalue()


def commands() -> str:
    """The help of every command. That of serve is its settings, which have a table."""
    overview = help_of()
    helps = [help_of(name) for name in _COMMAND_IN_HELP.findall(overview) if name != "serve"]
    return "\n".join(f"```text\n{text}```\n" for text in [overview, *helps])


def error_classes(base: type[FrostgateError] = FrostgateError) -> list[type[FrostgateError]]:
    """The errors that are raised: those without a class below them."""
    return [found for below in base.__subclasses__() for found in error_classes(below) or [below]]


def errors() -> str:
    """Every status code with its reasons, and whether to repeat the call."""
    for module in iter_modules(domain.__path__, "frostgate_server.domain."):
        import_module(module.name)
    # The caller of a cancelled call is gone.
    received = {(status_code(error), error.reason) for error in error_classes() if error is not CallerCancelled}
    rows: dict[tuple[str, str], list[str]] = {}
    for code, reason in sorted(received, key=lambda error: (int(error[0].value[0]), error[1])):
        rows.setdefault((code.name, REPEAT.get(reason) or REPEAT[code.name]), []).append(reason)
    return table(
        ("code", "reasons", "repeat?"), [(code, ", ".join(reasons), repeat) for (code, repeat), reasons in rows.items()]
    )


def roles() -> str:
    """Every served method with the roles that may call it."""
    rows = [(name, *("yes" if role in method.roles else "–" for role in Role)) for name, method in METHODS.items()]
    return table(("method", *(f"`{role}`" for role in Role)), rows)


def layers_of_packages() -> list[list[str]]:
    """The packages of the server, layer by layer, from the top down: as in the import contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [layer.split(" | ") for layer in layers if layer != "__main__"]


def layers() -> str:
    """A picture of the layers."""
    edge = "+" + "-" * PICTURE_WIDTH + "+\n"
    rows = ["|" + " | ".join(names).center(PICTURE_WIDTH) + "|\n" for names in layers_of_packages()]
    return f"```text\n{edge}{edge.join(rows)}{edge}```\n"


def packages() -> str:
    """The packages of the server with their docstrings, by layer. Those within a package follow it."""
    rows = []
    for number, names in enumerate(layers_of_packages(), start=1):
        for name in names:
            for source in sorted((ROOT / PACKAGES / name).rglob("__init__.py")):
                path = source.parent.relative_to(ROOT / PACKAGES)
                holds = (ast.get_docstring(ast.parse(source.read_text())) or "").replace("\n", " ")
                rows.append((str(number), f"[{path}](../{PACKAGES}/{path})", holds))
    return table(("layer", "package", "holds"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "code-limits": code_limits,
    "commands": commands,
    "errors": errors,
    "layers": layers,
    "packages": packages,
    "roles": roles,
    "rules": lambda: as_text(load(None, Decision.DENY)),
    "settings": lambda: settings_table(all_settings()),
}


def generated_pages(directory: Path) -> dict[Path, str]:
    """The text of each page in which something is generated. Raises UnusablePages."""
    pages = {}
    used: set[str] = set()
    policy_version = load(None, Decision.DENY).version
    for path in sorted([*directory.glob("*.md"), *directory.glob("docs/*.md"), *directory.glob("client/*.md")]):
        text = path.read_text()
        names = [found[2] for found in _BLOCK.finditer(text)]
        if unknown := set(names) - BLOCKS.keys():
            raise UnusablePages(f"{path}: unknown generated blocks: {', '.join(sorted(unknown))}")
        if not len(names) == len(_BEGINNING.findall(text)) == len(_END.findall(text)):
            raise UnusablePages(f"{path}: each generated block needs its own <!-- generated: NAME --> and <!-- end -->")
        if names or _POLICY_VERSION.search(text):
            text = _POLICY_VERSION.sub(policy_version, text)
            pages[path] = _BLOCK.sub(lambda found: found[1] + BLOCKS[found[2]](), text)
            used.update(names)
    if unused := BLOCKS.keys() - used:
        raise UnusablePages(f"no page has the generated blocks {', '.join(sorted(unused))}")
    pages[directory / "docs" / "first-calls.txt"] = first_calls((directory / "README.md").read_text())
    return dict(sorted(pages.items()))


def first_calls(readme: str) -> str:
    """The commands of the README's console blocks, which `make run` prints."""
    lines = [line for block in _CONSOLE.findall(readme) for line in block.splitlines()]
    return "".join(f"{line[2:]}\n" for line in lines if line.startswith("$ "))


def main() -> int:
    """Writes the pages, or checks them. Gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="print the differences, and write nothing")
    parser.add_argument("--directory", type=Path, default=ROOT, help="where README.md and docs are")
    options = parser.parse_args()
    try:
        pages = generated_pages(options.directory)
    except UnusablePages as error:
        print(error, file=sys.stderr)
        return 1
    outdated = {path: text for path, text in pages.items() if path.read_text() != text}
    for path, text in outdated.items():
        if options.check:
            old, new = path.read_text().splitlines(keepends=True), text.splitlines(keepends=True)
            name = str(path.relative_to(options.directory))
            sys.stdout.writelines(unified_diff(old, new, name, f"{name} after `make docs`"))
        else:
            path.write_text(text)
            print(f"{path.relative_to(options.directory)} is written")
    return 1 if options.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
