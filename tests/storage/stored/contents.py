"""The calls that fill the stored database."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.partner_pb2 import (
    VERIFICATION_ACTION_FREEZE,
    VERIFICATION_ACTION_UPDATE_PARTNER,
    Partner,
)
from frostgate.v1.policy_pb2 import (
    FREEZE_SCOPE_ACCOUNT,
    FREEZE_SCOPE_ACCOUNT_AND_RESOURCES,
    FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN,
    FREEZE_STATE_ACCOUNT_FROZEN,
)
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from support.recordings.clocked_server import ClockedServer
from support.recordings.raw_calls import full_name, message_of, method_of, reason_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(days=20)
"""Resources that are frozen then are past their retention period at NOW."""

OPERATOR, CENTER, AUDITOR, PLANE = "sub:operator", "sub:partner-center", "sub:auditor", "sub:control-plane"
CALLERS: list[dict[str, Any]] = [
    {"principal": OPERATOR, "role": "operator"},
    {"principal": CENTER, "role": "partner-center", "partners": ["north", "south"]},
    {"principal": AUDITOR, "role": "auditor"},
    {"principal": PLANE, "role": "control-plane"},
]

_ACCOUNT = FREEZE_SCOPE_ACCOUNT
_RESOURCES = FREEZE_SCOPE_ACCOUNT_AND_RESOURCES
_UNPAID = "Zahlung überfällig – 期限切れ 🧊"
_LONGEST = "é" * 254 + "🧊☂"
_PAID = 'Paid: "100 %" \\ ¾'
_BATCH = ["south-2", "south-3"]

Entry = dict[str, Any]


def encoded(content: bytes) -> str:
    """Bytes in base64, as JSON has them."""
    return base64.b64encode(content).decode()


class Contents:
    """Makes calls, and collects what a replay needs."""

    def __init__(self) -> None:
        """Starts with nothing."""
        self.kept: list[Entry] = []
        self.pages: list[Entry] = []
        self.code: Entry = {}

    def fill_before(self, server: ClockedServer) -> None:
        """Makes the calls at BEFORE: customers past their retention period, and a partner with codes enabled."""
        self._server = server
        for number in range(1, 9):
            self._done(OPERATOR, pb.AssociateCustomerRequest(customer_id=f"north-{number}", partner_id="north"))
        for number in range(1, 4):
            self._done(OPERATOR, _freeze(f"north-{number}", _RESOURCES, "unpaid"))
        self._done(OPERATOR, _update("east", enabled=True, contact="codes@east.example.org"))

    def fill_now(self, server: ClockedServer) -> None:
        """Makes the calls at NOW."""
        self._server = server
        self._change_partners()
        self._change_customers()
        self._change_batches()
        self._read_pages()
        self._be_refused()

    def _change_partners(self) -> None:
        """Disables the codes of one partner and enables those of another. Leaves a code that is sent, but not used."""
        self._done(OPERATOR, pb.SendVerificationCodeRequest(partner_id="east", action=_UPDATE))
        self._done(OPERATOR, _update("east", enabled=False, code=self._server.sent_code()))
        self._keep(OPERATOR, pb.AssociateCustomerRequest(customer_id="east-1", partner_id="east"))
        for number in range(1, 4):
            self._keep(CENTER, pb.AssociateCustomerRequest(customer_id=f"south-{number}", partner_id="south"))
        self._done(CENTER, _update("south", enabled=True, contact="Head.Of-South+codes@south.example.org"))
        self._done(CENTER, _send(_RESOURCES, ["south-1"]))
        self._keep(CENTER, _freeze("south-1", _RESOURCES, _UNPAID, verification_code=self._server.sent_code()))
        self._done(CENTER, _send(_RESOURCES, _BATCH))
        self.code = {
            "caller": CENTER,
            "partner_id": "south",
            "action": "VERIFICATION_ACTION_FREEZE",
            "customer_ids": _BATCH,
            "scope": "FREEZE_SCOPE_ACCOUNT_AND_RESOURCES",
            "code": self._server.sent_code(),
        }

    def _change_customers(self) -> None:
        """Makes an event of every kind."""
        self._keep(CENTER, _freeze("north-4", _RESOURCES, _UNPAID))
        self._keep(CENTER, _unfreeze("north-4", _RESOURCES, _PAID))
        self._keep(CENTER, _freeze("north-4", _ACCOUNT, _LONGEST))
        self._keep(OPERATOR, _unfreeze("north-5", _ACCOUNT, "paid"))
        self._keep(OPERATOR, _freeze("north-5", _RESOURCES, f"  {_UNPAID}\n"))
        self._keep(CENTER, _unfreeze("north-6", _ACCOUNT, _LONGEST))
        self._keep(CENTER, pb.DisassociateCustomerRequest(customer_id="north-6", reason=_LONGEST))
        self._keep(OPERATOR, pb.AssociateCustomerRequest(customer_id="north-6", partner_id="north"))
        self._keep(OPERATOR, pb.DisassociateCustomerRequest(customer_id="east-1", reason="moved"))
        self._keep(OPERATOR, pb.AssociateCustomerRequest(customer_id="east-1", partner_id="east"))
        self._done(OPERATOR, _unfreeze("north-7", _ACCOUNT, "paid"))
        self._done(OPERATOR, _unfreeze("north-8", _ACCOUNT, "paid"))

    def _change_batches(self) -> None:
        """Makes batches with a refusal of every kind in them."""
        self._keep(OPERATOR, _batch_freeze(["north-7", "north-4", "nobody", "north-1"], _ACCOUNT, _UNPAID))
        self._keep(OPERATOR, _batch_unfreeze(["north-8", "nobody", "north-1", "north-7"], _ACCOUNT, _PAID))
        self._keep(CENTER, _batch_freeze(["north-8", "east-1", "nobody"], _RESOURCES, _LONGEST))
        self._keep(CENTER, _batch_unfreeze(["nobody", "north-8", "east-1", "north-4"], _RESOURCES, "paid"))
        self._keep(CENTER, _batch_unfreeze(["east-1"], _ACCOUNT, "paid"))

    def _read_pages(self) -> None:
        """Reads two pages of listings with every filter."""
        frozen, account = FREEZE_STATE_ACCOUNT_AND_RESOURCES_FROZEN, FREEZE_STATE_ACCOUNT_FROZEN
        customers = pb.ListCustomersRequest(partner_id="north", page_size=2)
        self._page(OPERATOR, customers)
        self._page(CENTER, customers)
        self._page(CENTER, customers, freeze_state=account, page_size=1)
        self._page(CENTER, customers, retention_expired=False)
        self._page(AUDITOR, customers, retention_expired=True)
        self._page(AUDITOR, customers, freeze_state=frozen, retention_expired=True)
        events = pb.ListFreezeEventsRequest(page_size=3)
        start, end = {"seconds": int(BEFORE.timestamp()), "nanos": 1}, {"seconds": int(NOW.timestamp()), "nanos": 1000}
        self._page(OPERATOR, events)
        self._page(CENTER, events)
        self._page(CENTER, events, partner_id="south")
        self._page(OPERATOR, events, customer_id="north-4", page_size=1)
        self._page(AUDITOR, events, after_revision=7)
        self._page(AUDITOR, events, start_time=start)
        self._page(AUDITOR, events, end_time=end)
        filters = {"partner_id": "north", "after_revision": 2, "start_time": start, "end_time": end}
        self._page(AUDITOR, events, customer_id="north-4", page_size=1, **filters)

    def _be_refused(self) -> None:
        """Makes calls whose refusals are written to the audit log."""
        wrong = _batch_freeze(_BATCH, _RESOURCES, "unpaid")
        wrong.verification_code = "not this"
        self._refused(CENTER, wrong, "VERIFICATION_CODE_INVALID")
        self._refused(PLANE, pb.GetCustomerRequest(customer_id="north-1"), "PERMISSION_DENIED")
        self._refused(CENTER, pb.GetCustomerRequest(customer_id="east-1"), "PARTNER_MISMATCH")

    def _keep(self, caller: str, request: Any) -> None:
        """Makes a change with a request id."""
        number = len(self.kept) + 1
        # Upper and lower case are the same request id.
        request.request_id = f"{number:08d}-CAFE-4000-8000-00000000Beef"
        answer = self._done(caller, request)
        self.kept.append({"caller": caller, **_described(request), "response": encoded(answer)})

    def _page(self, caller: str, request: Any, **filters: Any) -> None:
        """Reads the first page and the next one."""
        request = type(request)(**{**{field.name: value for field, value in request.ListFields()}, **filters})
        entry = {"caller": caller, **_described(request)}
        first = self._done(caller, request)
        request.page_token = message_of(method_of(request), "OK", first).next_page_token
        assert request.page_token, request
        entry |= {"response": encoded(first), "next_page_token": request.page_token}
        self.pages.append({**entry, "next_response": encoded(self._done(caller, request))})

    def _done(self, caller: str, request: Message) -> bytes:
        answer = self._server.call(request, caller)
        assert answer.is_ok, (request, answer)
        return answer.content

    def _refused(self, caller: str, request: Message, reason: str) -> None:
        assert reason_of(self._server.call(request, caller)) == reason


_UPDATE = VERIFICATION_ACTION_UPDATE_PARTNER


def _described(request: Message) -> Entry:
    return {"method": full_name(method_of(request)), "request": encoded(request.SerializeToString())}


def _freeze(customer_id: str, scope: Any, reason: str, **fields: Any) -> pb.FreezeCustomerRequest:
    return pb.FreezeCustomerRequest(customer_id=customer_id, scope=scope, reason=reason, **fields)


def _unfreeze(customer_id: str, scope: Any, reason: str) -> pb.UnfreezeCustomerRequest:
    return pb.UnfreezeCustomerRequest(customer_id=customer_id, scope=scope, reason=reason)


def _batch_freeze(customer_ids: list[str], scope: Any, reason: str) -> pb.BatchFreezeCustomersRequest:
    return pb.BatchFreezeCustomersRequest(customer_ids=customer_ids, scope=scope, reason=reason)


def _batch_unfreeze(customer_ids: list[str], scope: Any, reason: str) -> pb.BatchUnfreezeCustomersRequest:
    return pb.BatchUnfreezeCustomersRequest(customer_ids=customer_ids, scope=scope, reason=reason)


def _update(partner_id: str, *, enabled: bool, contact: str = "", code: str = "") -> pb.UpdatePartnerRequest:
    paths = ["verification_code_enabled", *(["verification_contact"] if contact else [])]
    partner = Partner(partner_id=partner_id, verification_code_enabled=enabled, verification_contact=contact)
    return pb.UpdatePartnerRequest(partner=partner, update_mask=FieldMask(paths=paths), verification_code=code)


def _send(scope: Any, customer_ids: list[str]) -> pb.SendVerificationCodeRequest:
    return pb.SendVerificationCodeRequest(
        partner_id="south", action=VERIFICATION_ACTION_FREEZE, customer_ids=customer_ids, scope=scope
    )
