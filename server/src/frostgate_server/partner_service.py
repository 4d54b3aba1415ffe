"""The use cases on partners: who gets verification codes, and the sending of one. Knows no transport and no SQL."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from .audit import AuditNote
from .caller import Caller
from .code_gate import CodeGate, NewCode, Plan, utc_now
from .codes import Purpose
from .errors import (
    CallerGone,
    PartnerNotFound,
    VerificationCodeNotSent,
    VerificationNotConfigured,
    VerificationNotEnabled,
)
from .partners import Partner, PartnerUpdate, masked, updated
from .store import Store, Transaction
from .vocabulary import VerificationAction


class Mailer(Protocol):
    """Brings codes to those who are to have them."""

    def send(self, to: str, code: str, purpose: Purpose, expire_time: datetime) -> None:
        """Mails a code. Returns once a mail server has taken it. Raises OSError if none does."""


class PartnerService:
    """Partners, as far as verification codes go. Contacts that it gives are masked.

    A caller that is bound to partners gets PartnerMismatch for others, whether there are such or not.
    """

    def __init__(
        self, store: Store, gate: CodeGate, mailer: Mailer | None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Without a mailer no code can be sent, and no partner can enable them."""
        self._store = store
        self._gate = gate
        self._mailer = mailer
        self._clock = clock

    def partner(self, caller: Caller, partner_id: str) -> Partner:
        """The partner. Raises PartnerNotFound."""
        caller.ensure_sees(partner_id)
        return _shown(_known(self._store.partner(partner_id), partner_id))

    def update(self, caller: Caller, update: PartnerUpdate, code: str) -> Partner:
        """Updates a partner, or makes it. While codes are enabled, it needs one that went to the contact before.

        Raises InvalidFields, VerificationNotConfigured, VerificationCodeRequired, VerificationCodeInvalid,
        VerificationRateLimited.
        """
        partner_id = update.partner_id

        def plan(transaction: Transaction) -> Plan[Partner]:
            _ensure_waits(caller)
            caller.ensure_sees(partner_id)
            before = transaction.partner(partner_id)
            after = updated(before, update)
            if after.verification_code_enabled and self._mailer is None:
                raise VerificationNotConfigured

            def carry_out() -> Partner:
                transaction.put_partner(after)
                transaction.drop_code(partner_id)
                transaction.note(replace(self._note(caller, "UpdatePartner", partner_id), partner=after))
                return _shown(after)

            needs_code = before is not None and before.verification_code_enabled
            return Plan(Purpose(partner_id, VerificationAction.UPDATE_PARTNER) if needs_code else None, carry_out)

        return self._gate.write(plan, code)

    def send_code(self, caller: Caller, purpose: Purpose) -> tuple[datetime, str]:
        """Mails a code to the partner's contact. Gives until when it is good, and the contact.

        Raises PartnerNotFound, VerificationNotEnabled, VerificationNotConfigured, VerificationRateLimited and
        VerificationCodeNotSent: that one does not count as sent.
        """
        partner_id = purpose.partner_id
        mailer = self._mailer

        def make(transaction: Transaction) -> tuple[Partner, NewCode]:
            _ensure_waits(caller)
            caller.ensure_sees(partner_id)
            partner = _known(transaction.partner(partner_id), partner_id)
            if not partner.verification_code_enabled:
                raise VerificationNotEnabled(partner_id=partner_id)
            if mailer is None:
                raise VerificationNotConfigured
            new = self._gate.make(transaction, purpose)
            transaction.note(self._note(caller, "SendVerificationCode", partner_id))
            return partner, new

        def unmake(transaction: Transaction) -> None:
            self._gate.unmake(transaction, partner_id, new)
            note = self._note(caller, "SendVerificationCode", partner_id)
            transaction.note(replace(note, reason=VerificationCodeNotSent.reason))

        partner, new = self._store.write(make)
        assert mailer is not None, "without a mailer no code is made"
        try:
            mailer.send(partner.verification_contact, new.code, purpose, new.sent.expire_time)
        except OSError as error:
            self._store.write(unmake)
            raise VerificationCodeNotSent(str(error)) from error
        return new.sent.expire_time, masked(partner.verification_contact)

    def _note(self, caller: Caller, method: str, partner_id: str) -> AuditNote:
        return AuditNote(caller.principal, method, "", partner_id, self._clock())


def _ensure_waits(caller: Caller) -> None:
    if not caller.waits():
        raise CallerGone


def _known(partner: Partner | None, partner_id: str) -> Partner:
    if partner is None:
        raise PartnerNotFound(partner_id=partner_id)
    return partner


def _shown(partner: Partner) -> Partner:
    return replace(partner, verification_contact=masked(partner.verification_contact))
