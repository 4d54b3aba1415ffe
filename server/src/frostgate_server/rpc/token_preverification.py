"""Where calls wait until their tokens are verified: not in the threads that checks need."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

from frostgate_server.auth.authenticator import CredentialAuthenticator, preverified_credential
from frostgate_server.auth.credential import BadCredential, Credential
from frostgate_server.auth.jwt_verifier import bearer_token
from frostgate_server.domain.errors import FrostgateError, InternalError, Overloaded

from .grpc_internals import Queue, UnaryCall, get_unary_call
from .thread_pools import RETRY_AFTER_SECONDS, ThreadPool

_log = logging.getLogger(__name__)


class TokenPreverifier:
    """Lets calls go straight to their pool, but for those with a token that nobody has verified yet."""

    def __init__(self, authenticator: CredentialAuthenticator, pool: ThreadPool) -> None:
        """Verifies in the threads of the pool."""
        self._authenticator = authenticator
        self._pool = pool

    def __call__(self, queue: Queue, run: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Queues the call, at once or when its token is verified. Gives a future that ends with the call."""
        call = get_unary_call(arguments)
        if call.has_certificate():
            return queue(run, *arguments)
        token = _token(call)
        if token is not None and (known := self._authenticator.find_verified(token)):
            run(preverified_credential.set, known)
            return queue(run, *arguments)
        done: Future[Any] = Future()

        def verify() -> None:
            outcome = self._outcome(token)
            run(preverified_credential.set, outcome)
            if outcome is None or isinstance(outcome, FrostgateError):
                run(*arguments)
                done.set_result(None)
            else:
                queue(run, *arguments).add_done_callback(lambda _: done.set_result(None))

        self._pool.queue(verify)
        return done

    def _outcome(self, token: str | None) -> Credential | FrostgateError | None:
        """None for a call that has no token: it will be refused for that."""
        if self._pool.is_full():
            return Overloaded(RETRY_AFTER_SECONDS)
        if token is None:
            return None
        try:
            return self._authenticator.verify(token)
        except FrostgateError as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - whatever it is, the call must not wait for ever
            bug = InternalError(call_id=str(uuid4()))
            _log.error("call_id %s failed", bug.variables["call_id"], exc_info=error)
            return bug


def _token(call: UnaryCall) -> str | None:
    """The call's token, if it has one that could be good."""
    try:
        return bearer_token(call.metadata)
    except BadCredential:
        return None
