"""Fields of the lines of the log. The JSON format shows them as members, beside the message."""


def fields(**values: object) -> dict[str, object]:
    """The `extra` of a log record. Values that are None or empty are left out."""
    return {name: value for name, value in values.items() if value is not None and value != ""}
