"""The streams that the loop serves: health watches and reflection. No thread waits for either."""

from frostgate_server.auth.interface import Authenticator
from frostgate_server.domain.errors import FrostgateError
from frostgate_server.rpc.health import Health
from frostgate_server.rpc.methods import METHODS
from frostgate_server.rpc.reflection import METHOD, Reflection
from frostgate_server.rpc.reply import refusal
from frostgate_server.rpc.thread_pools import ThreadPool

from .stream_call import StreamCall


class HealthWatches:
    """Health/Watch: sends the status of a service at once and after each change."""

    def __init__(self, health: Health, pool: ThreadPool) -> None:
        """Parses requests in the pool."""
        self._health = health
        self._pool = pool

    def on_open(self, stream: StreamCall) -> None:
        stream.receive()

    def on_message(self, stream: StreamCall, message: bytes) -> None:
        self._pool.run(self._begin, stream, message)

    def on_sent(self, stream: StreamCall) -> None:
        """Does nothing: the next message comes with the next change."""

    def on_tick(self, stream: StreamCall) -> None:
        watch = stream.state
        if watch is not None and (message := watch.next_message()) is not None:
            stream.send(message)

    def _begin(self, stream: StreamCall, message: bytes) -> None:
        try:
            watch = self._health.watch(message)
        except FrostgateError as error:
            stream.finish(refusal(error))
            return
        if (first := watch.next_message()) is not None:
            stream.send(first)
        stream.state = watch


class ReflectionStreams:
    """ServerReflectionInfo: one answer for each request. Receives the next request after the answer was sent."""

    def __init__(self, reflection: Reflection, pool: ThreadPool, authenticator: Authenticator | None) -> None:
        """Answers in the pool. The authenticator must permit the callers; None permits all."""
        self._reflection = reflection
        self._pool = pool
        self._authenticator = authenticator

    def on_open(self, stream: StreamCall) -> None:
        if self._authenticator is None:
            stream.receive()
        else:
            self._pool.run(self._permit, self._authenticator, stream)

    def on_message(self, stream: StreamCall, message: bytes) -> None:
        self._pool.run(self._respond, stream, message)

    def on_sent(self, stream: StreamCall) -> None:
        stream.receive()

    def on_tick(self, stream: StreamCall) -> None:
        """Ends the stream if its caller's credential has expired or its caller has lost the role."""
        if stream.state is None:
            return
        try:
            stream.state.ensure_holds()
        except FrostgateError as error:
            stream.finish(refusal(error))

    def _permit(self, authenticator: Authenticator, stream: StreamCall) -> None:
        try:
            stream.state = authenticator.permit_stream(stream, METHOD, METHODS[METHOD].roles)
        except FrostgateError as error:
            stream.finish(refusal(error))
        else:
            stream.receive()

    def _respond(self, stream: StreamCall, message: bytes) -> None:
        stream.send(self._reflection.respond(message))
