"""A server with a mail server, and a partner that needs codes."""

from collections.abc import Iterator

import pytest
from support.calls import Calls
from support.mail_server import MailServer
from support.server_process import ServerProcess
from support.verification_desk import Desk


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with MailServer(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mails: MailServer) -> Iterator[ServerProcess]:
    database = tmp_path_factory.mktemp("server") / "frostgate.db"
    with ServerProcess(database, *mails.flags()) as process:
        yield process


@pytest.fixture
def desk(calls: Calls, mails: MailServer) -> Desk:
    return Desk(calls, mails)
