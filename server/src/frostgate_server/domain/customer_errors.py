"""The errors of customers and partners. All are FrostgateErrors."""

from .errors import Aborted, AlreadyExists, FailedPrecondition, NotFound


class CustomerNotFound(NotFound):
    """No such customer."""

    reason = "CUSTOMER_NOT_FOUND"
    template = "Customer {customer_id} is not associated with any partner."


class PartnerNotFound(NotFound):
    """No such partner."""

    reason = "PARTNER_NOT_FOUND"
    template = "Partner {partner_id} is not known: a partner exists from its first customer or update on."


class CustomerAlreadyAssociated(AlreadyExists):
    """The customer has a partner already."""

    reason = "CUSTOMER_ALREADY_ASSOCIATED"
    template = "Customer {customer_id} is already associated with a partner."


class AlreadyFrozen(FailedPrecondition):
    """The scope is frozen already."""

    reason = "ALREADY_FROZEN"
    template = "Customer {customer_id} is already frozen: its state is {freeze_state}."


class NotFrozen(FailedPrecondition):
    """Nothing is frozen."""

    reason = "NOT_FROZEN"
    template = "Customer {customer_id} is not frozen."


class ScopeMismatch(FailedPrecondition):
    """The customer is frozen with another scope."""

    reason = "SCOPE_MISMATCH"
    template = "Customer {customer_id} is frozen with scope {frozen_scope}: it cannot be unfrozen with scope {scope}."


class RevisionMismatch(Aborted):
    """The customer is at another revision than the caller expects."""

    reason = "REVISION_MISMATCH"
    template = "Customer {customer_id} is at revision {revision}, not at the expected_revision {expected_revision}."
