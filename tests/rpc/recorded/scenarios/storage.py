"""A database with a damaged row."""

from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.policy_decision_service_pb2 import BatchCheckOperationsRequest, CheckOperationRequest
from frostgate.v1.policy_pb2 import BillingMode, Operation
from rpc.recorded.scenarios.common import (
    NOW,
    RESOURCES,
    associate,
    batch_freeze,
    batch_unfreeze,
    disassociate,
    freeze,
    unfreeze,
)
from support.recordings.wire_recording import Recorder

_DAMAGE = "UPDATE customers SET freeze_state = 1 WHERE customer_id = 'damaged'"
_SPOT: dict[str, Any] = {
    "operation": Operation.OPERATION_PURCHASE,
    "billing_mode": BillingMode.BILLING_MODE_SPOT,
}


def storage(wire: Recorder) -> None:
    """Calls that read a row whose checksum does not match, and calls that read other rows only."""
    with wire.run(NOW):
        wire.call(associate("damaged"))
        wire.call(associate("sound"))
    with wire.run(NOW, sql=[_DAMAGE]):
        for customer_id in ("damaged", "sound"):
            check = CheckOperationRequest(customer_id=customer_id, **_SPOT)
            wire.call(check)
            wire.call(BatchCheckOperationsRequest(checks=[check]))
            wire.call(pb.GetCustomerRequest(customer_id=customer_id))
            wire.call(freeze(customer_id, RESOURCES, validate_only=True))
            wire.call(freeze(customer_id, RESOURCES))
            wire.call(unfreeze(customer_id, RESOURCES))
            wire.call(batch_freeze([customer_id]))
            wire.call(batch_unfreeze([customer_id]))
            wire.call(pb.ListFreezeEventsRequest(customer_id=customer_id))
        wire.call(batch_freeze(["sound", "damaged"]))
        wire.call(pb.ListCustomersRequest(partner_id="north"))
        wire.call(disassociate("damaged"))
        wire.call(associate("damaged"))
        wire.call(disassociate("sound"))
        wire.call(associate("new"))
