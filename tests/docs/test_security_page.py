"""The examples of the security page are those of the server."""

import re
import tomllib
from pathlib import Path

from frostgate_server.config.callers_table import parse_callers
from frostgate_server.domain.roles import Role
from frostgate_server.rpc import health
from frostgate_server.rpc.loop.dispatch import MOST_REFLECTIONS, MOST_WATCHES
from frostgate_server.rpc.loop.stream_call import READ_TIMEOUT
from frostgate_server.rpc.methods import METHODS
from support.trial import TRIAL, make_trial

PAGE = (Path(__file__).parent.parent.parent / "docs" / "security.md").read_text()


def test_the_callers_are_some_of_the_trials(tmp_path: Path) -> None:
    make_trial(tmp_path)
    trial = parse_callers(tomllib.loads((tmp_path / TRIAL / "frostgate.toml").read_text())["callers"]).value
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = parse_callers(tomllib.loads(block)["callers"]).value
    assert shown.items() <= trial.items()
    assert {caller.role for caller in shown.values()} == set(Role)


def test_the_limits_of_streams_are_those_of_the_server() -> None:
    text = " ".join(PAGE.split())
    assert f"at most {MOST_WATCHES:,} watches of health and {MOST_REFLECTIONS} streams of reflection" in text
    assert f"does not read, the server ends the stream after {READ_TIMEOUT:.0f} seconds" in text
    assert f"A request for health has at most {health.LARGEST_REQUEST // 1024} KiB" in text
    largest = METHODS["ServerReflectionInfo"].largest_request
    assert f"A request for reflection has at most {largest // 1024} KiB" in text
