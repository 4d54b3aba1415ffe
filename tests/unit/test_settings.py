"""Settings: flags over environment over file over defaults, and every problem named at once."""

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from frostgate_server.config.addresses import is_loopback
from frostgate_server.config.kinds import Duration
from frostgate_server.config.loading import configure
from frostgate_server.config.settings import Settings, all_settings
from frostgate_server.domain.enums import Decision
from frostgate_server.domain.errors import StartupError
from hypothesis import given
from hypothesis import strategies as st
from support.processes import output
from support.server_process import COMMAND, refused_start


def printed_config(*flags: str, **variables: str) -> str:
    return output(*COMMAND, "serve", "--print-config", *flags, variables=variables)


def test_defaults_hold_where_nothing_is_said() -> None:
    configuration = configure({}, {}, None)
    assert configuration.settings == Settings()
    assert set(configuration.origins.values()) == {"default"}
    assert configuration.may_create


def test_flags_go_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "frostgate.toml"
    file.write_text('retention_period = "1d"\nunknown_customer = "allow"\ncheck_threads = 3\ninsecure = true\n')
    variables = {"FROSTGATE_RETENTION_PERIOD": "2d", "FROSTGATE_UNKNOWN_CUSTOMER": "deny"}
    configuration = configure({"retention_period": "3d"}, variables, file)
    settings = configuration.settings
    assert (settings.retention_period, settings.unknown_customer) == (timedelta(days=3), Decision.DENY)
    assert (settings.check_threads, settings.insecure, settings.log_level) == (3, True, "info")
    assert configuration.origins["retention_period"] == "--retention-period"
    assert configuration.origins["unknown_customer"] == "FROSTGATE_UNKNOWN_CUSTOMER"
    assert configuration.origins["check_threads"] == str(file)


def test_a_database_of_ones_own_is_made_only_where_asked_for() -> None:
    assert not configure({"database": "ours.db"}, {}, None).may_create
    assert configure({"database": "ours.db"}, {"FROSTGATE_CREATE": "true"}, None).may_create


def test_every_problem_is_named_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "frostgate.toml"
    file.write_text('listn = "x"\ncreate = "yes"\n')
    flags = {"listen": "localhost", "retention_period": "fortnight"}
    with pytest.raises(StartupError) as refused:
        configure(flags, {"FROSTGATE_CHECK_THREADS": "0", "FROSTGATE_LOG_LEVEL": "loud"}, file)
    assert str(refused.value).split("; ") == [
        f"{file}: unknown setting listn",
        "listen (from --listen) must be HOST:PORT with a port from 0 to 65535, or unix:/path, but is 'localhost'",
        f"create (from {file}) must be true or false, but is 'yes'",
        (
            "retention_period (from --retention-period) must be a whole number with a unit of ms, s, m, h or d, "
            "at most 3650d, but is 'fortnight'"
        ),
        "check_threads (from FROSTGATE_CHECK_THREADS) must be a number from 1 to 64, but is '0'",
        "log_level (from FROSTGATE_LOG_LEVEL) must be debug, info, warning or error, but is 'loud'",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", ""),
        ("listen", "127.0.0.1:65536"),
        ("listen", ":50051"),
        ("listen", "unix:"),
        ("listen", "[::1]"),
        ("database", ""),
        ("retention_period", "-1d"),
        ("retention_period", "3651d"),
        ("retention_period", "1.5d"),
        ("drain_period", "2h"),
        ("unknown_customer", "DENY"),
        ("unknown_customer", "maybe"),
        ("check_threads", "two"),
        ("check_threads", "65"),
        ("insecure", "1"),
        ("max_connections", "0"),
        ("max_connection_age", "999ms"),
        ("caller_calls_in_flight", "-1"),
        ("call_dispatch", "asyncio"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=rf"^{name} \(from "):
        configure({name: value}, {}, None)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("listen = ")
    for name in ("absent.toml", "broken.toml"):
        line = refused_start("serve", "--config", f"{tmp_path}/{name}")
        assert line.startswith(f"configuration file {tmp_path}/{name} cannot be read: ")


def test_print_config_prints_a_file_that_says_the_same(tmp_path: Path) -> None:
    flags = ["--retention-period", "36h", "--policy", 'a "quoted" \\file.toml', "--create", "--unknown-customer=allow"]
    printed = printed_config(*flags)
    file = tmp_path / "frostgate.toml"
    file.write_text(printed)
    assert set(tomllib.loads(printed)) == {setting.name for setting in all_settings()}
    expected = configure(
        {
            "retention_period": "36h",
            "policy": 'a "quoted" \\file.toml',
            "create": "true",
            "unknown_customer": "allow",
        },
        {},
        None,
    )
    assert configure({}, {}, file).settings == expected.settings
    assert 'retention_period = "36h"  # --retention-period\n' in printed
    assert 'listen = "127.0.0.1:50051"  # default\n' in printed


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text("check_threads = 5\n")
    assert "check_threads = 5  #" in printed_config(FROSTGATE_CONFIG=f"{tmp_path}/ours.toml")


def test_switches_can_be_put_off_again() -> None:
    assert "create = false  # --create\n" in printed_config("--create", "false", FROSTGATE_CREATE="true")


@given(st.integers(0, 10**9).map(lambda milliseconds: timedelta(milliseconds=milliseconds)))
def test_durations_are_read_as_they_are_shown(duration: timedelta) -> None:
    kind = Duration(most=timedelta(days=3650))
    assert kind.read(kind.show(duration)) == duration


def test_no_age_of_connections_may_be_written_as_a_number(tmp_path: Path) -> None:
    file = tmp_path / "frostgate.toml"
    file.write_text("max_connection_age = 0\n")
    assert configure({}, {}, file).settings.max_connection_age is None


@pytest.mark.parametrize(
    ("flags", "seconds"),
    [
        ({}, 0),
        ({"listen": "unix:/tmp/socket", "mtls_listen": "[::1]:2"}, 0),
        ({"listen": "10.0.0.1:1"}, 5),
        ({"mtls_listen": "0.0.0.0:2"}, 5),
        ({"listen": "", "mtls_listen": "0.0.0.0:2"}, 5),
        ({"listen": "", "mtls_listen": "localhost:2"}, 0),
        ({"listen": "10.0.0.1:1", "shutdown_delay": "0s"}, 0),
        ({"shutdown_delay": "2s"}, 2),
    ],
)
def test_the_shutdown_delay_depends_on_who_can_reach_the_server(flags: dict[str, str], seconds: int) -> None:
    assert configure(flags, {}, None).settings.effective_shutdown_delay == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/tmp/socket", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("localhost.example:1", False),
        ("10.0.0.1:1", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(listen: str, expected: bool) -> None:
    assert is_loopback(listen) is expected
