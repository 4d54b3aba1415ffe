"""The tables and examples of the security page are those of the server."""

import re
import tomllib
from pathlib import Path

from frostgate_server.config.callers_table import parse_callers
from frostgate_server.config.settings import all_settings
from frostgate_server.domain.roles import Role
from frostgate_server.rpc.methods import METHODS
from support.trial import TRIAL, make_trial

PAGE = (Path(__file__).parent.parent.parent / "docs" / "security.md").read_text()


def test_the_roles_of_every_method_are_those_of_the_server() -> None:
    header, _, *rows = PAGE.split("<!-- roles -->\n")[1].split("<!-- /roles -->")[0].splitlines()
    assert header == f"| method | {' | '.join(f'`{role}`' for role in Role)} |"
    assert rows == [
        f"| {name} | {' | '.join('yes' if role in method.roles else '–' for role in Role)} |"
        for name, method in METHODS.items()
    ]


def test_the_limits_of_codes_are_the_defaults() -> None:
    rows = re.findall(r"^\| [a-z, ]+ \| `(--code-[a-z]+)` \| (\w+) \|$", PAGE, re.MULTILINE)
    limits = {one.flag: one.default for one in all_settings() if one.name.startswith("code_")}
    assert dict(rows) == limits


def test_the_callers_are_some_of_the_trials(tmp_path: Path) -> None:
    make_trial(tmp_path)
    trial = parse_callers(tomllib.loads((tmp_path / TRIAL / "frostgate.toml").read_text())["callers"])
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = parse_callers(tomllib.loads(block)["callers"])
    assert shown.items() <= trial.items()
    assert {caller.role for caller in shown.values()} == set(Role)
