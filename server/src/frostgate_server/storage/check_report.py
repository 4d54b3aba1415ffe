"""The report of the background check of a record: when the last pass ended, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CheckReport:
    """`last_pass_time` is when a pass ended last, in ISO 8601, UTC; None if none has. `last_pass_seconds` is how long
    it took, and `rows` how many rows and index entries it read.

    `findings` counts what did not fit in the last pass and in the one under way, and `examples` are some of it.
    `suspects` are the customers that are not answered, each with the reason.
    """

    last_pass_time: str | None = None
    last_pass_seconds: float = 0.0
    rows: int = 0
    findings: int = 0
    examples: tuple[str, ...] = ()
    suspects: Mapping[str, str] = field(default_factory=dict)
