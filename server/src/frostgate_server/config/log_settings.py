"""Settings: the log."""

from dataclasses import dataclass

from .definition import setting
from .kinds import Choice
from .limit_settings import LimitSettings


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
