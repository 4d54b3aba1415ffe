"""A bare gRPC server to compare with: the least that a server in Python does for a call of CheckOperation.

It reads each request and writes an answer, but it is always the same one, and nothing is looked up or decided. The same
program is a group of such servers that share a port, as frostgate's workers do. Makes differ in how they queue calls.
"""

import argparse
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from benchmarks.echoes import completion_queue, event_loops, thread_pools
from benchmarks.echoes.makes import Make
from frostgate.v1.policy_decision_service_pb2 import CheckOperationResponse


def main() -> None:
    """Serves until SIGTERM or SIGINT, or until stdin is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answer", required=True, help="the CheckOperationResponse, serialized, in hexadecimal")
    parser.add_argument("--make", required=True, type=Make, choices=list(Make), help="how calls are queued")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="of each process, where it has a thread pool")
    parser.add_argument("--port", type=int, help="be one of the processes")
    options = parser.parse_args()
    if options.port is None:
        _serve_together(options.processes)
    else:
        answer = CheckOperationResponse.FromString(bytes.fromhex(options.answer))
        _serve_alone(options.make, answer, options.threads, options.port)


def _serve_alone(make: Make, answer: CheckOperationResponse, threads: int, port: int) -> None:
    match make:
        case Make.THREADS:
            thread_pools.serve(answer, threads, port)
        case Make.QUEUED:
            thread_pools.serve_queued(answer, threads, port)
        case Make.LOOP:
            completion_queue.serve(answer, port)
        case Make.ASYNCIO | Make.UVLOOP:
            event_loops.serve(answer, port, with_uvloop=make is Make.UVLOOP)


def _serve_together(processes: int) -> None:
    """Starts the processes, and says when all are ready."""
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        command = [sys.executable, *sys.argv, "--port", str(port)]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        print(f"echo is ready on 127.0.0.1:{port}: {processes} processes", flush=True)
        told_to_stop.wait()
        for process in started:
            process.communicate()


if __name__ == "__main__":
    main()
