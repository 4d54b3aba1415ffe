"""A bare server that answers on a completion queue of gRPC's own C layer, without gRPC's Python layer and its threads.

The queue is one more of an ordinary `grpc.server`. A registered method brings its calls there. One thread polls it: it
asks a new call for its message, and answers a message in one batch.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from benchmarks.echoes.makes import METHOD, OPTIONS, SERVICE
from frostgate.v1.policy_decision_service_pb2 import CheckOperationRequest, CheckOperationResponse
from grpc._cython import cygrpc  # type: ignore[attr-defined] # no public part can do this

_PATH = f"/{SERVICE}/{METHOD}"

_REQUESTED = 64
"""Calls that the queue can take before the thread asks for more."""

_NEW_CALL, _ANSWERED = object(), object()
"""Tags of events. A message has its call for a tag."""


def serve(answer: CheckOperationResponse, port: int) -> None:
    """Serves until stdin is closed. Then the process ends at once: a queue is never shut down under its calls."""
    server = grpc.server(ThreadPoolExecutor(1), options=OPTIONS)
    loop = _Loop(server, answer)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    loop.start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


class _Loop:
    """The queue and its thread."""

    def __init__(self, server: grpc.Server, answer: CheckOperationResponse) -> None:
        """Registers the queue and the method. The server must not have started."""
        self._answer = answer
        self._server: Any = server._state.server  # type: ignore[attr-defined] # no public part can do this
        self._queue = cygrpc.CompletionQueue()
        self._server.register_completion_queue(self._queue)
        self._server.register_method(_PATH)

    def start(self) -> None:
        """Begins to take calls. The server must have started."""
        for _ in range(_REQUESTED):
            self._request_call()
        threading.Thread(target=self._run, name="loop", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._handle(self._queue.poll())

    def _handle(self, event: Any) -> None:
        if event.tag is _NEW_CALL:
            self._request_call()
            event.call.start_server_batch((cygrpc.ReceiveMessageOperation(0),), event.call)
        elif event.tag is not _ANSWERED:
            self._respond(event.tag, event.batch_operations[0].message())

    def _request_call(self) -> None:
        self._server.request_registered_call(self._queue, self._queue, _PATH, _NEW_CALL)

    def _respond(self, call: Any, request: bytes | None) -> None:
        """Answers a call. A caller who is gone has sent no message."""
        if request is not None:
            CheckOperationRequest.FromString(request)
        operations = (
            cygrpc.SendInitialMetadataOperation(None, 0),
            cygrpc.SendMessageOperation(self._answer.SerializeToString(), 0),
            cygrpc.SendStatusFromServerOperation(None, cygrpc.StatusCode.ok, b"", 0),
            cygrpc.ReceiveCloseOnServerOperation(0),
        )
        call.start_server_batch(operations, _ANSWERED)
