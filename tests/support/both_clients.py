"""Both clients behind one interface, so that one test covers both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import frostgate
from frostgate import FreezeScope
from support.calls import new_id
from support.processes import PATIENCE

KINDS = ["synchronous", "asynchronous"]


class SyncFace:
    """frostgate.Client, with its listings read to their end."""

    def __init__(self, client: frostgate.Client) -> None:
        """Takes an open client."""
        self._client = client

    def __getattr__(self, method: str) -> Callable[..., Any]:
        called = getattr(self._client, method)
        return lambda *items, **fields: _listed(called(*items, **fields))


class AsyncFace:
    """frostgate.aio.Client, called from outside of its event loop, with its listings read to their end."""

    def __init__(self, client: frostgate.aio.Client, loop: asyncio.AbstractEventLoop) -> None:
        """Takes an open client and its event loop."""
        self._client = client
        self._loop = loop

    def __getattr__(self, method: str) -> Callable[..., Any]:
        called = getattr(self._client, method)

        async def awaited(*items: Any, **fields: Any) -> Any:
            answer = called(*items, **fields)
            return [item async for item in answer] if isinstance(answer, AsyncIterator) else await answer

        return lambda *items, **fields: asyncio.run_coroutine_threadsafe(awaited(*items, **fields), self._loop).result(
            2 * PATIENCE
        )


@contextmanager
def open_client(kind: str, address: str, **settings: Any) -> Iterator[Any]:
    """Opens a client of this kind, and closes it at the end."""
    if kind == "synchronous":
        with frostgate.Client(address, **settings) as client:
            yield SyncFace(client)
        return
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        opened = asyncio.run_coroutine_threadsafe(_made(address, settings), loop).result(PATIENCE)
        yield AsyncFace(opened, loop)
        asyncio.run_coroutine_threadsafe(opened.close(), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _made(address: str, settings: dict[str, Any]) -> frostgate.aio.Client:
    return frostgate.aio.Client(address, **settings)


def _listed(answer: Any) -> Any:
    return list(answer) if isinstance(answer, Iterator) else answer


def new_customer(client: Any, state: str = "ACCOUNT_FROZEN") -> str:
    """Associates a customer and brings it into a state."""
    customer_id = new_id()
    client.associate_customer(customer_id=customer_id, partner_id="partner")
    if state == "NORMAL":
        client.unfreeze_customer(customer_id=customer_id, scope=FreezeScope.ACCOUNT, reason="paid")
    if state == "ACCOUNT_AND_RESOURCES_FROZEN":
        client.freeze_customer(customer_id=customer_id, scope=FreezeScope.ACCOUNT_AND_RESOURCES, reason="unpaid")
    return customer_id
