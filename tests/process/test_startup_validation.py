"""A server does not start with files or addresses that it cannot use, and starts with those that it can."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from frostgate_server.config.loading import configure
from support.access import Access
from support.calls import Calls
from support.credentials import Issued, jwk, pem_of, signing_key
from support.every_call import ADMITTED, outcome
from support.runner.sizes import members
from support.server_process import Connection, ServerProcess, refused_start
from support.worker_in_process import worker_in_process


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path)


def replaced(file: str, content: bytes) -> Callable[[Access], object]:
    return lambda access: (access.directory / file).write_bytes(content)


def missing(file: str) -> Callable[[Access], object]:
    return lambda access: (access.directory / file).unlink()


def another_certificate(access: Access) -> None:
    (access.directory / "server.pem").write_bytes(access.authority.issue(hosts=["localhost"]).certificate)


def another_kind_of_key(access: Access) -> None:
    key = pem_of(ed25519.Ed25519PrivateKey.generate())
    access.write_certificate(Issued((access.directory / "server.pem").read_bytes(), key))


PAIR = "tls_certificate with tls_key"
BAD_FILES: dict[str, tuple[Callable[[Access], object], str]] = {
    "no certificate file": (missing("server.pem"), f"{PAIR} cannot be read: [Errno 2] No such file or directory: "),
    "no key file": (missing("server.key"), f"{PAIR} cannot be read: [Errno 2] No such file or directory: "),
    "certificate of another key": (another_certificate, f"{PAIR} (*) cannot be used: certificate and key do not match"),
    "encrypted key": (
        replaced("server.key", pem_of(ec.generate_private_key(ec.SECP256R1()), b"secret")),
        f"{PAIR} (*) cannot be used: the key is encrypted: use one without encryption",
    ),
    "another kind of key": (another_kind_of_key, f"{PAIR} (*) cannot be used: the key must be an RSA or an"),
    "key in place of the certificate": (
        replaced("server.pem", pem_of(ec.generate_private_key(ec.SECP256R1()))),
        f"{PAIR} (*) cannot be used: there is no certificate that can be read",
    ),
    "no authority": (replaced("ca.pem", b""), "client_ca (*) cannot be used: there is no certificate that can be read"),
    "no authority file": (missing("ca.pem"), "client_ca cannot be read: [Errno 2] No such file or directory: "),
    "no JWKS": (
        replaced("jwks.json", b"{}"),
        "token_keys (*) cannot be used: is not a JWKS: must be JSON with",
    ),
    "no JWKS file": (missing("jwks.json"), "token_keys cannot be read: [Errno 2] No such file or directory: "),
}


@pytest.mark.parametrize(
    "bad", members(BAD_FILES, short=["no key file", "certificate of another key", "no authority", "no JWKS"])
)
def test_files_that_cannot_be_used_are_named(access: Access, bad: str) -> None:
    spoil, said = BAD_FILES[bad]
    spoil(access)
    line = refused_start("serve", "--config", str(access.config), "--database", f"{access.directory}/f.db", "--create")
    before, _, after = said.partition("(*)")
    assert line.startswith(before)
    assert after in line
    assert not (access.directory / "f.db").exists()


def test_callers_in_the_file_that_cannot_be_are_named(access: Access) -> None:
    access.config.write_text('[[callers]]\nprincipal = "operator"\nrole = "boss"\n')
    line = refused_start("serve", "--config", str(access.config))
    assert line.startswith(f"{access.config}: callers 1: principal must be spiffe://")
    assert "; role must be one of partner-center, control-plane, auditor, operator, but is 'boss'" in line


def test_there_may_be_mtls_only(access: Access) -> None:
    access.config.write_text(
        access.config.read_text().replace("token_", "# token_").replace('listen = "localhost:0"', 'listen = ""', 1)
    )
    credentials: Any = access.certificate(uris=["spiffe://test/operator"])
    flags = ["--config", str(access.config)]
    with ServerProcess(access.directory / "f.db", "--listen", "", *flags, credentials=credentials) as server:
        assert server.ready_line.startswith("frostgate-server is ready on mTLS on localhost:")
        assert server.address == server.mtls_address
        assert outcome(server, "ListRules") == ADMITTED


def test_tls_without_callers_lets_everybody_in(access: Access) -> None:
    flags = ["--listen", "localhost:0"]
    flags += ["--tls-certificate", f"{access.directory}/server.pem", "--tls-key", f"{access.directory}/server.key"]
    with ServerProcess(access.directory / "f.db", *flags, credentials=access.authority.channel()) as server:
        assert server.mtls_address == ""
        assert Calls(server).new_customer()
        assert outcome(server, "ServerReflectionInfo") == ADMITTED
        with Connection(server.address) as plain:
            assert outcome(plain, "ListRules") == "UNAVAILABLE"


def test_both_addresses_may_be_unix_sockets(access: Access, tmp_path: Path) -> None:
    flags = ["--mtls-listen", f"unix:{tmp_path}/mtls", "--workers", "1"]
    with access.server(*flags) as server:
        assert server.mtls_address == f"unix:{tmp_path}/mtls"
        line = refused_start(
            *("serve", "--config", str(access.config), "--mtls-listen", f"unix:{tmp_path}/other", "--workers", "2")
        )
        assert line == f"2 workers cannot share unix:{tmp_path}/other: set --workers 1, or listen on a port"


def test_one_address_cannot_be_both(access: Access, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from frostgate_server.process import port_reservation\nport_reservation.STARTING_SECONDS = 1.0\n"
    )
    flags = ["--listen", "127.0.0.1:47113", "--mtls-listen", "127.0.0.1:47113"]
    line = refused_start("serve", "--config", str(access.config), *flags, variables={"PYTHONPATH": str(tmp_path)})
    assert line.startswith("cannot listen on 127.0.0.1:47113: Address already in use")


@pytest.mark.parametrize(
    ("who", "expected"), [("anyone", ADMITTED), ("callers", "UNAUTHENTICATED"), ("off", "UNIMPLEMENTED")]
)
def test_reflection_is_for_whom_it_is_set(access: Access, who: str, expected: str) -> None:
    access.config.write_text(f'reflection = "{who}"\n{access.config.read_text()}')
    with (
        worker_in_process(access.directory / "f.db", access.config) as (address, _),
        Connection(address, access.authority.channel()) as connection,
    ):
        assert outcome(connection, "ServerReflectionInfo") == expected


def test_the_file_of_print_config_has_the_callers(access: Access, tmp_path: Path) -> None:
    before = configure({}, {}, access.config)
    (tmp_path / "printed.toml").write_text(before.shown())
    after = configure({}, {}, tmp_path / "printed.toml")
    assert (after.settings, after.callers) == (before.settings, before.callers)
    assert len(after.callers) == 12


def test_a_table_that_is_passed_over_is_printed_so_that_it_stays_so(access: Access, tmp_path: Path) -> None:
    access.config.write_text(access.config.read_text().replace('role = "auditor"', 'role = "auditer"', 1))
    before = configure({}, {}, access.config)
    (tmp_path / "printed.toml").write_text(before.shown())
    after = configure({}, {}, tmp_path / "printed.toml")
    assert after.callers == before.callers
    assert len(before.passed_over) == len(after.passed_over) == 1
    assert before.shown().startswith(f"# ignored {before.passed_over[0]}\n")


def test_weak_and_secret_keys_are_named_all_at_once_where_no_other_key_is_left(access: Access) -> None:
    keys = [jwk(signing_key("weak", 1024)), {"kty": "oct", "k": "AAAA", "kid": "secret"}]
    (access.directory / "jwks.json").write_text(json.dumps({"keys": keys}))
    line = refused_start("serve", "--config", str(access.config))
    assert "key 1: has 1024 bits, but must have 2048 to 8192; key 2: is secret: only public keys are allowed" in line
