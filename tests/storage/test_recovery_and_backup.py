"""recover and backup: what they take up, what they refuse, and that no revision is used twice."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.files.head_file import REVISION_JUMP
from frostgate_server.storage.sqlite.opening import lock_database, open_store
from storage.damage import (
    cut_short,
    damage_the_head_file,
    edit,
    flip_a_page,
    head_file,
    lose_the_head_file,
    put_an_older_one_in_its_place,
    put_another_in_its_place,
    rewrite_history,
    truncate_to_nothing,
)
from support.calls import Calls
from support.server_process import ServerProcess
from support.subjects import ServiceSubject


def test_recovery_takes_up_a_database_short_of_its_tail_and_reuses_no_revision(path: Path) -> None:
    put_an_older_one_in_its_place(path)
    recovered = recover(path)
    assert (recovered.customers, recovered.events, recovered.last_revision) == (3, 3, 3)
    assert recovered.floor == 4 + REVISION_JUMP
    with closing(open_store(path, create=False)) as store:
        assert ServiceSubject(store).associate("e", "p") == recovered.floor + 1
    assert path.with_name("frostgate.db-head-before-recovery").exists()


@pytest.mark.parametrize("damage", [lose_the_head_file, damage_the_head_file, put_another_in_its_place])
def test_recovery_takes_up_a_database_whose_head_file_is_no_use(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    recovered = recover(path)
    with closing(open_store(path, create=False)) as store:
        assert store.get_revision() == recovered.floor


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_short, "is inconsistent"),
        (flip_a_page, "is inconsistent"),
        (truncate_to_nothing, "is not a frostgate database"),
        (Path.unlink, "does not exist: restore it from a backup first"),
        (rewrite_history, "the head: revision 3 does not match the last event, 3"),
        (lambda path: edit(path, "UPDATE customers SET freeze_state = 1"), "does not match its checksum"),
        (
            lambda path: edit(path, "DELETE FROM customers WHERE customer_id = 'b'"),
            "customer b: its row is missing, although its last event requires one",
        ),
    ],
)
def test_recovery_refuses_what_is_not_whole(path: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(path)
    before = head_file(path).read_bytes()
    with pytest.raises(StartupError, match=said):
        recover(path)
    assert head_file(path).read_bytes() == before


def test_a_backup_restored_twice_beside_its_head_file_reuses_no_revision(path: Path) -> None:
    backed_up = path.read_bytes()
    floors = []
    for _ in range(2):
        floors.append(recover(path).floor)
        with closing(open_store(path, create=False)) as store:
            ServiceSubject(store).disassociate("a")
        path.write_bytes(backed_up)
    assert floors[1] == floors[0] + 1 + REVISION_JUMP


def test_recovery_refuses_a_database_in_use(path: Path) -> None:
    claim = lock_database(path, create=False)
    with pytest.raises(StartupError, match="is in use by process"):
        recover(path)
    claim.close()


def test_a_backup_of_a_served_database_is_whole_and_can_be_taken_up(tmp_path: Path) -> None:
    database, copy = tmp_path / "frostgate.db", tmp_path / "copy.db"
    with ServerProcess(database) as server:
        calls = Calls(server)
        customer_id = calls.new_customer("NORMAL")
        assert backup(database, copy) == 2
        calls.freeze(customer_id=customer_id)
        assert copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StartupError, match="its -head file is missing"):
        open_store(copy, create=False)
    recovered = recover(copy)
    with closing(open_store(copy, create=False)) as store:
        assert store.get_freeze_state(customer_id) == (FreezeState.NORMAL, recovered.floor)


def test_a_backup_takes_no_others_place_and_needs_a_database(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="exists already: name a new file"):
        backup(path, path)
    with pytest.raises(StartupError, match="does not exist: correct --database"):
        backup(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StartupError, match="cannot be copied to"):
        backup(path, tmp_path / "no-directory" / "copy.db")
    edit(tmp_path / "foreign.db", "CREATE TABLE t (x)")
    with pytest.raises(StartupError, match="is not a frostgate database"):
        backup(tmp_path / "foreign.db", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_recovery_leaves_no_code_that_may_have_been_used_since(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        store.run_transaction(lambda transaction: transaction.save_code("p", SentCode("1", "d", datetime.now(UTC))))
    recover(path)
    with closing(open_store(path, create=False)) as store:
        assert store.run_transaction(lambda transaction: transaction.get_code("p")) is None
