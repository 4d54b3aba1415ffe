"""A server on which a call that is never let go is noticed."""

from collections.abc import Iterator

import pytest
from support.server_process import PATIENT_STORE, ServerProcess
from support.ways import assert_answered

_CALLS_OF_A_CONNECTION = 64


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of a module with one worker and few calls a connection.

    A call that it does not let go counts against those of its connection, and keeps the server from draining: at the
    end it must still answer on its own connection, end by itself, and have logged nothing.
    """
    flags = ["--workers", "1", "--max-calls-per-connection", str(_CALLS_OF_A_CONNECTION), "--drain-period", "1h"]
    with ServerProcess(tmp_path_factory.mktemp("narrow") / "frostgate.db", *flags, variables=PATIENT_STORE) as server:
        yield server
        assert_answered(server)
        server.channel.close()
        assert server.stop() == 0
        assert server.log.read_text() == ""
