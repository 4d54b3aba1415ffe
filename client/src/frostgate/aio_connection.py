"""The base of the asynchronous client: its connections and retries."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from .errors import FrostgateError
from .requests.call import Call
from .retry_policy import Attempts, check_timeout
from .transport.aio_channel import Channel
from .transport.metadata import check_metadata
from .transport.options import channel_options_for
from .transport.settings import ChannelSettings
from .transport.token_file import TokenFile

_Answer = TypeVar("_Answer")


class Connection:
    """Makes calls until it is closed."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token_file: str | os.PathLike[str] | None = None,
        timeout: float = 5.0,
        channels: int = 1,
        options: Sequence[tuple[str, Any]] = (),
        metadata: Sequence[tuple[str, str | bytes]] = (),
        interceptors: Sequence[Any] = (),
    ) -> None:
        """Sets up the client. It connects with the first call.

        Args:
            target: "host:port", "unix:/path", or any other name that gRPC understands.
            credentials: for TLS, client certificates and tokens. None: plaintext. See docs/callers.md.
            token_file: a file with a bearer token, which is sent with every call. It is read again when it changes.
                Needs `credentials`, because tokens are sent only over TLS.
            timeout: the default timeout of a call, in seconds.
            channels: the number of connections. They are used in turn, so that load spreads over the server's workers.
            options: options of the gRPC channels. They override those of the client.
            metadata: headers of every call, as pairs of name and value. Values are bytes if the name ends in -bin.
            interceptors: gRPC interceptors for each try: grpc.UnaryUnaryClientInterceptor, or that of grpc.aio.
        """
        if channels < 1:
            raise ValueError(f"channels must be at least 1, but is {channels}")
        self._timeout = check_timeout(timeout)
        if token_file is not None and credentials is None:
            raise ValueError(
                "token_file needs credentials, such as grpc.ssl_channel_credentials(): a token is sent by TLS only"
            )
        token = None if token_file is None else TokenFile(token_file)
        settings = ChannelSettings(
            target,
            credentials,
            channel_options_for(target, options),
            token,
            check_metadata(metadata),
            interceptors,
        )
        self._channels = [Channel(settings) for _ in range(channels)]
        self._turns = count()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. Later calls and calls in progress raise ClientClosed.

        A change of a customer that is in progress raises OutcomeUnknown instead.
        """
        for channel in self._channels:
            channel.stop()
        for channel in self._channels:
            await channel.close()

    async def _items(self, call: Call[tuple[list[_Answer], str]], timeout: float | None) -> AsyncIterator[_Answer]:
        items, token = await self._answer(call, timeout)
        for item in items:
            yield item
        while token:
            items, token = await self._answer(call.page(token), timeout)
            for item in items:
                yield item

    async def _answer(self, call: Call[_Answer], timeout: float | None) -> _Answer:
        """Makes the call, with retries, until it is answered or refused, or its deadline is reached."""
        tries = Attempts(self._timeout if timeout is None else timeout, once=call.once, name=call.name())
        while True:
            channel = self._channels[next(self._turns) % len(self._channels)]
            try:
                return call.read(await channel.answer(call, tries.time_left()))
            except FrostgateError as error:
                pause = tries.pause_after(error)
            await asyncio.sleep(pause)
