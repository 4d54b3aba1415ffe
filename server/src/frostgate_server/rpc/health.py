"""The health of a server by the gRPC health protocol, and the monitor that derives it from the answers to real checks.

This module knows no transport. A call of Check is a serialized request and a serialized response. A call of Watch is a
`HealthWatch`: the server asks it again and again whether a message is due.
"""

import logging
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import cast

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse

from frostgate_server.domain.errors import FieldViolation, InvalidFields

_log = logging.getLogger(__name__)

SERVICE = cast(ServiceDescriptor, DESCRIPTOR.services_by_name["Health"])
"""The descriptor of the health service."""

LARGEST_REQUEST = 1024
"""Bytes of a request: names of services take far less."""

SILENCE_SECONDS = 1.5
"""Seconds without an answered check after which a worker is NOT_SERVING. The next tick and the message to the watchers
come within the half second that is left of two."""

LONGEST_STEP_SECONDS = 0.4
"""Seconds that count at most between two ticks. Where ticks come later than every 0.2 s, the machine did not run the
whole process for a while, and that time says nothing about checks."""

ANSWERS_IN_A_ROW = 2
"""Equal answers that change the status. A single answer that differs from the others does not."""

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN

_RESPONSES: dict[int, bytes] = {
    status: HealthCheckResponse(status=status).SerializeToString() for status in (SERVING, NOT_SERVING, SERVICE_UNKNOWN)
}


class UnknownService(Exception):
    """Check asks for a service that has no health. The answer is NOT_FOUND without a message and without details."""


class Health:
    """The status of each service. Threads may share it."""

    def __init__(self, services: Iterable[str]) -> None:
        """All services are SERVING: a server does not start without its storage and its policy.

        "" is the name of the server as a whole.
        """
        self.services = tuple(services)
        self._statuses: dict[str, int] = dict.fromkeys(self.services, SERVING)
        self._failing: dict[str, set[str]] = {service: set() for service in self.services}
        self.is_shut_down = False
        self._lock = Lock()

    def set(self, service: str, status: int, source: str = "") -> None:
        """Sets the status of a service, as one source sees it. Does nothing after the shutdown.

        A service is SERVING if all sources say so.
        """
        with self._lock:
            if self.is_shut_down:
                return
            failing = self._failing[service]
            if status == SERVING:
                failing.discard(source)
            else:
                failing.add(source)
            self._statuses[service] = NOT_SERVING if failing else SERVING

    def shut_down(self) -> None:
        """All services are NOT_SERVING from now on."""
        with self._lock:
            self.is_shut_down = True
            self._statuses = dict.fromkeys(self.services, NOT_SERVING)

    def status_of(self, service: str) -> int:
        """The status of a service: SERVICE_UNKNOWN if it has none."""
        return self._statuses.get(service, SERVICE_UNKNOWN)

    def check(self, serialized: bytes) -> bytes:
        """The response to a request of Check. Raises UnknownService, or InvalidFields for bytes that are no request."""
        status = self.status_of(_parse_service(serialized))
        if status == SERVICE_UNKNOWN:
            raise UnknownService
        return _RESPONSES[status]

    def watch(self, serialized: bytes) -> "HealthWatch":
        """The call of Watch with this request. Raises InvalidFields for bytes that are no request."""
        return HealthWatch(self, _parse_service(serialized))


class HealthWatch:
    """A call of Watch: its messages, each when it is due. For one thread at a time."""

    def __init__(self, health: Health, service: str) -> None:
        """Watches a service. One that has no health is told as SERVICE_UNKNOWN."""
        self._health = health
        self._service = service
        self._told: int | None = None

    def next_message(self) -> bytes | None:
        """A serialized response if the status differs from the one told last; else None. The first time a response."""
        status = self._health.status_of(self._service)
        if status == self._told:
            return None
        self._told = status
        return _RESPONSES[status]


class HealthMonitor:
    """Sets the health of services by the answers to a check that the server makes on itself.

    A service is NOT_SERVING after two failed answers in a row, or after 1.5 s without a good one. It is SERVING again
    after two good answers in a row. So neither one slow answer nor one failed answer changes the status, and a check
    every 0.2 s makes each change known within two seconds. Threads may share a monitor.
    """

    def __init__(self, health: Health, clock: Callable[[], float] = monotonic, *, service: str | None = None) -> None:
        """Begins with a server that serves. `clock` gives seconds.

        With a `service`, the answers are to the question whether changes can be made, and only its health follows
        them. Else they are to checks.
        """
        self._health = health
        self._clock = clock
        self._services = health.services if service is None else (service,)
        self._named = "health" if service is None else f"health of {service}"
        self._asked = "checks" if service is None else "changes"
        self._lock = Lock()
        self._is_serving = True
        self._last_answer = True
        self._in_a_row = 0
        self._silence = 0.0
        self._last_tick = clock()

    def note_answer(self, *, good: bool, cause: str = "") -> None:
        """A check was answered: `good` is false for a status other than OK, and `cause` is for the log."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if good == self._last_answer else 1
            self._last_answer = good
            if good:
                self._silence = 0.0
            if self._in_a_row >= ANSWERS_IN_A_ROW:
                fail = f"{self._asked} fail: {cause}" if cause else f"{self._asked} fail"
                self._set(good, f"{self._asked} are answered" if good else fail)

    def tick(self) -> None:
        """Looks for silence. To be called every 0.2 s, by a thread that does not wait for the checks."""
        with self._lock:
            now = self._clock()
            self._silence += min(now - self._last_tick, LONGEST_STEP_SECONDS)
            self._last_tick = now
            if self._silence > SILENCE_SECONDS:
                self._in_a_row = 0
                self._set(False, f"no check is answered for {SILENCE_SECONDS} s")

    def _set(self, is_serving: bool, cause: str) -> None:
        if is_serving == self._is_serving or self._health.is_shut_down:
            return
        self._is_serving = is_serving
        status = SERVING if is_serving else NOT_SERVING
        for service in self._services:
            self._health.set(service, status, self._asked)
        _log.warning("%s is %s: %s", self._named, HealthCheckResponse.ServingStatus.Name(status), cause)


def _parse_service(serialized: bytes) -> str:
    """The service that a request asks for. Raises InvalidFields."""
    if len(serialized) > LARGEST_REQUEST:
        problem = f"must have at most {LARGEST_REQUEST} bytes but has {len(serialized)}"
        raise InvalidFields([FieldViolation("request", problem)])
    try:
        return HealthCheckRequest.FromString(serialized).service
    except DecodeError:
        problem = f"must be a valid {HealthCheckRequest.DESCRIPTOR.full_name}, its strings UTF-8, but is not"
        raise InvalidFields([FieldViolation("request", problem)]) from None
