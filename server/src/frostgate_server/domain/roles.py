"""The roles of callers. The method table, `rpc.methods`, has the roles of each method."""

from enum import StrEnum


class Role(StrEnum):
    """A role of a caller, as the configuration file names it."""

    PARTNER_CENTER = "partner-center"
    CONTROL_PLANE = "control-plane"
    AUDITOR = "auditor"
    OPERATOR = "operator"
