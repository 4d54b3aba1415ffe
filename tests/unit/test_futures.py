"""Steps that follow a future."""

from concurrent.futures import Future
from threading import get_ident

import pytest
from frostgate_server.services.futures import convert, then


def future_of(result: int) -> Future[int]:
    future: Future[int] = Future()
    future.set_result(result)
    return future


def failed(error: Exception) -> Future[int]:
    future: Future[int] = Future()
    future.set_exception(error)
    return future


def doubled(first: Future[int], times: Future[int]) -> Future[int]:
    assert first.result() == 21
    return times


def raised(*_: object) -> Future[int]:
    raise ZeroDivisionError


def test_a_result_is_converted_once_it_is_there() -> None:
    first: Future[int] = Future()
    following = convert(first, pow, 2)
    assert not following.done()
    first.set_result(3)
    assert following.result(0) == 9


def test_a_step_gives_the_future_that_is_waited_for() -> None:
    first: Future[int] = Future()
    second: Future[int] = Future()
    following = then(first, doubled, second)
    first.set_result(21)
    assert not following.done()
    second.set_result(42)
    assert following.result(0) == 42


def test_an_exception_of_the_first_future_is_the_outcome() -> None:
    error = KeyError("a")
    assert convert(failed(error), raised).exception(0) is error
    assert then(future_of(21), doubled, failed(error)).exception(0) is error


def test_a_step_sees_the_exception_of_the_first_future() -> None:
    error = KeyError("a")
    assert then(failed(error), lambda first: future_of(len(str(first.exception())))).result(0) == 3


@pytest.mark.parametrize("follow", [convert, then])
def test_an_exception_of_a_step_is_the_outcome(follow: object) -> None:
    assert callable(follow)
    assert isinstance(follow(future_of(1), raised).exception(0), ZeroDivisionError)


def test_a_cancelled_first_future_fails_the_one_that_follows() -> None:
    first: Future[int] = Future()
    following = convert(first, raised)
    first.cancel()
    assert type(following.exception(0)).__name__ == "CancelledError"


def test_the_future_that_follows_cannot_be_cancelled() -> None:
    first: Future[int] = Future()
    following = convert(first, pow, 2)
    assert not following.cancel()
    first.set_result(3)
    assert following.result(0) == 9


def test_a_step_runs_in_the_thread_that_completes_the_first_future() -> None:
    first: Future[int] = Future()
    following = convert(first, lambda _: get_ident())
    first.set_result(1)
    assert following.result(0) == get_ident()
