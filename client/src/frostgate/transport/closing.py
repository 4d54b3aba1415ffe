"""The errors of a client that is closed."""

import grpc

from frostgate.errors import ClientClosed, FrostgateError, OutcomeUnknown


def client_closed() -> ClientClosed:
    """Returns the error of a call on a closed client."""
    return ClientClosed("the client is closed: make another one", code=grpc.StatusCode.CANCELLED, sent=False)


def closed_meanwhile(request_id: str | None) -> FrostgateError:
    """Returns the error of a call that was in progress at the close. `request_id` is that of a change."""
    message = "the client was closed before the answer came"
    if request_id is None:
        return ClientClosed(message, code=grpc.StatusCode.CANCELLED)
    return OutcomeUnknown(message, code=grpc.StatusCode.CANCELLED, request_id=request_id)
