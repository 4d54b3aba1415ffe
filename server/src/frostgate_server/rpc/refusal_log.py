"""Logs calls that are refused after authentication: the method, the peer, the caller and the reason."""

import logging
from collections import defaultdict
from functools import partial
from urllib.parse import unquote

from frostgate_server.auth.interface import Call
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.errors import Cancelled, FrostgateError, MethodNotPermitted, Unauthenticated
from frostgate_server.observability.rate_limited_log import RateLimitedLog

_log = logging.getLogger(__name__)

_SILENT = (Unauthenticated, MethodNotPermitted, Cancelled)
"""Authentication logs the first two with their cause. A cancelled call is not refused."""


class RefusalLog:
    """One line a second for each reason. The message of an error is not logged: it may quote the request."""

    def __init__(self) -> None:
        """Starts without lines."""
        self._logs: defaultdict[str, RateLimitedLog] = defaultdict(partial(RateLimitedLog, _log))

    def note(self, method: str, call: Call, caller: Caller | None, error: FrostgateError) -> None:
        """Logs a refused call, or counts it. May be called in any thread. The call must not have ended."""
        if not _log.isEnabledFor(logging.INFO) or isinstance(error, _SILENT):
            return
        peer = unquote(call.peer()) or "an unknown address"
        actor = caller.principal if caller else ""
        why = f"{method} from {peer}: {error.reason}{', by ' + actor if actor else ''}"
        self._logs[error.reason].note(why, method=method, peer=peer, reason=error.reason, actor=actor)
