"""A certificate of the server, or of an authority, that is not valid now is reported once; the server runs on."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from support.access import EXPIRED, Access
from support.checked_config import Checked
from support.credentials import Authority, Issued
from support.server_process import ServerProcess
from support.worker_processes import eventually

TOMORROW = timedelta(days=1)
SOON = timedelta(seconds=2)


def errors(server: ServerProcess) -> list[str]:
    """The errors of the supervisor's log."""
    lines = server.log.read_text().splitlines()
    return [line.partition("frostgate_server.commands.serve: ")[2] for line in lines if " ERROR supervisor: " in line]


def chain(certificate: Issued, *others: bytes) -> Issued:
    return Issued(b"".join([certificate.certificate, *others]), certificate.key)


def invalid_files(access: Access) -> Mapping[str, tuple[str, str]]:
    """Writes files of each kind that are not valid now. Returns what is reported of each: its start and its place."""
    access.write_certificate(
        chain(access.authority.issue(starts_in=TOMORROW, expires_in=2 * TOMORROW), Authority("next", EXPIRED).pem)
    )
    good, expired = access.callers_authority.pem, Authority("old", EXPIRED).pem
    (access.directory / "ca.pem").write_bytes(good + expired)
    pair = f"tls_certificate with tls_key ({access.directory}/server.pem, {access.directory}/server.key): "
    return {
        "certificate 1": (pair, "is not valid before"),
        "certificate 2": (pair, "expired at"),
        "certificate 2 (line": (f"client_ca ({access.directory}/ca.pem): ", "expired at"),
    }


def assert_told(lines: list[str], expected: Mapping[str, tuple[str, str]]) -> None:
    assert len(lines) == len(expected)
    for line, (place, (file, problem)) in zip(lines, expected.items(), strict=True):
        assert line.startswith(file + place)
        assert problem in line


def test_certificates_that_are_not_valid_are_told_at_the_start(access: Access) -> None:
    expected = invalid_files(access)
    with access.server("--workers", "1") as server:
        assert_told(errors(server), expected)


def test_certificates_that_are_not_valid_are_warnings_of_a_check(access: Access, tmp_path: Path) -> None:
    expected = invalid_files(access)
    checked = Checked(tmp_path, "--config", str(access.config), "--database", "new/f.db", "--create")
    assert checked.problems == []
    assert_told(checked.warnings, expected)


@pytest.mark.parametrize("kind", ["certificate", "authority"])
def test_a_certificate_that_expires_while_it_is_used_is_told_once(access: Access, kind: str) -> None:
    with access.server("--workers", "1") as server:
        if kind == "certificate":
            access.write_certificate(access.authority.issue(hosts=["localhost"], expires_in=SOON))
        else:
            (access.directory / "ca.pem").write_bytes(Authority("callers", SOON).pem)
        (line,) = eventually(lambda: errors(server), "told")
        assert "expired at" in line
        access.write_certificate(access.authority.issue(hosts=["localhost"]))
        (access.directory / "ca.pem").write_bytes(access.callers_authority.pem)
        eventually(lambda: "was replaced" in server.log.read_text().partition(line)[2], "replaced")
        access.write_certificate(access.authority.issue(expires_in=EXPIRED))
        assert len(eventually(lambda: errors(server)[1:], "told again")) == 1
        assert errors(server)[0] == line
