"""Settings: the log and the decision log."""

from dataclasses import dataclass

from .definition import setting
from .kinds import Choice, Fraction, Number, OutputFile, Size, Switch
from .limit_settings import LimitSettings

_MIB = 1024**2

BLOCK = "block"
"""The value of decision_log_when_full with which no answer is sent without its record."""


@dataclass(frozen=True, slots=True)
class LogSettings(LimitSettings):
    """The settings after those of limits, in the order of the documentation."""

    log_level: str = setting(
        "info",
        Choice("debug", "info", "warning", "error"),
        "The level of the log on stderr: debug (each answered CheckOperation), info, warning or error.",
    )
    log_format: str = setting(
        "text",
        Choice("text", "json"),
        "The format of the log on stderr: text for people, or json, one object a line.",
    )
    decision_log: str = setting(
        "",
        OutputFile(),
        "The target of the decision log, with one line of JSON for each decision: a file that lines are appended to, "
        "or - for stdout. Empty: no decision log.",
    )
    decision_log_sample: float = setting(
        1.0,
        Fraction(),
        "The share of decisions that are recorded, 0 to 1. They are chosen at random.",
    )
    decision_log_denials_only: bool = setting(
        False,
        Switch(),
        "Record denials only. With --decision-log-sample, a share of the denials.",
    )
    decision_log_when_full: str = setting(
        "drop",
        Choice("drop", BLOCK),
        "The effect of a full queue of records, 4 MiB in each worker. drop: records are lost, and the number of lost "
        "records is logged. block: a check waits for at most 1 s and not beyond its deadline. Then it fails with "
        "OVERLOADED, so that no answer is sent without its record.",
    )
    decision_log_max_size: int = setting(
        100 * _MIB,
        Size(_MIB, 1024 * 1024 * _MIB),
        "The size at which the file of the decision log is rotated, such as 100MiB: FILE becomes FILE.1.",
    )
    decision_log_keep: int = setting(
        10,
        Number(1, 1000),
        "The number of rotated files that are kept, FILE.1 to FILE.N. Older ones are deleted.",
    )
