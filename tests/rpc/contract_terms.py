"""Terms that the tests of the contract share."""

from frostgate.v1.policy_pb2 import FreezeState
from support.calls import Calls

NORMAL = FreezeState.FREEZE_STATE_NORMAL


ACCOUNT_FROZEN = FreezeState.FREEZE_STATE_ACCOUNT_FROZEN


RESOURCES_FROZEN = FreezeState.FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN


def revision(calls: Calls) -> int:
    return calls.check(customer_id="nobody").revision
