"""The asynchronous client without its calls: how it connects, and how it makes a call until it is answered."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from .errors import error_of_call
from .requests.call import Call
from .retry_policy import CHANNEL_OPTIONS, Attempts, check_timeout

_Answer = TypeVar("_Answer")


class Connection:
    """Makes calls, until it is closed."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = 5.0,
        channels: int = 1,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Connects with the first call. To be made where the event loop runs.

        Args:
            target: "host:port", "unix:/path", or any other name that gRPC understands.
            credentials: for TLS, client certificates and tokens; plaintext without. See docs/callers.md.
            timeout: seconds that a call may take, unless it says otherwise.
            channels: connections, used in turn, so that load spreads over the processes of a server.
            options: of gRPC's channels, over those set here.
        """
        if channels < 1:
            raise ValueError(f"channels must be at least 1, is {channels}")
        self._timeout = check_timeout(timeout)
        all_options = [*CHANNEL_OPTIONS, *options]
        self._channels = [
            grpc.aio.insecure_channel(target, all_options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, all_options)
            for _ in range(channels)
        ]
        self._turns = count()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; calls under way end with CANCELLED."""
        for channel in self._channels:
            await channel.close(None)

    async def _items(self, call: Call[tuple[list[_Answer], str]], timeout: float | None) -> AsyncIterator[_Answer]:
        items, token = await self._answer(call, timeout)
        for item in items:
            yield item
        while token:
            items, token = await self._answer(call.page(token), timeout)
            for item in items:
                yield item

    async def _answer(self, call: Call[_Answer], timeout: float | None) -> _Answer:
        """Makes the call until it is answered, refused, or out of time."""
        tries = Attempts(self._timeout if timeout is None else timeout, once=call.once)
        while True:
            channel = self._channels[next(self._turns) % len(self._channels)]
            method = channel.unary_unary(call.path, _serialized, call.response_class.FromString)
            try:
                return call.read(await method(call.request, timeout=tries.time_left()))
            except grpc.RpcError as failure:
                pause = tries.pause_after(error_of_call(failure, call.request_id))
            await asyncio.sleep(pause)


def _serialized(request: Any) -> bytes:
    serialized: bytes = request.SerializeToString()
    return serialized
