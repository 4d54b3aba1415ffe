"""Calls a server for one customer with the Python client: `make demo`.

A control plane or a partner's backend makes the same calls.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import frostgate
from frostgate import BillingMode, Check, Client, FreezeScope, Operation


def main() -> None:
    """Starts a server, runs all steps, and stops the server."""
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as address, Client(address) as client:
        freeze_by_default(client)
        unfreeze(client)
        freeze_account_and_resources(client)
        ask_for_many(client)
        repeat_a_request(client)
        read_the_record(client)


def freeze_by_default(client: Client) -> None:
    """An association freezes the account."""
    say("A partner associates a customer. The account is frozen by default:")
    association = client.associate_customer(customer_id="c-1001", partner_id="p-1")
    show(association.customer)
    say("Each operation on its spot instances, and on its yearly/monthly ones:")
    check_everything(client)


def unfreeze(client: Client) -> None:
    """After an unfreeze, every operation is allowed."""
    say("The partner unfreezes it:")
    change = client.unfreeze_customer(customer_id="c-1001", scope=FreezeScope.ACCOUNT, reason="first invoice paid")
    print(f"  {change.message}")
    show(change.customer)
    decision = client.check_operation(customer_id="c-1001", operation=Operation.PURCHASE, billing_mode=BillingMode.SPOT)
    print(f"  PURCHASE: {'allow' if decision.allowed else 'deny'}, {decision.message}")


def freeze_account_and_resources(client: Client) -> None:
    """A freeze of the resources stops fees and starts the retention period."""
    say("It stops paying. First see what freezing its resources would do, then do it:")
    scope, reason = FreezeScope.ACCOUNT_AND_RESOURCES, "invoice 60 days overdue"
    foreseen = client.freeze_customer(customer_id="c-1001", scope=scope, reason=reason, validate_only=True)
    print(f"  it would be {foreseen.customer.freeze_state}")
    change = client.freeze_customer(customer_id="c-1001", scope=scope, reason=reason)
    print(f"  {change.message}")
    show(change.customer)
    check_everything(client)
    say("Only the scope that is frozen can be unfrozen:")
    try:
        client.unfreeze_customer(customer_id="c-1001", scope=FreezeScope.ACCOUNT, reason="paid")
    except frostgate.FailedPrecondition as error:
        print(f"  {error}")
    show(client.unfreeze_customer(customer_id="c-1001", scope=scope, reason="paid").customer)


def ask_for_many(client: Client) -> None:
    """A batch is one transaction. A refused customer has an error as its result."""
    say("One batch freezes three customers. One of them does not exist, and gets an error:")
    client.associate_customer(customer_id="c-1002", partner_id="p-1")
    batch = client.batch_freeze_customers(
        ["c-1001", "c-1002", "c-9999"], scope=FreezeScope.ACCOUNT_AND_RESOURCES, reason="partner p-1 closes"
    )
    for customer_id, result in batch.results.items():
        outcome = str(result) if isinstance(result, frostgate.FrostgateError) else result.freeze_state
        print(f"  {customer_id}: {outcome}")


def repeat_a_request(client: Client) -> None:
    """Calls with the same request_id make the change once."""
    say("A call whose answer was lost is repeated with its request_id. The change is made once:")
    request_id = uuid4()
    for _ in range(2):
        change = client.unfreeze_customer(
            customer_id="c-1002",
            scope=FreezeScope.ACCOUNT_AND_RESOURCES,
            reason="moved to another partner",
            request_id=request_id,
        )
        print(f"  {change.message} Revision {change.revision}.")


def read_the_record(client: Client) -> None:
    """All changes are recorded as events. They are listed newest first."""
    say("The events of c-1001, newest first:")
    for event in client.list_freeze_events(customer_id="c-1001"):
        scope = f" {event.scope}" if event.scope else ""
        print(f"  {event.revision:2} {event.action}{scope}: {event.reason}")


SHOWN = (
    *(Operation.PURCHASE, Operation.RENEW, Operation.UNSUBSCRIBE, Operation.MODIFY_SPECIFICATIONS),
    *(Operation.CHANGE_TO_PAY_PER_USE, Operation.CHANGE_TO_YEARLY_MONTHLY, Operation.RENAME, Operation.VIEW),
    *(Operation.OPERATE, Operation.DELETE, Operation.ACCESS),
)


def check_everything(client: Client) -> None:
    """One batch decides on every operation that exists for a billing mode."""
    for mode in (BillingMode.SPOT, BillingMode.YEARLY_MONTHLY):
        batch = client.batch_check_operations([Check("c-1001", operation, mode) for operation in SHOWN])
        allowed: list[str] = []
        denied: list[str] = []
        for operation, result in zip(SHOWN, batch.results, strict=True):
            if isinstance(result, frostgate.FrostgateError):
                continue  # the operation does not exist for this billing mode
            (allowed if result.allowed else denied).append(operation)
        print(f"  {mode} allow: {' '.join(allowed) or 'nothing'}")
        print(f"  {mode} deny:  {' '.join(denied) or 'nothing'}")


def show(customer: frostgate.Customer) -> None:
    """Prints a customer in one or two lines."""
    fees = "fees accrue" if customer.fees_accrue else "no fees accrue"
    print(f"  {customer.customer_id} is {customer.freeze_state}, {fees}, revision {customer.revision}")
    if customer.retention_expire_time and customer.freeze_time:
        kept = customer.retention_expire_time - customer.freeze_time
        print(f"  its data is retained for {kept.days} days")


def say(sentence: str) -> None:
    """Prints the heading of a step."""
    print(f"\n{sentence}")


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Runs a server on a free loopback port, with its own database. Yields its address."""
    command = [sys.executable, "-m", "frostgate_server", "serve", "--listen", "127.0.0.1:0", "--create"]
    with subprocess.Popen(
        [*command, "--database", str(directory / "frostgate.db")], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        ready = re.match(r"frostgate-server is ready on (\S+): ", server.stdout.readline())
        if ready is None:
            raise SystemExit("the server did not start")
        try:
            yield ready[1]
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
