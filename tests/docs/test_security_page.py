"""The examples of the security page are those of the server."""

import re
import tomllib
from pathlib import Path

from frostgate_server.config.callers_table import parse_callers
from frostgate_server.domain.roles import Role
from support.trial import TRIAL, make_trial

PAGE = (Path(__file__).parent.parent.parent / "docs" / "security.md").read_text()


def test_the_callers_are_some_of_the_trials(tmp_path: Path) -> None:
    make_trial(tmp_path)
    trial = parse_callers(tomllib.loads((tmp_path / TRIAL / "frostgate.toml").read_text())["callers"])
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = parse_callers(tomllib.loads(block)["callers"])
    assert shown.items() <= trial.items()
    assert {caller.role for caller in shown.values()} == set(Role)
