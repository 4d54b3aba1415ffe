"""Environment variables that look like settings but are none: named once each, with the nearest setting."""

from pathlib import Path

import pytest
from frostgate_server.config.loading import configure
from support.processes import run
from support.runner.sizes import members
from support.server_process import COMMAND, ServerProcess


def warnings_of(**variables: str) -> tuple[str, ...]:
    return configure({}, variables, None).warnings


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("FROSTGATE_RETENTION", "FROSTGATE_RETENTION_PERIOD"),
        ("FROSTGATE_DATABSE", "FROSTGATE_DATABASE"),
        ("FROSTGATE_DB", "FROSTGATE_DATABASE"),
        ("FROSTGATE_LOGLEVEL", "FROSTGATE_LOG_LEVEL"),
        ("FROSTGATE_TLS_CERT", "FROSTGATE_TLS_CERTIFICATE"),
        ("FROSTGATE_UNKNOWN_CUSTOMERS", "FROSTGATE_UNKNOWN_CUSTOMER"),
        ("FROSTGATE_CONFIG_FILE", "FROSTGATE_CONFIG"),
        ("FROSTGATE_CLIENTCA", "FROSTGATE_CLIENT_CA"),
        ("FROSTGATE_LISTEN_PORT", "FROSTGATE_LISTEN"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_setting(variable: str, nearest: str) -> None:
    (warning,) = warnings_of(**{variable: "99d"})
    assert (
        warning
        == f"environment variable {variable} is not a setting and has no effect: the nearest setting is {nearest}"
    )


def test_each_unknown_variable_has_a_warning_of_its_own() -> None:
    warnings = warnings_of(FROSTGATE_B="", FROSTGATE_A="1", FROSTGATE_LISTEN="localhost:1")
    named = [warning.split(" ")[2] for warning in warnings]
    assert named == ["FROSTGATE_A", "FROSTGATE_B"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FROSTGATE_CLIENT_TARGET", "localhost:1"),
        ("FROSTGATE_PORT", "tcp://10.0.0.1:50051"),
        ("FROSTGATE_PORT_50051_TCP_ADDR", "10.0.0.1"),
        ("FROSTGATE_SERVICE_HOST", "10.0.0.1"),
        ("FROSTGATE_SERVICE_PORT_GRPC", "50051"),
        ("FROSTGATE_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("FROSTGATE_SERVER_SERVICE_PORT", "50051"),
        ("FROSTGATE_SERVER_PORT", "tcp://10.0.0.1:50051"),
        ("FROSTGATE_SERVER_PORT_50051_TCP", "tcp://10.0.0.1:50051"),
        ("FROSTGATE_SERVER_PORT_53_UDP_PROTO", "udp"),
        ("FROSTGATE_WORKERS", "2"),
        ("FROSTGATE_CONFIG", "frostgate.toml"),
        ("FROSTGATEWAY", "x"),
        ("frostgate_database", "x"),
    ],
)
def test_variables_of_settings_and_of_other_programs_are_passed_over(variable: str, value: str) -> None:
    assert warnings_of(**{variable: value}) == ()


def test_the_value_of_an_unknown_variable_is_not_shown() -> None:
    (warning,) = warnings_of(FROSTGATE_SMTP="hunter2")
    assert "hunter2" not in warning


def test_the_name_of_a_variable_makes_no_second_line() -> None:
    (warning,) = warnings_of(**{"FROSTGATE_A\nERROR \udcff": "x"})
    assert warning.startswith(r"environment variable FROSTGATE_A\nERROR \udcff is not a setting")


def test_a_server_logs_an_unknown_variable_once(tmp_path: Path) -> None:
    variables = {"FROSTGATE_RETENTION": "99d", "FROSTGATE_SERVICE_HOST": "10.0.0.1"}
    with ServerProcess(tmp_path / "f.db", "--workers=2", variables=variables) as server:
        assert server.stop() == 0
        lines = [line for line in server.log.read_text().splitlines() if "FROSTGATE_" in line]
    (line,) = lines
    assert " WARNING supervisor: " in line
    assert "environment variable FROSTGATE_RETENTION is not a setting" in line
    assert line.endswith("FROSTGATE_RETENTION_PERIOD")


@pytest.mark.parametrize(
    "command", members(["rules", "serve --print-config", "backup --to copy.db", "verify"], short=["rules"])
)
def test_other_commands_print_it_to_stderr(command: str, tmp_path: Path) -> None:
    done = run(*COMMAND, *command.split(), cwd=tmp_path, variables={"FROSTGATE_DATABSE": "ours.db"})
    lines = [line for line in done.stderr.splitlines() if "FROSTGATE_" in line]
    (line,) = lines
    assert line.startswith("frostgate-server: warning: environment variable FROSTGATE_DATABSE is not a setting ")
