"""Small messages that unpack to very many fields are refused before anything is built from them."""

import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.attacked import CHECK, Attacked
from support.raw_http2 import END_STREAM, HEADERS, Frame
from support.runner.sizes import members, size

CALLS = 64
"""At once on one connection."""

MOST_COST = 3
"""Times the cost of an empty message."""

NOISE = 0.25
"""The part of the cost of unpacking by which two measurements of it differ on a busy machine. To build a message of so
many fields costs two to twenty times as much as to unpack it."""

_DECISIONS, _FREEZES = "/frostgate.v1.PolicyDecisionService/", "/frostgate.v1.CustomerFreezeService/"

MANY = 262_000

ATTACKS = {
    "checks": (_DECISIONS + "BatchCheckOperations", b"\x0a\0" * MANY),
    "ids to freeze": (_FREEZES + "BatchFreezeCustomers", b"\x0a\0" * MANY),
    "ids to unfreeze": (_FREEZES + "BatchUnfreezeCustomers", b"\x0a\0" * MANY),
    "ids of a code": (_FREEZES + "SendVerificationCode", b"\x1a\0" * MANY),
    "unknown fields": (_DECISIONS + "BatchCheckOperations", b"\x7a\0" * MANY),
    "groups": (_DECISIONS + "BatchCheckOperations", b"\x7b\x7c" * MANY),
}


def _is_end(received: Frame) -> bool:
    return received.kind == HEADERS and bool(received.flags & END_STREAM)


def rounds() -> int:
    """The rounds of calls that one cost is measured with."""
    return size(short=4, long=10)


def cost_of_refusals(target: Attacked, path: str, serialized: bytes, *, compressed: bool) -> float:
    """The processor time that the server takes for calls that it refuses."""
    turns = rounds()
    with target.raw() as connection:
        connection.begin()
        before = target.cpu_seconds()
        for turn in range(turns):
            streams = range(1 + 2 * CALLS * turn, 1 + 2 * CALLS * (turn + 1), 2)
            for stream in streams:
                connection.send(target.call(stream, path, serialized, compressed=compressed))
            assert len(connection.frames_until(CALLS, _is_end)) == CALLS
        return (target.cpu_seconds() - before) / turns / CALLS


@pytest.mark.long
@pytest.mark.parametrize("attack", members(ATTACKS, short=["checks", "ids to freeze", "groups"]))
@pytest.mark.parametrize("kind", ["plaintext"], scope="module")
def test_messages_that_unpack_to_many_fields_are_refused_cheaply(target: Attacked, attack: str) -> None:
    """A method that takes nothing so large refuses the same message by its size: the cost of unpacking it."""
    path, serialized = ATTACKS[attack]
    packed = gzip.compress(serialized)
    with target.connect() as connection:
        target.check(connection)
    empty, unpacking, refused = (
        min(costs)
        for costs in zip(
            *(
                (
                    cost_of_refusals(target, path, b"", compressed=False),
                    cost_of_refusals(target, CHECK, packed, compressed=True),
                    cost_of_refusals(target, path, packed, compressed=True),
                )
                for _ in range(3)
            ),
            strict=True,
        )
    )
    print(f"{attack}: empty {empty * 1e6:.0f} us, unpacking {unpacking * 1e6:.0f} us, refused {refused * 1e6:.0f} us")
    assert refused <= MOST_COST * empty + (1 + NOISE) * unpacking
    target.assert_serves()


def test_checks_go_on_beside_messages_that_unpack_to_many_fields(target: Attacked) -> None:
    path, serialized = ATTACKS["checks"]
    with ThreadPoolExecutor(1) as pool, target.connect() as connection:
        refused = pool.submit(cost_of_refusals, target, path, gzip.compress(serialized), compressed=True)
        while not refused.done():
            assert target.check(connection).message
        refused.result()
