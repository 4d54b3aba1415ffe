"""`make certificates`: what it makes is a server's and its callers', and nothing that was there is lost."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

import grpc
import pytest
from cryptography import x509
from frostgate_server.auth.certificates import read_client_certificate
from frostgate_server.auth.credential import Credential
from frostgate_server.auth.credential_files import CredentialFiles
from frostgate_server.auth.jwt_verifier import JwtRules, JwtVerifier
from frostgate_server.config.configuration import Configuration
from frostgate_server.config.loading import configure
from frostgate_server.config.validation import ensure_valid
from frostgate_server.domain.roles import Role
from frostgate_server.rpc import methods
from frostgate_server.storage.sqlite.files.paths import FILE_ENDINGS
from support.every_call import ADMITTED, EVERY, METHODS, outcome
from support.server_process import Connection
from support.trial import TRIAL, make_trial, serve_trial

ROLES = {
    "partner-center": Role.PARTNER_CENTER,
    "billing": Role.CONTROL_PLANE,
    "auditor": Role.AUDITOR,
    "operator": Role.OPERATOR,
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a trial was made."""
    above = tmp_path_factory.mktemp("above")
    assert make_trial(above).returncode == 0
    return above / TRIAL


@pytest.fixture(scope="module")
def configuration(directory: Path) -> Configuration:
    """The settings of the trial."""
    return configure({}, {}, directory / "frostgate.toml")


def names_of(path: Path) -> x509.SubjectAlternativeName:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_a_directory_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / TRIAL).mkdir(parents=True)
    refused = make_trial(tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"{tmp_path / TRIAL} is there already: remove it, or name another one\n"
    assert list((tmp_path / TRIAL).iterdir()) == []


def test_nobody_else_may_read_what_is_secret(directory: Path) -> None:
    secret = [*directory.glob("*.key"), *directory.glob("*.token")]
    assert len(secret) == len(["ca", "server", "tokens"]) + 2 * len(ROLES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_settings_are_sound_and_give_each_caller_its_role_by_both_names(configuration: Configuration) -> None:
    ensure_valid(configuration, FILE_ENDINGS)
    CredentialFiles(configuration.settings, configuration.file)
    by_certificate = {f"spiffe://example.org/{name}": role for name, role in ROLES.items()}
    by_token = {f"sub:{name}": role for name, role in ROLES.items()}
    assert {name: caller.role for name, caller in configuration.callers.items()} == by_certificate | by_token
    bound = {caller.partners for caller in configuration.callers.values() if caller.role is Role.PARTNER_CENTER}
    assert bound == {frozenset({"p-1"})}


def test_the_servers_certificate_is_for_this_machine(directory: Path) -> None:
    names = names_of(directory / "server.pem")
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["127.0.0.1"]


@pytest.mark.parametrize("name", ROLES)
def test_a_callers_certificate_has_its_spiffe_id_and_lasts_a_month(directory: Path, name: str) -> None:
    credential = read_client_certificate((directory / f"{name}.pem").read_bytes())
    assert isinstance(credential, Credential)
    assert credential.principals == (f"spiffe://example.org/{name}",)
    left = datetime.fromtimestamp(credential.expires, UTC) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


@pytest.mark.parametrize("name", ROLES)
def test_a_callers_token_is_verified_by_the_jwks_and_lasts_a_day(
    directory: Path, configuration: Configuration, name: str
) -> None:
    settings = configuration.settings
    keys = CredentialFiles(settings, configuration.file).token_keys
    assert keys
    tokens = JwtVerifier(JwtRules(settings.token_issuer, settings.token_audience, 0), keys.value)
    credential = tokens.verify((directory / f"{name}.token").read_text())
    assert credential.principals == (f"sub:{name}",)
    assert 86_000 < credential.expires - time() <= 86_400


def test_each_caller_may_call_what_its_role_may_both_ways_and_the_server_is_no_caller(directory: Path) -> None:
    def channel(name: str) -> grpc.ChannelCredentials:
        files = [directory / "ca.pem", directory / f"{name}.key", directory / f"{name}.pem"]
        return grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))

    with serve_trial(directory.parent.parent) as server:
        tls = grpc.ssl_channel_credentials((directory / "ca.pem").read_bytes())
        for name, role in ROLES.items():
            expected = {method: role in methods.METHODS[method].roles for method in METHODS}
            token = (("authorization", f"Bearer {(directory / f'{name}.token').read_text()}"),)
            for address, credentials, metadata in (
                (server.mtls_address, channel(name), None),
                (server.address, tls, token),
            ):
                with Connection(address, credentials) as caller:
                    came = {method: outcome(caller, method, metadata) for method in METHODS}
                assert {method: outcome == ADMITTED for method, outcome in came.items()} == expected
        with Connection(server.mtls_address, channel("server")) as caller:
            assert {outcome(caller, method) for method in EVERY} == {"UNAVAILABLE"}
