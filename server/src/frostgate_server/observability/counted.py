"""Numbers with their nouns, for messages."""


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, such as "1 event" or "2 events". `many` is the plural; empty: `one` with an s."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
