"""The report of the background check: when the last pass ended, and the inconsistencies that it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of the last pass of the background check.

    `last_pass_time` is the end of the last complete pass, in ISO 8601, UTC. It is None before the first one.
    `last_pass_seconds` is its duration, and `rows` counts the rows and index entries that it read.

    `findings` counts inconsistencies, and `examples` are some of them: of the last pass, or, once a new pass has found
    a new suspect, of that pass so far. `suspects` are the customers whose requests fail, each with the reason.
    """

    last_pass_time: str | None = None
    last_pass_seconds: float = 0.0
    rows: int = 0
    findings: int = 0
    examples: tuple[str, ...] = ()
    suspects: Mapping[str, str] = field(default_factory=dict)
