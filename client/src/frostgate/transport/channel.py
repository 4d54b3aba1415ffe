"""A connection of the synchronous client."""

import logging
import time
from threading import Condition, Lock
from typing import Any

import grpc

from frostgate.error_parsing import error_of_call
from frostgate.requests.call import Call, serialized

from .closing import client_closed, closed_meanwhile
from .settings import PROBE, ChannelSettings, not_connected, time_to_ask

_READY, _IDLE = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE

_log = logging.getLogger("frostgate")

_LOOK = 0.2
"""Seconds after which a waiting call asks gRPC to connect again, if the channel is idle."""

_LONGEST_POLL = 2.0
"""Seconds to wait at most for the end of gRPC's thread. It needs 0.2 s unless the machine is overloaded."""

_POLL_PAUSE = 0.005
"""Seconds between two looks whether gRPC's thread has ended."""


class Channel:
    """Makes calls, from any thread. gRPC's channel is made with the first call.

    A call is sent only over a ready connection. Therefore the client knows whether nothing was sent.
    """

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings
        self._channel: grpc.Channel | None = None
        self._lock = Lock()
        self._closed = False
        self._connectivity = _Connectivity()
        self._polling: Any = None

    def answer(self, call: Call[Any], timeout: float) -> Any:
        """Returns the response message of a call. `timeout` is in seconds. Raises FrostgateError."""
        end = time.monotonic() + timeout
        channel = self._channel or self._open()
        if self._connectivity.state is not _READY:
            self._connect(channel, end, end - time_to_ask(timeout))
        try:
            method = channel.unary_unary(call.path, serialized, call.response_class.FromString)
            left = max(end - time.monotonic(), 0.001)
            return method(call.request, timeout=left, metadata=self._settings.call_metadata())
        except grpc.RpcError as failure:
            if self._closed and failure.code() is grpc.StatusCode.CANCELLED:
                raise closed_meanwhile(call.request_id) from failure
            raise error_of_call(failure, call.request_id) from failure
        except ValueError:
            # gRPC's error for a closed channel. Another thread may have closed it just now.
            if not self._closed:
                raise
            raise client_closed() from None

    def stop(self) -> None:
        """Refuses later calls."""
        with self._lock:
            self._closed = True
        if self._channel is not None:
            self._channel.unsubscribe(self._connectivity.note)
        self._connectivity.note(grpc.ChannelConnectivity.SHUTDOWN)

    def close(self) -> None:
        """Ends the calls in progress and closes the connection. gRPC needs up to 0.2 s to stop reporting its state.

        gRPC's thread that reports the state raises an error if the channel is closed too early. So this waits until the
        thread has ended. gRPC has no public way to ask for that.
        """
        self.stop()
        if self._channel is not None:
            end = time.monotonic() + _LONGEST_POLL
            while getattr(self._polling, "polling", False) and time.monotonic() < end:
                time.sleep(_POLL_PAUSE)
            self._channel.close()

    def _open(self) -> grpc.Channel:
        """Returns gRPC's channel. Raises ClientClosed."""
        with self._lock:
            if self._closed:
                raise client_closed()
            if self._channel is None:
                plain = new_channel(self._settings)
                self._polling = getattr(plain, "_connectivity_state", None)
                self._channel = intercepted(plain, self._settings)
                self._channel.subscribe(self._connectivity.note, try_to_connect=True)
            return self._channel

    def _connect(self, channel: grpc.Channel, end: float, connected_by: float) -> None:
        """Waits until the connection is ready. Raises Unavailable if this takes too long, and ClientClosed."""
        _log.debug("waiting for a connection to %s", self._settings.target)
        while not self._closed:
            if self._connectivity.state is _IDLE:
                self._connect_at_next_poll(channel)
            left = connected_by - time.monotonic()
            if self._connectivity.wait_ready(min(_LOOK, left)):
                return
            if left <= 0:
                raise not_connected(self._settings.target, _reason(channel, end))
        raise client_closed()

    def _connect_at_next_poll(self, channel: grpc.Channel) -> None:
        """Has gRPC's thread that reports the state connect, unless the client is closed."""
        with self._lock:
            if not self._closed:
                channel.subscribe(_ignore, try_to_connect=True)
                channel.unsubscribe(_ignore)


class _Connectivity:
    """The state of a connection. gRPC reports it in its own thread."""

    def __init__(self) -> None:
        self.state: grpc.ChannelConnectivity | None = None
        self._changed = Condition()

    def note(self, state: grpc.ChannelConnectivity) -> None:
        """Stores the new state. After SHUTDOWN the state does not change."""
        with self._changed:
            if self.state is not grpc.ChannelConnectivity.SHUTDOWN:
                self.state = state
            self._changed.notify_all()

    def wait_ready(self, seconds: float) -> bool:
        """Waits until the connection is ready or shut down. Returns True if it is ready."""
        with self._changed:
            self._changed.wait_for(self._is_ready_or_over, seconds)
            return self.state is _READY

    def _is_ready_or_over(self) -> bool:
        return self.state in {_READY, grpc.ChannelConnectivity.SHUTDOWN}


def new_channel(settings: ChannelSettings) -> grpc.Channel:
    """Makes gRPC's channel, without interceptors. It connects with its first call."""
    if settings.credentials is None:
        return grpc.insecure_channel(settings.target, settings.options)
    return grpc.secure_channel(settings.target, settings.credentials, settings.options)


def intercepted(channel: grpc.Channel, settings: ChannelSettings) -> grpc.Channel:
    """Adds the interceptors to a channel."""
    return grpc.intercept_channel(channel, *settings.interceptors) if settings.interceptors else channel


def _reason(channel: grpc.Channel, end: float) -> str:
    """Returns gRPC's reason why there is no connection. gRPC gives it only as the error of a call."""
    probe: Any = channel.unary_unary(PROBE)
    try:
        probe(b"", timeout=max(end - time.monotonic(), 0.001))
    except grpc.RpcError as failure:
        return failure.details() or ""
    except ValueError:
        # The channel was closed just now.
        return ""
    return ""


def _ignore(_: grpc.ChannelConnectivity) -> None:
    """Ignores the state. The subscription serves only to connect."""
