"""The roles of callers. Which methods a role may call is in the method table, `rpc.methods`."""

from enum import StrEnum


class Role(StrEnum):
    """What a caller is to the server, in the words of the configuration file."""

    PARTNER_CENTER = "partner-center"
    CONTROL_PLANE = "control-plane"
    AUDITOR = "auditor"
    OPERATOR = "operator"
