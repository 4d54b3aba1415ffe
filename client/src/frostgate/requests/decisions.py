"""The calls of PolicyDecisionService."""

from collections.abc import Iterable

from frostgate import models, parsing
from frostgate.enums import BillingMode, Operation
from frostgate.v1 import policy_decision_service_pb2 as decisions_pb
from frostgate.wire_enum import number_to_send

from .call import Call, list_of

_SERVICE = "/frostgate.v1.PolicyDecisionService/"


def check_operation(
    customer_id: str,
    operation: Operation,
    billing_mode: BillingMode,
    resource_id: str | None,
    minimum_revision: int | None,
) -> Call[models.Decision]:
    """CheckOperation."""
    request = decisions_pb.CheckOperationRequest(
        customer_id=customer_id,
        operation=number_to_send("operation", operation, Operation),
        billing_mode=number_to_send("billing_mode", billing_mode, BillingMode),
        resource_id=resource_id,
        minimum_revision=minimum_revision,
    )
    return Call(_SERVICE + "CheckOperation", request, decisions_pb.CheckOperationResponse, parsing.decision)


def batch_check_operations(checks: Iterable[models.Check], minimum_revision: int | None) -> Call[models.BatchDecisions]:
    """BatchCheckOperations."""
    requests = [
        decisions_pb.CheckOperationRequest(
            customer_id=check.customer_id,
            operation=number_to_send(f"checks[{place}].operation", check.operation, Operation),
            billing_mode=number_to_send(f"checks[{place}].billing_mode", check.billing_mode, BillingMode),
            resource_id=check.resource_id,
        )
        for place, check in enumerate(list_of("checks", checks, models.Check))
    ]
    return Call(
        _SERVICE + "BatchCheckOperations",
        decisions_pb.BatchCheckOperationsRequest(checks=requests, minimum_revision=minimum_revision),
        decisions_pb.BatchCheckOperationsResponse,
        parsing.batch_decisions,
    )


def list_rules() -> Call[models.Policy]:
    """ListRules."""
    return Call(_SERVICE + "ListRules", decisions_pb.ListRulesRequest(), decisions_pb.ListRulesResponse, parsing.policy)
