"""The loop: one thread of each worker takes all calls and answers checks.

In each turn it takes the events that are ready, up to a limit, and answers a group of waiting checks. The loop waits
only for the next event. Calls that may have to wait go to thread pools, which answer from their own threads.
"""

import threading
from collections.abc import Callable
from functools import partial
from time import monotonic, time
from typing import Any

import grpc

from frostgate_server.rpc.grpc_internals import CallQueue
from frostgate_server.rpc.reply import OVERLOADED, TOO_MANY_STREAMS, Reply

from .checks import CheckGroups
from .stream_call import StreamCall, StreamHandler
from .unary_call import UnaryCall, UnaryMethod

TICK_SECONDS = 0.1
"""The most seconds that the loop waits for an event. A tick comes in the first turn after this time."""

MOST_EVENTS = 256
"""The most events that are taken in one turn. More events wait until a group of checks was answered."""

REQUESTED_CALLS = 64
"""The most calls of each method that gRPC may give to the loop at once. More calls wait in gRPC until the next turn."""

IDLE_SECONDS = 1.0
"""Seconds without a new call after which a loop without calls is idle."""

MESSAGE_TIMEOUT = 30.0
"""Seconds in which the message of a unary call must arrive."""

DRAIN_MESSAGE_TIMEOUT = 0.5
"""The same while the server drains."""

ANSWER_TIMEOUT = 10.0
"""Seconds in which a caller must read the answer of a unary call."""

DRAIN_ANSWER_TIMEOUT = 1.0
"""The same while the server drains."""

_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
_SHUTTING_DOWN = Reply(None, _UNAVAILABLE, "the server is shutting down")
_NO_MESSAGE_IN_TIME = Reply(None, _UNAVAILABLE, f"the request did not arrive within {MESSAGE_TIMEOUT:.0f} s")


class ServerLoop:
    """Serves the methods that are added to it, on a `grpc.server` that has not started yet.

    `turns` counts the turns. A loop that is stuck makes none.
    """

    def __init__(
        self, server: grpc.Server, trailer: tuple[str, str], checks: CheckGroups, prepare: Callable[[], None]
    ) -> None:
        """Every answer has the trailer. The loop's thread calls `prepare` first."""
        self._queue = CallQueue(server)
        self._trailers = (trailer,)
        self._checks = checks
        self._prepare = prepare
        self._methods: dict[str, Callable[[Any], None]] = {}
        self._calls: dict[UnaryCall, float] = {}
        self._streams: set[StreamCall] = set()
        self._ticks: list[Callable[[], None]] = []
        self._next_tick = 0.0
        self._last_call = 0.0
        self._draining = False
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)
        self.turns = 0

    def add_unary(self, path: str, method: UnaryMethod) -> None:
        """Serves a unary method at `path`."""
        self._add(path, partial(self._on_unary, path, method))

    def add_stream(self, path: str, handler: StreamHandler, most: int) -> None:
        """Serves a method with a stream of answers at `path`, for at most `most` streams at once."""
        self._add(path, partial(self._on_stream, path, handler, most))

    def add_tick(self, tick: Callable[[], None]) -> None:
        """Calls `tick` about every TICK_SECONDS. It must return at once."""
        self._ticks.append(tick)

    def start(self) -> None:
        """Starts to take calls. The server must have started."""
        for path, tag in self._methods.items():
            for _ in range(REQUESTED_CALLS):
                self._queue.request(path, tag)
        self._thread.start()

    def drain(self) -> None:
        """Ends all streams, and unary calls whose message has not arrived. Other calls go on."""
        self._draining = True

    def is_idle(self) -> bool:
        """Whether no call and no stream is open, and no call came for IDLE_SECONDS. May be called in any thread."""
        return not self._calls and not self._streams and monotonic() - self._last_call > IDLE_SECONDS

    def end(self, seconds: float) -> bool:
        """Waits until the last call has ended, and ends the loop. The server must have stopped.

        Returns False if some calls do not end in time.
        """
        self._ending = True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _add(self, path: str, tag: Callable[[Any], None]) -> None:
        self._queue.register(path)
        self._methods[path] = tag

    def _run(self) -> None:
        self._prepare()
        while not (self._ending and not self._calls and not self._streams):
            self._turn()
        self._queue.shut_down()

    def _turn(self) -> None:
        """Makes one turn. gRPC needs 0.1 ms to report that it has no event: it is not asked if all calls wait here."""
        event = self._queue.poll(0.0 if self._checks else time() + TICK_SECONDS)
        taken = 0
        while event is not None:
            event.tag(event)
            # An event keeps a reference to its call, and a referenced call counts against the limit of its connection.
            event = None
            taken += 1
            if taken < MOST_EVENTS and len(self._calls) > len(self._checks):
                event = self._queue.poll(0.0)
        self._checks.answer_group()
        self.turns += 1
        if monotonic() >= self._next_tick:
            self._tick()

    def _on_unary(self, path: str, method: UnaryMethod, event: Any) -> None:
        self._queue.request(path, self._methods[path])
        if not event.success:
            return
        call = UnaryCall(event, method, self._trailers, self._on_call_end)
        self._calls[call] = self._last_call = monotonic()
        try:
            if method.admit(call):
                call.receive()
            else:
                call.reply(OVERLOADED)
        except Exception as error:  # noqa: BLE001 - an error of one call must not stop the loop
            call.fail(error)

    def _on_call_end(self, call: UnaryCall) -> None:
        del self._calls[call]
        call.method.on_end(call)

    def _on_stream(self, path: str, handler: StreamHandler, most: int, event: Any) -> None:
        self._queue.request(path, self._methods[path])
        if not event.success:
            return
        stream = StreamCall(event, handler, self._streams.discard)
        self._streams.add(stream)
        if sum(one.handler is handler for one in self._streams) > most:
            stream.finish(TOO_MANY_STREAMS)
        else:
            handler.on_open(stream)

    def _tick(self) -> None:
        self._next_tick = monotonic() + TICK_SECONDS
        for tick in self._ticks:
            tick()
        for stream in list(self._streams):
            stream.tick()
            if self._draining:
                stream.finish(_SHUTTING_DOWN)
        self._end_late_calls(monotonic())

    def _end_late_calls(self, now: float) -> None:
        """Ends unary calls whose message does not arrive or whose answer is not read. The oldest calls come first."""
        late = now - (DRAIN_MESSAGE_TIMEOUT if self._draining else MESSAGE_TIMEOUT)
        unread = now - (DRAIN_ANSWER_TIMEOUT if self._draining else ANSWER_TIMEOUT)
        for call, since in self._calls.items():
            if since > max(late, unread):
                return
            if call.answered_at:
                if call.answered_at <= unread:
                    call.cut()
            elif since <= late and not call.has_message:
                call.give_up(_SHUTTING_DOWN if self._draining else _NO_MESSAGE_IN_TIME)
