"""The docs are right because they are run: every console block and every link."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from frostgate_server.config.settings import all_settings
from frostgate_server.domain.enums import Decision
from frostgate_server.policy.loader import load
from frostgate_server.policy.table import as_json, as_text
from frostgate_server.rpc.methods import METHODS
from support import processes
from support.calls import Calls
from support.processes import Process, output
from support.runner.sizes import members
from support.server_process import ServerProcess
from support.trial import DOCUMENTED_ADDRESS, TRIAL, as_documented, serve_trial
from support.worker_processes import eventually

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("client/*.md")])
FIRST_CALLS = (ROOT / "docs" / "first-calls.txt").read_text().splitlines()
BUF = Path(sys.executable).parent / "buf"
(BUF_CALL,) = re.findall(r"^buf (curl .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
"""The README's call without grpcurl. It has the request_id of the first call, and is answered in the same way."""

_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_CONTENT = re.compile(r"\$\(cat ([^)]+)\)")
_MAILED_CODE = re.compile(r"^Verification code: (\d+)$", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def console_steps(page: Path) -> list[tuple[str, str]]:
    """The commands of a page's console blocks, each with the output that the page shows."""
    steps = []
    for block in _CONSOLE.findall(page.read_text()):
        for step in _COMMAND.split(block)[1:]:
            command, _, output = step.partition("\n")
            steps.append((command, output))
    return steps


RUN_PAGES = [page for page in PAGES if console_steps(page)]
ALIKE = {ROOT / "README.md", ROOT / "docs" / "callers.md"}
"""Pages with grpcurl only. Those of the README are also the three lines of `make run`."""


def started(page: Path, directory: Path) -> ServerProcess:
    """The server that the page's commands call: that of the trial, if they made one."""
    if (directory / TRIAL).exists():
        return serve_trial(directory)
    mail = ["--mail-server", "log"] if page.name == "grpcurl.md" else []
    server = ServerProcess(directory / "frostgate.db", *mail)
    if page.name == "operators.md":
        Calls(server).associate(customer_id="c-1001")
    return server


def mailed_codes(server: ServerProcess | None) -> list[str]:
    return _MAILED_CODE.findall(server.log.read_text()) if server else []


def as_typed(command: str, server: ServerProcess | None, directory: Path) -> str:
    """The command for this server, with the contents of the files that it names, and the code that was mailed last."""
    command = _CONTENT.sub(lambda named: (directory / named[1]).read_text(), command)
    if server is None:
        return command
    if "<code>" in command:
        command = command.replace("<code>", mailed_codes(server)[-1])
    return as_documented(command, server)


def run(command: str, server: ServerProcess | None, directory: Path, grpcurl: str) -> str:
    """What the command prints, with times and trailing space made the same for every run."""
    words = shlex.split(as_typed(command, server, directory))
    programs = {
        "grpcurl": [grpcurl],
        "frostgate-server": [sys.executable, "-m", "frostgate_server"],
        "make": ["make", "--silent", "--no-print-directory", "--directory", str(ROOT), f"TRIAL={directory / TRIAL}"],
    }
    mailed = len(mailed_codes(server))
    done = processes.run(*programs[words[0]], *words[1:], cwd=directory, stderr=subprocess.STDOUT)
    if '"sent_to"' in done.stdout:
        eventually(lambda: len(mailed_codes(server)) > mailed, "in the log")
    return _TIME.sub("<time>", done.stdout).rstrip()


@pytest.mark.parametrize(
    "page", members(RUN_PAGES, short=[page for page in RUN_PAGES if page not in ALIKE]), ids=name_of
)
def test_console_blocks_print_what_the_page_shows(page: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    server: ServerProcess | None = None
    with ExitStack() as running:
        for command, shown in console_steps(page):
            if server is None and not command.startswith("make "):
                server = running.enter_context(started(page, tmp_path))
            printed = run(command, server, tmp_path, tool("grpcurl"))
            beginning, cut, _ = shown.partition("\n...\n")
            assert printed.startswith(beginning) if cut else printed == shown.rstrip(), f"{command}\n{printed}"


def test_the_pages_with_commands_are_known() -> None:
    assert [name_of(page) for page in RUN_PAGES] == [
        "README.md",
        "docs/callers.md",
        "docs/demo.md",
        "docs/grpcurl.md",
        "docs/operators.md",
        "docs/security.md",
    ]


def test_every_rpc_has_its_grpcurl_call() -> None:
    called = {command.rpartition("/")[2] for command, _ in console_steps(ROOT / "docs" / "grpcurl.md")}
    assert METHODS.keys() - {"ServerReflectionInfo"} <= called


def test_the_readme_shows_the_three_first_calls() -> None:
    assert [command for command, _ in console_steps(ROOT / "README.md")] == FIRST_CALLS
    assert len(FIRST_CALLS) == 3


def test_make_run_serves_and_its_three_lines_answer(tmp_path: Path, tool: Callable[[str], str]) -> None:
    variables = {
        "FROSTGATE_LISTEN": "127.0.0.1:0",
        "FROSTGATE_DATABASE": f"{tmp_path}/frostgate.db",
        "FROSTGATE_CREATE": "true",
    }
    command = [tool("make"), "--no-print-directory", "run"]
    with Process(command, cwd=ROOT, variables=variables, process_group=0) as process:
        while (line := process.next_line()) != "Try, from another terminal:\n":
            assert line, "make ended"
        *lines, ready = [process.next_line() for _ in range(4)]
        address = ready.split(": ")[0].removeprefix("frostgate-server is ready on ")
        for line in lines:
            command = shlex.split(line.replace(DOCUMENTED_ADDRESS, address))
            output(tool("grpcurl"), *command[1:])
        output(BUF, *shlex.split(BUF_CALL.replace(DOCUMENTED_ADDRESS, address)))
        os.killpg(process.pid, 2)
        assert process.rest().endswith("frostgate-server has stopped\n")
    assert [line.strip() for line in lines] == FIRST_CALLS


@pytest.mark.parametrize(("flags", "render"), [([], as_text), (["--format", "json"], as_json)])
def test_the_rules_command_prints_the_policy(flags: list[str], render: Callable[..., str]) -> None:
    command = [sys.executable, "-m", "frostgate_server", "rules", *flags]
    assert output(*command) == render(load(None, Decision.DENY))


def test_the_help_of_serve_shows_every_setting() -> None:
    command = [sys.executable, "-m", "frostgate_server", "serve", "--help"]
    shown = "".join(output(*command).split())
    assert all(f"{one.doc}Default:".replace(" ", "") in shown for one in all_settings())
    assert all(one.flag in shown and f"({one.variable})" in shown for one in all_settings())


def test_the_override_of_the_operators_page_is_taken(tmp_path: Path) -> None:
    block = (ROOT / "docs" / "operators.md").read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "ours.toml").write_text(block)
    assert load(tmp_path / "ours.toml", Decision.DENY).version != load(None, Decision.DENY).version


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Where links may lead to on a page: its headings, as they are spelt in links."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_into_pages_lead_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", page.read_text())
    assert [link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)] == []


def test_the_readmes_commands_are_targets_of_the_makefile() -> None:
    block = (ROOT / "README.md").read_text().split("```sh\n")[1].split("```")[0]
    targets = [line.split()[1] for line in block.splitlines()]
    assert targets == ["run", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}: setup ## " in makefile for target in targets)
