"""The tables and examples of the security page are those of the server."""

import json
import re
import subprocess
import tomllib
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from frostgate.v1.customer_freeze_service_pb2 import GetCustomerRequest
from frostgate_server.callers import callers_of
from frostgate_server.lanes import LANE_OF_METHOD
from frostgate_server.roles import ROLES_OF_METHOD, Role
from frostgate_server.settings import all_settings
from frostgate_server.sqlite_store.library import sqlite3
from server_process import COMMAND, Connection
from trial import TRIAL, make_trial, serve_trial

PAGE = (Path(__file__).parent.parent / "docs" / "security.md").read_text()


def the_block(language: str) -> str:
    """The only block of its language."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(block)


def test_the_roles_of_every_method_are_those_of_the_server() -> None:
    header, _, *rows = PAGE.split("<!-- roles -->\n")[1].split("<!-- /roles -->")[0].splitlines()
    assert header == f"| method | {' | '.join(f'`{role}`' for role in Role)} |"
    assert rows == [
        f"| {method} | {' | '.join('yes' if role in roles else '–' for role in Role)} |"
        for method, roles in ROLES_OF_METHOD.items()
        if method in LANE_OF_METHOD
    ]


def test_the_limits_of_codes_are_the_defaults() -> None:
    rows = re.findall(r"^\| [a-z, ]+ \| `(--code-[a-z]+)` \| (\w+) \|$", PAGE, re.MULTILINE)
    limits = {one.flag: one.default for one in all_settings() if one.name.startswith("code_")}
    assert dict(rows) == limits


def test_the_callers_are_some_of_the_trials(tmp_path: Path) -> None:
    make_trial(tmp_path)
    trial = callers_of(tomllib.loads((tmp_path / TRIAL / "frostgate.toml").read_text())["callers"])
    shown = callers_of(tomllib.loads(the_block("toml"))["callers"])
    assert shown.items() <= trial.items()
    assert {caller.role for caller in shown.values()} == set(Role)


def test_the_audit_log_is_read_in_a_backup_as_the_page_says(tmp_path: Path) -> None:
    make_trial(tmp_path)
    directory = tmp_path / TRIAL
    tls = grpc.ssl_channel_credentials((directory / "ca.pem").read_bytes())
    token = grpc.access_token_call_credentials((directory / "billing.token").read_text())
    with serve_trial(tmp_path) as server:
        with (
            Connection(server.address, grpc.composite_channel_credentials(tls, token)) as billing,
            pytest.raises(grpc.RpcError),
        ):
            billing.freezes.GetCustomer(GetCustomerRequest(customer_id="c-1"), timeout=10)
        # A server that has stopped has written all that it refused.
        assert server.stop() == 0
    command = [*COMMAND, "backup", "--database", str(directory / "frostgate.db"), "--to", str(tmp_path / "backup.db")]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        entries = backup.execute(the_block("sql")).fetchall()
    (entry,) = entries
    assert (entry[0], *entry[2:]) == (1, "sub:billing", "GetCustomer", "PERMISSION_DENIED", "", 0), json.dumps(entries)
