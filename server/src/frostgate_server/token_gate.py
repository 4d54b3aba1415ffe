"""Where calls wait until their tokens are verified: not in the threads that checks need."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .credential import BadCredential
from .errors import FrostgateError, Overloaded
from .identities import Identities, verified_before
from .lanes import RETRY_AFTER_SECONDS, Lane
from .messages_first import Queue, call_of
from .tokens import bearer_token


class TokenGate:
    """Lets calls go straight to their lane, but for those with a token that nobody has verified yet."""

    def __init__(self, identities: Identities, lane: Lane) -> None:
        """Verifies in the threads of the lane."""
        self._identities = identities
        self._lane = lane

    def __call__(self, queue: Queue, run: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Queues the call, at once or when its token is verified. Gives a future that ends with the call."""
        token = _token(arguments)
        if token is None:
            return queue(run, *arguments)
        if known := self._identities.known(token):
            run(verified_before.set, known)
            return queue(run, *arguments)
        done: Future[Any] = Future()

        def verify() -> None:
            outcome = self._outcome(token)
            run(verified_before.set, outcome)
            if isinstance(outcome, FrostgateError):
                run(*arguments)
                done.set_result(None)
            else:
                queue(run, *arguments).add_done_callback(lambda _: done.set_result(None))

        self._lane.queue(verify)
        return done

    def _outcome(self, token: str) -> Any:
        if self._lane.crowded():
            return Overloaded(RETRY_AFTER_SECONDS)
        try:
            return self._identities.verified(token)
        except FrostgateError as refusal:
            return refusal


def _token(arguments: tuple[Any, ...]) -> str | None:
    """The call's token, if it depends on one: what is no token at all is refused without further ado, and who shows a
    certificate needs none."""
    call = call_of(arguments)
    try:
        token = bearer_token(call.metadata)
    except BadCredential:
        return None
    return None if token is None or call.has_certificate() else token
