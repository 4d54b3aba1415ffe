"""The decision table, typed a second time from the source page, cell by cell, independently of the policy file.

"Freezing a Customer", HUAWEI CLOUD Partner Center, updated on 2024-09-03:

    Operations on yearly/monthly cloud services
        supported:     Unsubscribing from resources; Modifying resource names
        not supported: Purchasing resources; Modifying specifications; Renewing subscription to resources;
                       Changing yearly/monthly resources to pay-per-use resources; Operations on resources;
                       Deleting resources
    Operations on pay-per-use cloud services (operations on pay-per-use instances and spot instances)
        supported:     Modifying resource names; Viewing resource information
        not supported: Purchasing resources; Modifying specifications; Changing pay-per-use resources to
                       yearly/monthly resources; Operations on resources; Deleting resources

Each word stands for a cell: the first letter is the decision, Allow or Deny; the second its basis, Listed, Prose or
Silent; "--" is a cell that does not exist. Columns: YEARLY_MONTHLY, PAY_PER_USE, SPOT.
"""

from typing import NamedTuple

MODES = ("YEARLY_MONTHLY", "PAY_PER_USE", "SPOT")

_TABLE = {
    "NORMAL": """
        PURCHASE                 AP AP AP
        RENEW                    AP -- --
        UNSUBSCRIBE              AP -- --
        MODIFY_SPECIFICATIONS    AP AP AP
        CHANGE_TO_PAY_PER_USE    AP -- --
        CHANGE_TO_YEARLY_MONTHLY -- AP AP
        RENAME                   AP AP AP
        VIEW                     AP AP AP
        OPERATE                  AP AP AP
        DELETE                   AP AP AP
        ACCESS                   AP AP AP
    """,
    "ACCOUNT_FROZEN": """
        PURCHASE                 DL DL DL
        RENEW                    DL -- --
        UNSUBSCRIBE              AL -- --
        MODIFY_SPECIFICATIONS    DL DL DL
        CHANGE_TO_PAY_PER_USE    DL -- --
        CHANGE_TO_YEARLY_MONTHLY -- DL DL
        RENAME                   AL AL AL
        VIEW                     DS AL AL
        OPERATE                  DL DL DL
        DELETE                   DL DL DL
        ACCESS                   AP AP AP
    """,
    "ACCOUNT_AND_RESOURCES_FROZEN": """
        PURCHASE                 DP DP DP
        RENEW                    DP -- --
        UNSUBSCRIBE              DS -- --
        MODIFY_SPECIFICATIONS    DP DP DP
        CHANGE_TO_PAY_PER_USE    DP -- --
        CHANGE_TO_YEARLY_MONTHLY -- DP DP
        RENAME                   DP DP DP
        VIEW                     DP DP DP
        OPERATE                  DP DP DP
        DELETE                   DS DS DS
        ACCESS                   DP DP DP
    """,
}

_DECISIONS = {"A": "ALLOW", "D": "DENY"}
_BASES = {"L": "LISTED", "P": "PROSE", "S": "SILENT"}


class Expected(NamedTuple):
    """The answer to a check of a cell."""

    decision: str
    reason: str
    basis: str


Place = tuple[str, str, str]
"""Freeze state, billing mode, operation."""


def _reason(state: str, decision: str) -> str:
    if state == "NORMAL":
        return "CUSTOMER_NORMAL"
    if decision == "ALLOW":
        return "OPERATION_SUPPORTED"
    return {"ACCOUNT_FROZEN": "ACCOUNT_FROZEN", "ACCOUNT_AND_RESOURCES_FROZEN": "RESOURCES_FROZEN"}[state]


def _all_places() -> dict[Place, Expected | None]:
    places: dict[Place, Expected | None] = {}
    for state, text in _TABLE.items():
        for line in text.split("\n")[1:-1]:
            operation, *words = line.split()
            for mode, word in zip(MODES, words, strict=True):
                decision = _DECISIONS.get(word[0], "")
                expected = Expected(decision, _reason(state, decision), _BASES[word[1]]) if decision else None
                places[state, mode, operation] = expected
    return places


ALL_PLACES = _all_places()
"""Every state, mode and operation. None: the operation does not exist for the mode."""

CELLS = {place: expected for place, expected in ALL_PLACES.items() if expected is not None}
NO_CELLS = [place for place, expected in ALL_PLACES.items() if expected is None]
