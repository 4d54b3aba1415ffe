"""Limits on the number of fields in a request. They are counted in its bytes, before the message is parsed.

Each object of a parsed message costs memory and time, and two bytes of a repeated field become one object. Other fields
are cheap: the parser takes 2 ns for a field whose value replaces an earlier one or is not known.
"""

from google.protobuf.descriptor import Descriptor

from frostgate_server.domain.errors import FieldViolation, InvalidFields

from .field_validation import LARGEST_BATCH, describe_batch_size

MOST_FIELDS = 64
"""The most fields that a request may have besides its items. Fields in the lists of its messages count too. No request
needs more than ten."""

MOST_ITEMS_COUNTED = 2 * LARGEST_BATCH
"""The largest number of items up to which items are counted."""

_SMALLEST_FIELD = 2
"""The smallest size of a field, in bytes: one for the tag, one for the value."""

_LONGEST_VARINT = 10
"""The largest size of a varint, in bytes."""

_NO_TAG = -1

_VARINT, _FIXED_64, _DELIMITED, _GROUP_START, _GROUP_END, _FIXED_32 = range(6)
"""The last three bits of a tag: how the value is encoded."""

_FIXED_SIZES = {_FIXED_64: 8, _FIXED_32: 4, _GROUP_START: 0, _GROUP_END: 0}
"""The sizes of values, in bytes. The fields of a group follow its start like other fields."""

_GROUP_DEPTHS = {_GROUP_START: 1, _GROUP_END: -1}


class _Malformed(Exception):
    """The bytes are not a message. The parser refuses them too, with its own error."""


class RequestLimits:
    """The limits of one kind of request. Items are the values of its repeated field, if it has one."""

    def __init__(self, request: Descriptor, most_items: int = 0) -> None:
        """A request may have up to `most_items` items, which is at most MOST_ITEMS_COUNTED.

        Raises ValueError for a kind of request with repeated fields that are not counted.
        """
        repeated = [field for field in request.fields if field.is_repeated]
        if len(repeated) != (1 if most_items else 0) or most_items > MOST_ITEMS_COUNTED:
            raise ValueError(f"{request.full_name} has {len(repeated)} repeated fields and at most {most_items} items")
        messages = {field.number: field.message_type for field in request.fields if field.message_type is not None}
        lists = {number for number, message in messages.items() if any(field.is_repeated for field in message.fields)}
        if any(field.message_type is not None for message in messages.values() for field in message.fields):
            raise ValueError(f"{request.full_name} has messages within messages, whose fields are not counted")
        if any(field.number in lists for field in repeated):
            raise ValueError(f"{request.full_name} has lists within its items, which are not counted")
        self._most_items = most_items
        self._item_name = repeated[0].name if repeated else ""
        self._item_tag = _delimited_tag(repeated[0].number) if repeated else _NO_TAG
        self._list_tags = {_delimited_tag(number) for number in lists}

    def ensure_met(self, serialized: bytes) -> None:
        """Raises InvalidFields if a request has too many items or too many other fields. Malformed bytes pass."""
        if len(serialized) <= _SMALLEST_FIELD * MOST_FIELDS:
            return
        try:
            items = self._count_items(serialized)
        except (_Malformed, IndexError):
            return
        if items > self._most_items:
            has = items if items <= MOST_ITEMS_COUNTED else f"more than {MOST_ITEMS_COUNTED}"
            raise InvalidFields([FieldViolation(self._item_name, describe_batch_size(LARGEST_BATCH, has))])

    def _count_items(self, serialized: bytes) -> int:
        """The number of items, at most MOST_ITEMS_COUNTED + 1. Raises InvalidFields for too many other fields."""
        items = others = depth = at = 0
        while True:
            if not depth:
                at, items = self._skip_items(serialized, at, items)
            if at >= len(serialized) or items > MOST_ITEMS_COUNTED:
                break
            tag, start, at = _read_field(serialized, at)
            depth += _GROUP_DEPTHS.get(tag & 7, 0)
            if tag == self._item_tag and not depth:
                items += 1
                continue
            others += 1
            if tag in self._list_tags:
                others += _count_fields(serialized, start, at)
            if others > MOST_FIELDS:
                raise InvalidFields([FieldViolation("request", f"must have at most {MOST_FIELDS} fields but has more")])
        if at > len(serialized):
            raise _Malformed
        return items

    def _skip_items(self, serialized: bytes, at: int, items: int) -> tuple[int, int]:
        """Skips and counts the items that begin here, as long as their sizes take one or two bytes.

        It is a faster way for the usual case of the loop above.
        """
        tag, end, most = self._item_tag, len(serialized), MOST_ITEMS_COUNTED
        while at < end and serialized[at] == tag and items <= most:
            size = serialized[at + 1]
            if size < 0x80:
                at += 2 + size
            elif (high := serialized[at + 2]) < 0x80:
                at += 3 + (size & 0x7F | high << 7)
            else:
                break
            items += 1
        return at, items


def _delimited_tag(number: int) -> int:
    return number << 3 | _DELIMITED


def _count_fields(serialized: bytes, at: int, end: int) -> int:
    """The number of fields between two places, at most MOST_FIELDS + 1."""
    count = 0
    while at < end and count <= MOST_FIELDS:
        _, _, at = _read_field(serialized, at)
        count += 1
    if at > end:
        raise _Malformed
    return count


def _read_field(serialized: bytes, at: int) -> tuple[int, int, int]:
    """The tag of the field that begins here, and where its value begins and ends. Raises _Malformed, IndexError."""
    tag, start = _read_varint(serialized, at)
    kind = tag & 7
    if kind == _DELIMITED:
        size, start = _read_varint(serialized, start)
        return tag, start, start + size
    if kind == _VARINT:
        return tag, start, _read_varint(serialized, start)[1]
    if kind in _FIXED_SIZES:
        return tag, start, start + _FIXED_SIZES[kind]
    raise _Malformed


def _read_varint(serialized: bytes, at: int) -> tuple[int, int]:
    """The number that begins here, seven bits a byte, the lowest first; and where it ends."""
    number = shift = 0
    for end in range(at + 1, at + 1 + _LONGEST_VARINT):
        byte = serialized[end - 1]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, end
        shift += 7
    raise _Malformed
