"""Escapes untrusted text, for a line of a log or of a file."""


def on_one_line(text: str) -> str:
    """The text with escapes for characters that end a line, move the cursor, or cannot be encoded."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
