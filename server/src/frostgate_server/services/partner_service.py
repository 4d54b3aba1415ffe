"""The use cases on partners: who gets verification codes, and the sending of one. Knows no transport and no SQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.enums import VerificationAction
from frostgate_server.domain.errors import Overloaded, PartnerNotFound
from frostgate_server.domain.partner import Partner, PartnerUpdate, mask_contact, updated
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.domain.verification_errors import (
    VerificationCodeNotSent,
    VerificationNotConfigured,
    VerificationNotEnabled,
)
from frostgate_server.services.mailer import DeliveryUnknown, Mailer
from frostgate_server.storage.interface import Store, Transaction

from .code_verifier import CodeVerifier, NewCode, PlannedChange

RETRY_AFTER_SECONDS = 10
"""While a code is on its way to a partner: about as long as a slow mail server is waited for."""


class PartnerService:
    """Partners, as far as verification codes go. Contacts that it gives are masked.

    A caller that is bound to partners gets PartnerMismatch for others, whether there are such or not.
    """

    def __init__(
        self, store: Store, code_verifier: CodeVerifier, mailer: Mailer | None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Without a mailer no code can be sent, and no partner can enable them."""
        self._store = store
        self._code_verifier = code_verifier
        self._mailer = mailer
        self._clock = clock
        self._lock = threading.Lock()
        self._sending: set[str] = set()

    def partner(self, caller: Caller, partner_id: str) -> Partner:
        """The partner. Raises PartnerNotFound."""
        caller.ensure_sees(partner_id)
        return _shown(_known(self._store.get_partner(partner_id), partner_id))

    def update(self, caller: Caller, update: PartnerUpdate, code: str) -> Partner:
        """Updates a partner, or makes it. While codes are enabled, it needs one that went to the contact before.

        Raises InvalidFields, VerificationNotConfigured, VerificationCodeRequired, VerificationCodeInvalid,
        VerificationRateLimited.
        """
        partner_id = update.partner_id

        def plan(transaction: Transaction) -> PlannedChange[Partner]:
            caller.ensure_sees(partner_id)
            before = transaction.get_partner(partner_id)
            after = updated(before, update)
            if after.verification_code_enabled and self._mailer is None:
                raise VerificationNotConfigured

            def carry_out() -> Partner:
                transaction.save_partner(after)
                transaction.delete_code(partner_id)
                if after != before:
                    transaction.append_audit_note(
                        replace(self._note(caller, "UpdatePartner", partner_id), partner=after)
                    )
                return _shown(after)

            needs_code = before is not None and before.verification_code_enabled
            return PlannedChange(
                Purpose(partner_id, VerificationAction.UPDATE_PARTNER) if needs_code else None, carry_out
            )

        return self._code_verifier.write(caller, plan, code)

    def send_code(self, caller: Caller, purpose: Purpose) -> tuple[datetime, str]:
        """Mails a code to the partner's contact. Gives until when it is good, and the contact.

        Raises PartnerNotFound, VerificationNotEnabled, VerificationNotConfigured, VerificationRateLimited; Overloaded
        while this process sends another code to the partner; and VerificationCodeNotSent, which does not count as sent,
        unless the mail server may have taken it.
        """
        partner_id, mailer = purpose.partner_id, self._mailer
        caller.ensure_sees(partner_id)

        def make(transaction: Transaction) -> tuple[str, NewCode]:
            caller.ensure_waits()
            partner = _known(transaction.get_partner(partner_id), partner_id)
            if not partner.verification_code_enabled:
                raise VerificationNotEnabled(partner_id=partner_id)
            if mailer is None:
                raise VerificationNotConfigured
            new = self._code_verifier.make(transaction, purpose, partner.verification_contact)
            transaction.append_audit_note(self._note(caller, "SendVerificationCode", partner_id))
            return partner.verification_contact, new

        def unmake(transaction: Transaction) -> None:
            self._code_verifier.unmake(transaction, partner_id, new)
            note = self._note(caller, "SendVerificationCode", partner_id)
            transaction.append_audit_note(replace(note, reason=VerificationCodeNotSent.reason))

        with self._sending_alone(partner_id):
            contact, new = self._store.run_transaction(make)
            assert mailer is not None, "without a mailer no code is made"
            try:
                mailer.send(contact, new.code, purpose, new.sent.expire_time)
            except DeliveryUnknown as error:
                raise VerificationCodeNotSent(str(error)) from error
            except OSError as error:
                self._store.run_transaction(unmake)
                raise VerificationCodeNotSent(str(error)) from error
        return new.sent.expire_time, mask_contact(contact)

    @contextmanager
    def _sending_alone(self, partner_id: str) -> Iterator[None]:
        """A partner takes one thread of this process, however slow the mail server is. Raises Overloaded meanwhile."""
        with self._lock:
            if partner_id in self._sending:
                raise Overloaded(RETRY_AFTER_SECONDS)
            self._sending.add(partner_id)
        try:
            yield
        finally:
            with self._lock:
                self._sending.remove(partner_id)

    def _note(self, caller: Caller, method: str, partner_id: str) -> AuditNote:
        return AuditNote(caller.principal, method, "", partner_id, self._clock())


def disable_codes(store: Store, partner_id: str, clock: Callable[[], datetime] = utc_now) -> None:
    """Disables codes without one, for who has the machine: a contact that nobody reads is no way out.

    Raises PartnerNotFound.
    """

    def work(transaction: Transaction) -> None:
        partner = replace(_known(transaction.get_partner(partner_id), partner_id), verification_code_enabled=False)
        transaction.save_partner(partner)
        transaction.delete_code(partner_id)
        transaction.append_audit_note(
            AuditNote("frostgate-server", "disable-codes", "", partner_id, clock(), partner=partner)
        )

    store.run_transaction(work)


def _known(partner: Partner | None, partner_id: str) -> Partner:
    if partner is None:
        raise PartnerNotFound(partner_id=partner_id)
    return partner


def _shown(partner: Partner) -> Partner:
    return replace(partner, verification_contact=mask_contact(partner.verification_contact))
