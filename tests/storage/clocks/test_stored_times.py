"""Every time that the database stores, on a clock that was wrong when it was stored."""

import re
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from frostgate.v1 import customer_freeze_service_pb2 as pb
from frostgate.v1.partner_pb2 import VERIFICATION_ACTION_UPDATE_PARTNER, Partner
from frostgate_server.domain.enums import FreezeScope
from frostgate_server.services.commands import AssociateCommand, FreezeCommand, UnfreezeCommand
from frostgate_server.services.customer_queries import CustomerListing
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.opening import open_store
from google.protobuf.field_mask_pb2 import FieldMask
from storage.clocks.clocked_services import DAY, HOUR, JUMPS, NOW, RETENTION, SECOND, ClockedServices, outcome
from support.recordings.clocked_server import clocked_server
from support.recordings.raw_calls import reason_of
from support.recordings.stored_database import ok

RECORDED = {
    "customers.freeze_time",
    "customers.retention_expire_time",
    "customers.associate_time",
    "customers.update_time",
    "events.event_time",
    "events.retention_expire_time",
    "restores.restore_time",
    "audit_entries.note_time",
}
"""Part of the record: what the clock showed then, and never anything else. No rule but that of retention reads them."""

BOUNDED = {
    "verification_codes.expire_time",
    "verification_counts.count_time",
    "answers.answer_time",
    "kept_answers.hour",
}
"""A window ends by them. It is never longer than it should be."""

REPEATED, ANOTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
ALREADY = "CUSTOMER_ALREADY_ASSOCIATED"


def test_every_stored_time_is_recorded_or_bounded(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    open_store(database, create=True).close()
    with closing(connect(database)) as connection:
        sql = "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
        columns = {f"{table}.{column}" for table, column in connection.execute(sql).fetchall()}
    times = {column for column in columns if re.search(r"_time$|_at$|\.hour$", column)}
    assert times - {"_sqlite_migrations.applied_at"} == RECORDED | BOUNDED


@pytest.mark.parametrize("jump", [*JUMPS, -HOUR, -DAY, -365 * DAY], ids=str)
def test_an_answer_is_replayed_for_a_day_at_most(services: ClockedServices, jump: timedelta) -> None:
    services.now = NOW + jump
    assert associate_again(services) == "OK"
    services.now = NOW
    assert associate_again(services) == ("OK" if -DAY < jump <= DAY else ALREADY)
    services.now = NOW + DAY - SECOND
    assert associate_again(services) == ("OK" if timedelta(0) < jump <= DAY else ALREADY)
    services.now = NOW + DAY
    assert associate_again(services) == ALREADY


def test_an_answer_of_a_clock_that_was_ahead_is_deleted_by_later_changes(services: ClockedServices) -> None:
    services.now = NOW + 365 * DAY
    assert associate_again(services) == "OK"
    services.now = NOW
    services.change(AssociateCommand(customer_ids=("e",), partner_id="q", request_id=ANOTHER))
    services.now = NOW + 365 * DAY + SECOND
    assert associate_again(services) == ALREADY


def associate_again(services: ClockedServices) -> str:
    """The same call each time."""
    command = AssociateCommand(customer_ids=("d",), partner_id="q", request_id=REPEATED)
    return outcome(lambda: services.change(command))


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY], ids=str)
def test_retention_is_recorded_by_the_clock_of_the_freeze_until_the_next_one(
    services: ClockedServices, jump: timedelta
) -> None:
    scope = FreezeScope.ACCOUNT_AND_RESOURCES
    services.now = NOW + jump
    services.change(AssociateCommand(customer_ids=("d",), partner_id="q"))
    services.change(FreezeCommand(customer_ids=("d",), scope=scope, reason="unpaid"))
    services.now = NOW
    assert retention(services) == (NOW + jump + RETENTION, jump < timedelta(0))
    services.change(UnfreezeCommand(customer_ids=("d",), scope=scope, reason="clock put right"))
    services.change(FreezeCommand(customer_ids=("d",), scope=scope, reason="clock put right"))
    assert retention(services) == (NOW + RETENTION, False)


def retention(services: ClockedServices) -> tuple[datetime | None, bool]:
    """The end of the customer's retention, and whether a listing says that it has passed."""
    expired, _ = services.queries.list_customers(services.caller, CustomerListing("q", None, True, 10))
    return services.queries.get_customer(services.caller, "d").retention_expire_time, bool(expired)


def test_a_record_of_a_clock_that_went_to_and_fro_is_verified(tmp_path: Path) -> None:
    database = tmp_path / "frostgate.db"
    with closing(open_store(database, create=True)) as store:
        services = ClockedServices(store)
        for number, jump in enumerate([365 * DAY, -365 * DAY, HOUR, -HOUR]):
            services.now = NOW + jump
            services.change(AssociateCommand(customer_ids=(f"c-{number}",), partner_id="q"))
    assert verify(database).customers == 5


def test_after_a_year_ahead_a_server_sends_codes_and_forgets_its_answers_at_once(tmp_path: Path) -> None:
    database, flags = tmp_path / "frostgate.db", ["--mail-server=log"]
    send = pb.SendVerificationCodeRequest(partner_id="p", action=VERIFICATION_ACTION_UPDATE_PARTNER)
    change = pb.AssociateCustomerRequest(customer_id="c", partner_id="p", request_id=REPEATED)
    partner = Partner(partner_id="p", verification_code_enabled=True, verification_contact="a@example.org")
    mask = FieldMask(paths=["verification_code_enabled", "verification_contact"])
    with clocked_server(database, (NOW + 365 * DAY).isoformat(), *flags) as server:
        ok(server.call(change))
        ok(server.call(pb.UpdatePartnerRequest(partner=partner, update_mask=mask)))
        for _ in range(5):
            ok(server.call(send))
        assert reason_of(server.call(send)) == "VERIFICATION_RATE_LIMITED"
    with clocked_server(database, NOW.isoformat(), *flags) as server:
        ok(server.call(send))
        assert reason_of(server.call(change)) == ALREADY
