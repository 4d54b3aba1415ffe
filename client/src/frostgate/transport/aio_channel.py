"""A connection of the asynchronous client."""

import asyncio
import logging
import time
from typing import Any

import grpc

from frostgate.error_parsing import error_of_call
from frostgate.requests.call import Call, serialized

from .closing import client_closed, closed_meanwhile
from .settings import PROBE, ChannelSettings, not_connected, time_to_ask

_log = logging.getLogger("frostgate")

_READY = grpc.ChannelConnectivity.READY


class Channel:
    """Makes calls. gRPC's channel is made with the first call, because it belongs to the running event loop.

    A call is sent only over a ready connection. Therefore the client knows whether nothing was sent.
    """

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def answer(self, call: Call[Any], timeout: float) -> Any:
        """Returns the response message of a call. `timeout` is in seconds. Raises FrostgateError."""
        end = time.monotonic() + timeout
        channel = self._open()
        if channel.get_state(try_to_connect=True) is not _READY:
            await self._connect(channel, end, end - time_to_ask(timeout))
        method = channel.unary_unary(call.path, serialized, call.response_class.FromString)
        left = max(end - time.monotonic(), 0.001)
        try:
            return await method(call.request, timeout=left, metadata=self._settings.call_metadata())
        except grpc.RpcError as failure:
            raise error_of_call(failure, call.request_id) from failure
        except asyncio.CancelledError:
            # When a channel is closed, gRPC cancels its calls. This must not look like a cancelled task to the caller.
            if not self._closed or _is_task_cancelled():
                raise
            raise closed_meanwhile(call.request_id) from None

    def stop(self) -> None:
        """Refuses later calls."""
        self._closed = True

    async def close(self) -> None:
        """Ends the calls in progress and closes the connection."""
        self.stop()
        if self._channel is not None:
            await self._channel.close(None)

    def _open(self) -> grpc.aio.Channel:
        """Returns gRPC's channel. Raises ClientClosed, or RuntimeError if another event loop is open."""
        if self._closed:
            raise client_closed()
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise RuntimeError("an aio.Client belongs to one event loop: make another client in this one")
            self._channel, self._loop = new_channel(self._settings), loop
        return self._channel

    async def _connect(self, channel: grpc.aio.Channel, end: float, connected_by: float) -> None:
        """Waits until the connection is ready. Raises Unavailable if this takes too long, and ClientClosed."""
        _log.debug("waiting for a connection to %s", self._settings.target)
        try:
            async with asyncio.timeout(connected_by - time.monotonic()):
                while (state := channel.get_state(try_to_connect=True)) is not _READY:
                    await channel.wait_for_state_change(state)
                    if self._closed:
                        raise client_closed()
        except TimeoutError:
            raise not_connected(self._settings.target, await _reason(channel, end)) from None


def new_channel(settings: ChannelSettings) -> grpc.aio.Channel:
    """Makes gRPC's channel. It connects with its first call."""
    target, options, interceptors = settings.target, settings.options, settings.interceptors
    if settings.credentials is None:
        return grpc.aio.insecure_channel(target, options, interceptors=interceptors)
    return grpc.aio.secure_channel(target, settings.credentials, options, interceptors=interceptors)


async def _reason(channel: grpc.aio.Channel, end: float) -> str:
    """Returns gRPC's reason why there is no connection. gRPC gives it only as the error of a call."""
    probe: Any = channel.unary_unary(PROBE)
    try:
        await probe(b"", timeout=max(end - time.monotonic(), 0.001))
    except grpc.aio.AioRpcError as failure:
        return failure.details() or ""
    return ""


def _is_task_cancelled() -> bool:
    """Tells whether the caller's task was cancelled, and not only the call."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
