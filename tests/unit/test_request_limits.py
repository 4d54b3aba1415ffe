"""The fields of requests are counted in their bytes, as protobuf's own parser counts them, no further than needed."""

from collections.abc import Iterator
from typing import Any

import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.v1.policy_pb2 import FREEZE_SCOPE_ACCOUNT
from frostgate_server.domain.errors import InvalidFields
from frostgate_server.rpc.messages import request_limits, request_parsing
from frostgate_server.rpc.messages.request_limits import MOST_FIELDS, MOST_ITEMS_COUNTED, RequestLimits
from frostgate_server.rpc.status_mapping import to_status
from google.protobuf.descriptor import Descriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import example, given
from hypothesis import strategies as st

MOST_ITEMS = {
    "BatchCheckOperationsRequest": 1000,
    "BatchFreezeCustomersRequest": 1000,
    "BatchUnfreezeCustomersRequest": 1000,
    "SendVerificationCodeRequest": MOST_ITEMS_COUNTED,
}
REQUESTS = [
    method.input_type
    for file in (pb.DESCRIPTOR, decisions_pb.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
]
FREEZES = pb.BatchFreezeCustomersRequest
ITEM, LAST = 1, 5
"""The numbers of customer_ids and of another field."""


def limits(request: Descriptor = FREEZES.DESCRIPTOR) -> RequestLimits:
    """The limits of a kind of request."""
    return RequestLimits(request, MOST_ITEMS.get(request.name, 0))


def refusal(counted: RequestLimits, serialized: bytes) -> InvalidFields:
    """Why the message is refused."""
    with pytest.raises(InvalidFields) as refused:
        counted.ensure_met(serialized)
    return refused.value


def varint(number: int) -> bytes:
    """A number as protobuf codes it."""
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def field(number: int, wire_type: int, value: bytes) -> bytes:
    """A field as it stands in a message."""
    return varint(number << 3 | wire_type) + (varint(len(value)) if wire_type == 2 else b"") + value


plain_fields = st.one_of(
    st.builds(
        field, st.sampled_from([ITEM, LAST, 16, 2000]), st.just(2), st.sampled_from([b"", b"a", b"b" * 128, b"c" * 200])
    ),
    st.builds(field, st.sampled_from([ITEM, LAST]), st.just(0), st.integers(0, 2**64 - 1).map(varint)),
    st.builds(field, st.just(LAST), st.just(1), st.just(bytes(8))),
    st.builds(field, st.just(LAST), st.just(5), st.just(bytes(4))),
    st.just(b"\x8a\x00\x01d"),  # an item, its tag in one byte more than it needs
    st.just(field(ITEM, 2, b"e" * 20_000)),
)
fields = st.recursive(
    plain_fields,
    lambda inner: st.lists(inner, max_size=4).map(lambda within: b"\x2b" + b"".join(within) + b"\x2c"),
    max_leaves=8,
)
messages = st.lists(fields, max_size=12).map(b"".join)
damaged = st.builds(
    lambda message, at, byte: message[: at % (len(message) + 1)] + byte + message[at % (len(message) + 1) + 1 :],
    messages,
    st.integers(0, 400),
    st.binary(max_size=2),
)


def counted_by_parser(found: Any) -> Iterator[tuple[int, int]]:
    """Number and wire type of each field, as the parser finds them: of a group, that it begins, holds and ends."""
    for one in found:
        yield one.field_number, one.wire_type
        if one.wire_type == 3:
            yield from ((0, 0) for _ in counted_by_parser(one.data))
            yield one.field_number, 4


@given(serialized=messages | damaged | st.binary(max_size=60))
@example(serialized=b"\x2b" + 2 * field(ITEM, 2, b"") + b"\x2c")
@example(serialized=b"\x2b\x2c" + 4 * field(ITEM, 2, b""))
@example(serialized=4 * field(LAST, 0, varint(2**64 - 1)))
@example(serialized=4 * field(ITEM, 2, b"\x2b" * 128))
def test_a_message_is_refused_if_the_parser_finds_too_much_in_it(serialized: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_limits, "MOST_FIELDS", 3)
        patch.setattr(request_limits, "MOST_ITEMS_COUNTED", 6)
        patch.setattr(request_limits, "_SMALLEST_FIELD", 0)
        refused = False
        try:
            RequestLimits(FREEZES.DESCRIPTOR, 4).ensure_met(serialized)
        except InvalidFields:
            refused = True
    try:
        found = list(counted_by_parser(UnknownFieldSet(Empty.FromString(serialized))))
    except DecodeError:
        return
    items = found.count((ITEM, 2))
    assert refused == (items > 4 or len(found) - items > 3)


@pytest.mark.parametrize("items", [1001, 1500, MOST_ITEMS_COUNTED])
def test_a_batch_with_too_many_items_is_refused_as_the_validators_refuse_it(items: int) -> None:
    request = FREEZES(customer_ids=map(str, range(items)), scope=FREEZE_SCOPE_ACCOUNT, reason="unpaid")
    with pytest.raises(InvalidFields) as validated:
        request_parsing.parse_batch_freeze(request)
    assert to_status(refusal(limits(), request.SerializeToString())) == to_status(validated.value)


@pytest.mark.parametrize("items", [1, 100, 1000])
def test_a_batch_within_its_limit_passes(items: int) -> None:
    request = FREEZES(customer_ids=map(str, range(items)), scope=FREEZE_SCOPE_ACCOUNT, reason="unpaid")
    limits().ensure_met(request.SerializeToString())


@pytest.mark.parametrize("item", [b"", b"\x0a\x01a", b"\x0a\x01a" * 50], ids=["empty", "small", "large"])
def test_items_beyond_those_counted_are_not_looked_at(item: bytes) -> None:
    checks = field(1, 2, item) * (MOST_ITEMS_COUNTED + 1)
    counted = limits(decisions_pb.BatchCheckOperationsRequest.DESCRIPTOR)
    told = "Invalid request: checks: must have 1 to 1000 items but has more than 2000"
    assert str(refusal(counted, checks + b"\xff" * 20)) == told


def test_a_message_that_was_cut_is_left_to_the_parser() -> None:
    limits().ensure_met((field(1, 2, b"a") * 1500)[:-1])
    cut_mask = field(2, 2, field(1, 2, b"a") * (MOST_FIELDS - 1) + b"\x0a\x09a")
    limits(pb.UpdatePartnerRequest.DESCRIPTOR).ensure_met(cut_mask)


def test_codes_are_refused_by_their_number_only_where_the_validators_would_need_long() -> None:
    counted = limits(pb.SendVerificationCodeRequest.DESCRIPTOR)
    counted.ensure_met(field(3, 2, b"") * MOST_ITEMS_COUNTED)
    told = "Invalid request: customer_ids: must have 1 to 1000 items but has more than 2000"
    assert str(refusal(counted, field(3, 2, b"") * (MOST_ITEMS_COUNTED + 1))) == told


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
@pytest.mark.parametrize("value", [b"\x78\x00", b"\x7a\x00", b"\x7b\x7c"], ids=["number", "string", "group"])
def test_a_request_of_any_kind_has_few_other_fields(request_: Descriptor, value: bytes) -> None:
    counted = limits(request_)
    told = "Invalid request: request: must have at most 64 fields but has more"
    counted.ensure_met(value * (MOST_FIELDS // 2))
    assert str(refusal(counted, value * 100)) == told


def test_the_paths_of_a_mask_are_counted_also_where_it_comes_in_parts() -> None:
    counted = limits(pb.UpdatePartnerRequest.DESCRIPTOR)
    counted.ensure_met(field(2, 2, field(1, 2, b"abc") * (MOST_FIELDS - 1)))
    told = "Invalid request: request: must have at most 64 fields but has more"
    assert str(refusal(counted, field(2, 2, field(1, 2, b"") * 1000))) == told
    assert str(refusal(counted, field(2, 2, field(1, 2, b"a") * 2) * 30)) == told


def test_a_kind_of_request_with_fields_that_are_not_counted_is_refused_when_the_server_starts() -> None:
    for request, most_items in (
        (FREEZES.DESCRIPTOR, 0),
        (FREEZES.DESCRIPTOR, MOST_ITEMS_COUNTED + 1),
        (pb.GetPartnerRequest.DESCRIPTOR, 5),
        (Struct.DESCRIPTOR, 5),
    ):
        with pytest.raises(ValueError, match=request.full_name):
            RequestLimits(request, most_items)
