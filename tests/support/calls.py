"""Calls of a server for tests: only the necessary fields, and refusals as values."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import grpc
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.v1.partner_pb2 import Partner
from frostgate.v1.policy_pb2 import BillingMode, FreezeScope, Operation
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc.error_details_pb2 import BadRequest
from support.processes import PATIENCE
from support.server_process import Connection
from support.statuses import error_info, status_of

_numbers = count()

ACCOUNT = FreezeScope.FREEZE_SCOPE_ACCOUNT
RESOURCES = FreezeScope.FREEZE_SCOPE_ACCOUNT_AND_RESOURCES


class Refusal(NamedTuple):
    """A call that failed: its code, its ErrorInfo, and the description of each invalid field."""

    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str]
    violations: dict[str, str]
    message: str


def new_id() -> str:
    """An id that no other test uses."""
    return f"id-{next(_numbers)}"


def refusal(call: Callable[[], Any]) -> Refusal:
    """Makes a call that must fail with one of frostgate's own errors."""
    try:
        answer = call()
    except grpc.RpcError as error:
        code, status = status_of(error)
        info = error_info(status)
        assert status.code == code.value[0]
        return Refusal(code, info.reason, dict(info.metadata), _violations(status.details), status.message)
    raise AssertionError(f"not refused, but {answer}")


def outcome_of(future: Any) -> str:
    """The reason of a refusal, or OK."""
    error = future.exception()
    if error is None:
        return "OK"
    code, status = status_of(error)
    reason = str(error_info(status).reason)
    if reason == "OVERLOADED":
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert any(detail.type_url.endswith("google.rpc.RetryInfo") for detail in status.details)
    return reason


def _violations(details: Any) -> dict[str, str]:
    bad = BadRequest()
    if not any(detail.Unpack(bad) for detail in details):
        return {}
    assert len({violation.field for violation in bad.field_violations}) == len(bad.field_violations)
    return {violation.field: violation.description for violation in bad.field_violations}


class Calls:
    """The calls, with defaults for most fields. Each takes fields of the request by name."""

    def __init__(self, server: Connection) -> None:
        """Takes a connection to the server."""
        self._server = server

    def new_customer(self, state: str = "ACCOUNT_FROZEN") -> str:
        """Associates a customer and brings it into a state."""
        customer_id = new_id()
        self.associate(customer_id=customer_id)
        if state == "NORMAL":
            self.unfreeze(customer_id=customer_id)
        if state == "ACCOUNT_AND_RESOURCES_FROZEN":
            self.freeze(customer_id=customer_id, scope=RESOURCES)
        return customer_id

    def associate(self, **fields: Any) -> pb.AssociateCustomerResponse:
        """AssociateCustomer."""
        request = pb.AssociateCustomerRequest(**{"partner_id": "partner", **fields})
        return self._server.freezes.AssociateCustomer(request, timeout=PATIENCE)

    def disassociate(self, **fields: Any) -> pb.DisassociateCustomerResponse:
        """DisassociateCustomer."""
        request = pb.DisassociateCustomerRequest(**{"reason": "gone", **fields})
        return self._server.freezes.DisassociateCustomer(request, timeout=PATIENCE)

    def freeze(self, **fields: Any) -> pb.FreezeCustomerResponse:
        """FreezeCustomer."""
        request = pb.FreezeCustomerRequest(**{"scope": ACCOUNT, "reason": "unpaid", **fields})
        return self._server.freezes.FreezeCustomer(request, timeout=PATIENCE)

    def unfreeze(self, **fields: Any) -> pb.UnfreezeCustomerResponse:
        """UnfreezeCustomer."""
        request = pb.UnfreezeCustomerRequest(**{"scope": ACCOUNT, "reason": "paid", **fields})
        return self._server.freezes.UnfreezeCustomer(request, timeout=PATIENCE)

    def batch_freeze(self, **fields: Any) -> pb.BatchFreezeCustomersResponse:
        """BatchFreezeCustomers."""
        request = pb.BatchFreezeCustomersRequest(**{"scope": ACCOUNT, "reason": "unpaid", **fields})
        return self._server.freezes.BatchFreezeCustomers(request, timeout=PATIENCE)

    def batch_unfreeze(self, **fields: Any) -> pb.BatchUnfreezeCustomersResponse:
        """BatchUnfreezeCustomers."""
        request = pb.BatchUnfreezeCustomersRequest(**{"scope": ACCOUNT, "reason": "paid", **fields})
        return self._server.freezes.BatchUnfreezeCustomers(request, timeout=PATIENCE)

    def get(self, customer_id: str) -> pb.GetCustomerResponse:
        """GetCustomer."""
        return self._server.freezes.GetCustomer(pb.GetCustomerRequest(customer_id=customer_id), timeout=PATIENCE)

    def list(self, **fields: Any) -> pb.ListCustomersResponse:
        """ListCustomers."""
        request = pb.ListCustomersRequest(**{"partner_id": "partner", **fields})
        return self._server.freezes.ListCustomers(request, timeout=PATIENCE)

    def events(self, **fields: Any) -> pb.ListFreezeEventsResponse:
        """ListFreezeEvents."""
        return self._server.freezes.ListFreezeEvents(pb.ListFreezeEventsRequest(**fields), timeout=PATIENCE)

    def get_partner(self, partner_id: str) -> Partner:
        """GetPartner."""
        return self._server.freezes.GetPartner(pb.GetPartnerRequest(partner_id=partner_id), timeout=PATIENCE).partner

    def update_partner(self, partner_id: str, code: str = "", **fields: Any) -> Partner:
        """UpdatePartner, with the named fields in the mask."""
        request = pb.UpdatePartnerRequest(
            partner=Partner(partner_id=partner_id, **fields),
            update_mask=FieldMask(paths=list(fields)),
            verification_code=code,
        )
        return self._server.freezes.UpdatePartner(request, timeout=PATIENCE).partner

    def send_code(self, partner_id: str, action: Any, *customer_ids: str, scope: Any = None) -> Any:
        """SendVerificationCode."""
        request = pb.SendVerificationCodeRequest(
            partner_id=partner_id, action=action, customer_ids=customer_ids, scope=scope
        )
        return self._server.freezes.SendVerificationCode(request, timeout=PATIENCE)

    def check(self, **fields: Any) -> decisions_pb.CheckOperationResponse:
        """CheckOperation."""
        return self._server.decisions.CheckOperation(check_of(**fields), timeout=PATIENCE)

    def batch_check(self, checks: Any, **fields: Any) -> decisions_pb.BatchCheckOperationsResponse:
        """BatchCheckOperations."""
        request = decisions_pb.BatchCheckOperationsRequest(checks=checks, **fields)
        return self._server.decisions.BatchCheckOperations(request, timeout=PATIENCE)

    def rules(self) -> decisions_pb.ListRulesResponse:
        """ListRules."""
        return self._server.decisions.ListRules(decisions_pb.ListRulesRequest(), timeout=PATIENCE)


def check_of(**fields: Any) -> decisions_pb.CheckOperationRequest:
    """A check. The default is viewing a spot instance."""
    defaults = {"operation": Operation.OPERATION_VIEW, "billing_mode": BillingMode.BILLING_MODE_SPOT}
    return decisions_pb.CheckOperationRequest(**{**defaults, **fields})
