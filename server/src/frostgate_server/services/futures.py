"""Steps that follow a future, so that no thread waits for it.

A step runs in the thread that completes the previous future. An exception of that future or of the step becomes the
outcome of the returned future. The returned future cannot be cancelled.
"""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

_First = TypeVar("_First")
_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


def convert(
    first: Future[_First], function: Callable[[_First, *_Arguments], _Result], *arguments: *_Arguments
) -> Future[_Result]:
    """The future of `function(result, *arguments)`, where `result` is the result of the first future."""
    following = _running_future()
    first.add_done_callback(partial(_complete, following, function, arguments))
    return following


def then(
    first: Future[_First], step: Callable[[Future[_First], *_Arguments], Future[_Result]], *arguments: *_Arguments
) -> Future[_Result]:
    """The future that `step(first, *arguments)` returns. The step is called when the first future is completed."""
    following = _running_future()
    first.add_done_callback(partial(_start, following, step, arguments))
    return following


def _running_future() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _start(
    following: Future[Any], step: Callable[..., Future[Any]], arguments: tuple[object, ...], first: Future[Any]
) -> None:
    try:
        second = step(first, *arguments)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        following.set_exception(error)
    else:
        second.add_done_callback(partial(_complete, following, _unchanged, ()))


def _complete(
    following: Future[Any], function: Callable[..., object], arguments: tuple[object, ...], first: Future[Any]
) -> None:
    try:
        result = function(first.result(), *arguments)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        following.set_exception(error)
    else:
        following.set_result(result)


def _unchanged(result: object) -> object:
    return result
