"""A server whose decision log goes to a pipe, which a test reads late."""

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.decision_log import Record
from support.pipes import Pipe
from support.processes import PATIENCE, Process
from support.server_process import COMMAND, Connection
from support.worker_processes import eventually


class PipedServer(Connection):
    """A server that writes its decision log to a pipe of 4 KiB. After the ready line nothing reads it until `read`."""

    def __init__(self, process: Process, pipe: Pipe, log: Path) -> None:
        """Waits until the server is ready."""
        self.process = process
        self.log = log
        self._pipe = pipe
        self._read = b""
        os.close(pipe.write_end)
        pipe.write_end = -1
        ready = re.search(r"is ready on (\S+):", pipe.read_lines(1)[0])
        assert ready
        super().__init__(ready[1])
        self._thread = threading.Thread(target=self._read_all, daemon=True)

    def read(self) -> None:
        """Reads the pipe from now on, in a thread."""
        self._thread.start()

    def wait_for(self, text: str) -> None:
        """Waits until a text was read."""
        eventually(lambda: text.encode() in self._read, f"read {text!r}")

    def stop(self) -> list[Record]:
        """Stops the server, which is read, and returns all records. Each line is whole."""
        assert self.process.terminated() == 0
        self._thread.join(PATIENCE)
        text = self._read.decode()
        assert text.endswith("\n")
        found = [json.loads(line) for line in text.splitlines() if not line.startswith("frostgate-server ")]
        return list(found)

    def _read_all(self) -> None:
        while read := os.read(self._pipe.read_end, 65536):
            self._read += read


@contextmanager
def piped_server(directory: Path, *flags: str) -> Iterator[PipedServer]:
    """Starts a server with `--decision-log -`."""
    command = [*COMMAND, "serve", "--listen", "127.0.0.1:0", "--database", f"{directory}/f.db", "--create"]
    log = directory / "log"
    with (
        Pipe() as pipe,
        log.open("ab") as file,
        Process([*command, "--decision-log", "-", *flags], stdout=pipe.write_end, stderr=file) as process,
        PipedServer(process, pipe, log) as server,
    ):
        yield server
