"""The use cases of partners: the settings of verification codes, and sending a code."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.caller import Caller
from frostgate_server.domain.clock import utc_now
from frostgate_server.domain.customer_errors import (
    PartnerNotFound,
)
from frostgate_server.domain.enums import VerificationAction
from frostgate_server.domain.partner import Partner, PartnerUpdate, mask_contact, updated
from frostgate_server.domain.verification_code import Purpose
from frostgate_server.domain.verification_errors import (
    VerificationCodeBeingSent,
    VerificationCodeNotSent,
    VerificationNotConfigured,
    VerificationNotEnabled,
)
from frostgate_server.services.mailer import DeliveryUnknown, Mailer
from frostgate_server.storage.interface import Store, Transaction

from .code_verifier import CodeAttempt, CodeVerifier, NewCode, counted_as
from .futures import convert

RETRY_AFTER_SECONDS = 10
"""The retry delay while another code is sent to the partner: about the time that a slow mail server takes."""


class PartnerService:
    """Reads and updates partners, and sends them codes. Contacts are masked in its results.

    A caller that is bound to partners gets PartnerMismatch for all others, whether they exist or not.
    """

    def __init__(
        self, store: Store, code_verifier: CodeVerifier, mailer: Mailer | None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Without a mailer no code can be sent, and no partner can enable codes."""
        self._store = store
        self._code_verifier = code_verifier
        self._mailer = mailer
        self._clock = clock
        self._lock = threading.Lock()
        self._sending: set[str] = set()

    def get_partner(self, caller: Caller, partner_id: str) -> Partner:
        """The partner. Raises PartnerNotFound."""
        caller.ensure_sees(partner_id)
        return _shown(_known(self._store.get_partner(partner_id), partner_id))

    def update_partner(self, caller: Caller, update: PartnerUpdate, code: str) -> Future[Partner]:
        """Updates or creates a partner. If codes are enabled, it needs a code that was sent to the present contact.

        Returns at once. The future may fail with InvalidFields, VerificationNotConfigured, VerificationCodeRequired,
        VerificationCodeInvalid, VerificationRateLimited.
        """
        return convert(self._code_verifier.run(partial(self._update, caller, update, code), code), _shown)

    def send_code(self, caller: Caller, purpose: Purpose) -> tuple[datetime, str]:
        """Mails a code to the partner's contact. Returns the time when the code expires, and the masked contact.

        Raises PartnerNotFound, VerificationNotEnabled, VerificationNotConfigured, VerificationRateLimited, and
        VerificationCodeNotSent: then the code does not count as sent, unless the mail server may have accepted it.
        Raises VerificationCodeBeingSent while this process sends another code to the partner.
        """
        caller.ensure_sees(purpose.partner_id)
        with self._sending_alone(purpose.partner_id):
            contact, new = self._store.run_transaction(partial(self._make_code, caller, purpose))
            assert self._mailer is not None, "without a mailer no code is made"
            try:
                self._mailer.send(contact, new.code, purpose, new.sent.expire_time)
            except DeliveryUnknown as error:
                raise VerificationCodeNotSent(str(error)) from error
            except OSError as error:
                self._store.run_transaction(partial(self._withdraw_code, caller, purpose, new))
                raise VerificationCodeNotSent(str(error)) from error
        return new.sent.expire_time, mask_contact(contact)

    def _update(
        self,
        caller: Caller,
        update: PartnerUpdate,
        code: str,
        transaction: Transaction,
        *,
        attempt: CodeAttempt | None,
    ) -> Partner | CodeAttempt:
        """Makes the update in a transaction after all checks. See CodeVerifier for the attempt."""
        caller.ensure_waits()
        caller.ensure_sees(update.partner_id)
        before = transaction.get_partner(update.partner_id)
        after = updated(before, update)
        if after.verification_code_enabled and self._mailer is None:
            raise VerificationNotConfigured
        if before is not None and before.verification_code_enabled:
            purpose = Purpose(update.partner_id, VerificationAction.UPDATE_PARTNER)
            if attempt is None:
                return self._code_verifier.begin_attempt(transaction, purpose, code)
            self._code_verifier.spend(transaction, purpose, attempt)
        transaction.save_partner(after)
        transaction.delete_code(update.partner_id)
        if after != before:
            note = self._note(caller, "UpdatePartner", update.partner_id)
            transaction.append_audit_note(replace(note, partner=after))
        return after

    def _make_code(self, caller: Caller, purpose: Purpose, transaction: Transaction) -> tuple[str, NewCode]:
        """Makes and saves a new code. Returns the contact that it is for, and the code."""
        caller.ensure_waits()
        partner = _known(transaction.get_partner(purpose.partner_id), purpose.partner_id)
        if not partner.verification_code_enabled:
            raise VerificationNotEnabled(partner_id=purpose.partner_id)
        if self._mailer is None:
            raise VerificationNotConfigured
        new = self._code_verifier.make(transaction, purpose, partner.verification_contact)
        transaction.append_audit_note(self._note(caller, "SendVerificationCode", purpose.partner_id))
        return partner.verification_contact, new

    def _withdraw_code(self, caller: Caller, purpose: Purpose, new: NewCode, transaction: Transaction) -> None:
        """Withdraws a code that the mail server refused."""
        self._code_verifier.unmake(transaction, purpose.partner_id, new)
        note = self._note(caller, "SendVerificationCode", purpose.partner_id)
        transaction.append_audit_note(replace(note, reason=VerificationCodeNotSent.reason))

    @contextmanager
    def _sending_alone(self, partner_id: str) -> Iterator[None]:
        """Sends one code at a time to a partner, so that a slow mail server occupies one thread.

        Raises VerificationCodeBeingSent.
        """
        with self._lock:
            if partner_id in self._sending:
                raise VerificationCodeBeingSent(RETRY_AFTER_SECONDS)
            self._sending.add(partner_id)
        try:
            yield
        finally:
            with self._lock:
                self._sending.remove(partner_id)

    def _note(self, caller: Caller, method: str, partner_id: str) -> AuditNote:
        return AuditNote(caller.principal, method, "", partner_id, self._clock())


def disable_codes(store: Store, partner_id: str, clock: Callable[[], datetime] = utc_now) -> None:
    """Disables the codes of a partner without a code. The operator uses it if the contact is out of use.

    Deletes the counts of the partner and its contact. Raises PartnerNotFound.
    """
    store.run_transaction(partial(_disable_codes, partner_id, clock))


def _disable_codes(partner_id: str, clock: Callable[[], datetime], transaction: Transaction) -> None:
    partner = replace(_known(transaction.get_partner(partner_id), partner_id), verification_code_enabled=False)
    transaction.save_partner(partner)
    transaction.delete_code(partner_id)
    for whom in counted_as(partner_id, partner.verification_contact):
        transaction.delete_counts(whom)
    note = AuditNote("frostgate-server", "disable-codes", "", partner_id, clock(), partner=partner)
    transaction.append_audit_note(note)


def _known(partner: Partner | None, partner_id: str) -> Partner:
    if partner is None:
        raise PartnerNotFound(partner_id=partner_id)
    return partner


def _shown(partner: Partner) -> Partner:
    return replace(partner, verification_contact=mask_contact(partner.verification_contact))
