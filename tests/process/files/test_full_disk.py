"""On a full disk a server starts and answers checks. Changes fail, and go on by themselves once there is room."""

import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from frostgate.v1.policy_pb2 import FREEZE_STATE_ACCOUNT_FROZEN
from support.calls import Calls, refusal
from support.health_of_services import wait_for_health
from support.processes import output
from support.runner.sizes import members
from support.server_process import ServerProcess
from support.small_disk import SmallDisk, small_disk
from support.worker_processes import eventually, log_with

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and preloading are Linux's")

FAILING_WRITES = Path(__file__).with_name("failing_writes.c")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "small", "4m") as made:
        yield made


@pytest.fixture(scope="module")
def failing_writes(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Path:
    """A library to be preloaded."""
    library = tmp_path_factory.mktemp("library") / "failing_writes.so"
    output(tool("cc"), "-shared", "-fPIC", "-o", library, FAILING_WRITES)
    return library


def assert_checks_are_answered(calls: Calls, customer_id: str) -> None:
    assert calls.check(customer_id=customer_id).freeze_state == FREEZE_STATE_ACCOUNT_FROZEN


def assert_changes_fail(calls: Calls, customer_id: str) -> None:
    refused = refusal(lambda: calls.unfreeze(customer_id=customer_id))
    assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_server_starts_on_a_full_disk(disk: SmallDisk, tmp_path: Path, end: str) -> None:
    database = disk.directory / "frostgate.db"
    with ServerProcess(database, prefix=disk.prefix, log=tmp_path / "log") as server:
        customer_id = Calls(server).new_customer()
        if end == "stopped":
            assert server.stop() == 0
        else:
            server.kill()
    disk.fill()
    with ServerProcess(database, "--workers=2", prefix=disk.prefix, log=tmp_path / "log") as server:
        calls = Calls(server)
        assert_checks_are_answered(calls, customer_id)
        disk.fill()  # a -wal file that was left by a kill is folded in at the start, which makes room
        assert_changes_fail(calls, customer_id)
        wait_for_health(server, checks=True, changes=False)
        assert log_with(server, "changes fail until its disk has free space: No space left on device")
        assert log_with(server, "CustomerFreezeService is NOT_SERVING: changes fail: ")
        disk.make_room()
        wait_for_health(server, checks=True, changes=True)
        assert calls.unfreeze(customer_id=customer_id).revision == 2
        assert server.stop() == 0
    assert "frostgate.db-reserve" in disk.files()


def test_a_disk_that_fills_while_it_is_served_makes_changes_fail_until_there_is_room(
    disk: SmallDisk, tmp_path: Path
) -> None:
    database = disk.directory / "frostgate.db"
    with ServerProcess(database, prefix=disk.prefix, log=tmp_path / "log") as server:
        calls = Calls(server)
        customer_id = calls.new_customer()
        for revision in (2, 3):
            disk.fill()
            wait_for_health(server, checks=True, changes=False)
            assert_checks_are_answered(calls, customer_id)
            eventually(lambda: fails(calls, customer_id), "refused")
            disk.make_room()
            wait_for_health(server, checks=True, changes=True)
            assert calls.associate(customer_id=f"later-{revision}").customer.customer_id


def fails(calls: Calls, customer_id: str) -> bool:
    """Whether a change fails. Some changes find room in what the database has already."""
    try:
        assert_changes_fail(calls, customer_id)
    except AssertionError:
        calls.freeze(customer_id=customer_id)
        return False
    return True


@pytest.mark.parametrize(
    "number",
    members([errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO], short=[errno.EIO]),
    ids=errno.errorcode.get,
)
def test_whatever_keeps_a_disk_from_being_written_makes_changes_fail_until_it_is_over(
    tmp_path: Path, failing_writes: Path, number: int
) -> None:
    database, marker = tmp_path / "frostgate.db", tmp_path / "writes-fail"
    variables = {
        "LD_PRELOAD": str(failing_writes),
        "FAILING_WRITES_OF": str(database),
        "FAILING_WRITES_WHILE": str(marker),
    }
    with ServerProcess(database, variables=variables) as server:
        calls = Calls(server)
        customer_id = calls.new_customer()
        marker.write_text(str(number))
        wait_for_health(server, checks=True, changes=False)
        assert_checks_are_answered(calls, customer_id)
        refused = refusal(lambda: calls.unfreeze(customer_id=customer_id))
        assert refused.reason in {"STORAGE_UNAVAILABLE", "OUTCOME_UNKNOWN"}
        assert_checks_are_answered(calls, customer_id)
        marker.unlink()
        wait_for_health(server, checks=True, changes=True)
        assert calls.unfreeze(customer_id=customer_id).revision == 2
