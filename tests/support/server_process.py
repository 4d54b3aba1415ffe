"""A real frostgate-server in its own process, on a free port of loopback."""

import os
import re
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from frostgate.v1.customer_freeze_service_pb2_grpc import CustomerFreezeServiceStub
from frostgate.v1.policy_decision_service_pb2_grpc import PolicyDecisionServiceStub
from support.processes import PATIENCE, Process, run

COMMAND = [sys.executable, "-m", "frostgate_server"]
FLAGS: list[str] = []
"""The flags of all servers, besides their own."""
TWO_WORKERS = "--workers=2"
"""The flag of a server if a test needs a second worker. Each worker takes most of a second to load."""
PATIENT_STORE = {"PYTHONPATH": str(Path(__file__).with_name("patient_store"))}
"""The variables of a server in which changes may be blocked as long as a test needs."""
_WORKER = "frostgate_server.process.worker"
_READY = re.compile(r"frostgate-server is ready on (?:(?P<address>[^\s,]+))?(?:, )?(?:mTLS on (?P<mtls>\S+))?: ")


class NotReady(AssertionError):
    """The server did not start. The message has its log."""


class Connection:
    """A separate connection to a server, and stubs on it."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        """Connects at the first call: with TLS if there are credentials."""
        self.address = address
        options = [("grpc.use_local_subchannel_pool", 1)]
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options=options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options=options)
        self.freezes = CustomerFreezeServiceStub(self.channel)
        self.decisions = PolicyDecisionServiceStub(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()


class ServerProcess(Connection):
    """A server of `database`, which is created if it does not exist, and a connection to the server.

    The end of the `with` block ends it. It has one worker, unless a flag sets another number. `mtls_address` is empty
    if no address requires client certificates, and `address` is empty if all addresses do.
    """

    def __init__(
        self,
        database: Path,
        *flags: str,
        variables: Mapping[str, str] | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        stderr: int | None = None,
        prefix: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        """Returns when the server is ready. Raises NotReady with the server's message if it does not start.

        `stderr` replaces the file `log`, which is in the directory of the database unless it is given. The command
        begins with `prefix`.
        """
        self.log = log or database.with_name(database.name + ".log")
        listen = ["--listen", "127.0.0.1:0"]
        command = [*prefix, *COMMAND, "serve", *listen, "--workers=1", "--database", str(database), "--create"]
        with self.log.open("ab") as file:
            self.process = Process(
                [*command, *FLAGS, *flags], variables=variables, stderr=file if stderr is None else stderr
            )
        assert self.process.stdout is not None
        self.output = self.process.stdout
        try:
            self.ready_line = self.process.next_line()
            ready = _READY.match(self.ready_line)
            if not ready:
                raise NotReady(f"not ready, but {self.ready_line!r}; log: {self.log.read_text()}")
            self.mtls_address = ready["mtls"] or ""
            super().__init__(ready["address"] or self.mtls_address, credentials)
        except BaseException:
            self.process.end()
            raise

    def workers(self) -> list[int]:
        """The ids of its worker processes, including the spare worker."""
        return [pid for pid in self.children() if _WORKER in _command_line(pid)]

    def children(self) -> list[int]:
        """The ids of all processes that it started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if self.process.poll() is None else []

    def crash(self) -> None:
        """Ends all its processes at once, like a crash of the machine."""
        with ExitStack() as processes:
            if self.process.poll() is None:
                # The supervisor ends first: it would replace dead workers.
                self.process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            for pid in self.children():
                with suppress(ProcessLookupError):
                    processes.enter_context(Killed(pid))
            self.process.kill()

    def kill(self) -> None:
        """Like `crash`, and releases the resources of the process."""
        self.crash()
        self.process.end()

    def stop(self) -> int:
        """Drains the server, waits for its end and returns its exit status."""
        status = self.process.terminated()
        self.output.close()
        return status

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.kill()


def _command_line(pid: int) -> str:
    """Empty for a process that is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


class Killed:
    """A process that is killed at the start of the block, and has ended at its end."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError if the process has ended already."""
        self._file = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._file, signal.SIGKILL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gone, _, _ = select.select([self._file], [], [], PATIENCE)
        os.close(self._file)
        assert gone, "a killed process goes on"


def refused_start(*arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Runs frostgate-server, which must not start, and returns its error line."""
    done = run(*COMMAND, *arguments, variables=variables)
    assert done.returncode == 1, done
    assert done.stdout == ""
    line, rest = done.stderr.split("\n", 1)
    assert rest == "", done.stderr
    assert line.startswith("frostgate-server: ")
    return line.removeprefix("frostgate-server: ")
