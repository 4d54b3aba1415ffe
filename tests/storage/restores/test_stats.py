"""`frostgate-server stats` tells what a database holds and how it grows, and changes nothing."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from benchmarks.fill import OpenTransaction
from frostgate_server.services.commands import AssociateCommand
from frostgate_server.storage.interface import Store, Transaction
from frostgate_server.storage.sqlite.admin.backup import backup
from frostgate_server.storage.sqlite.admin.recover import recover
from frostgate_server.storage.sqlite.admin.stats import collect_stats
from frostgate_server.storage.sqlite.connections import connect
from frostgate_server.storage.sqlite.opening import open_store
from storage.clocks.clocked_services import DAY, NOW, ClockedServices
from storage.damage import truncate_to_nothing
from storage.kept_database import Kept
from storage.restores.files import make_read_only, states
from support.calls import Calls
from support.commands_here import output_here, refused_here
from support.processes import output
from support.recordings.stored_database import STORED, VERSIONS
from support.server_process import COMMAND, ServerProcess

REQUEST_ID = "00000000-0000-4000-8000-{:012d}"


def stats(path: Path) -> Any:
    return json.loads(output_here("stats", "--database", str(path), "--format", "json"))


def test_the_tables_are_counted_with_their_rows_and_bytes(kept: Kept) -> None:
    found = stats(kept.path)
    with closing(connect(kept.path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names}
    assert {name: table["rows"] for name, table in found["tables"].items()} == counts
    size = kept.path.stat().st_size
    assert 0.9 * size < sum(table["bytes"] for table in found["tables"].values()) <= size
    assert found["files"]["frostgate.db"] == kept.path.stat().st_size
    assert found["files"]["frostgate.db-head"] == 1024
    assert found["revision"] == kept.exported[-1].revision
    assert found["database_id"] == kept.exported[-1].database_id


def associate_many(transaction: Transaction) -> None:
    # Changes need only `submit_transaction` of a store.
    services = ClockedServices(cast(Store, OpenTransaction(transaction)))
    for number in range(1_500):
        ids, request_id = (f"customer-{number}",), REQUEST_ID.format(number)
        services.change(AssociateCommand(customer_ids=ids, partner_id="q", request_id=request_id))


def test_the_bytes_of_a_table_are_about_those_that_its_end_would_free(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with closing(open_store(path, create=True)) as store:
        store.run_transaction(associate_many)
    backup(path, tmp_path / "whole.db")
    found = collect_stats(tmp_path / "whole.db").tables
    for table in ("customers", "events", "answers"):
        without = Path(shutil.copy(tmp_path / "whole.db", tmp_path / "without.db"))
        with closing(connect(without)) as connection:
            connection.execute(f"DROP TABLE {table}")
            connection.execute("VACUUM")
        freed = (tmp_path / "whole.db").stat().st_size - without.stat().st_size
        assert 0.75 * freed < found[table].bytes < 1.25 * freed, table


def test_no_file_of_a_database_that_no_process_has_open_is_changed(kept: Kept, tmp_path: Path) -> None:
    directory = tmp_path / "backups"
    directory.mkdir()
    backup(kept.path, directory / "backup.db")
    make_read_only(directory)
    before = states(directory)
    assert stats(directory / "backup.db")["revision"] == kept.exported[-1].revision
    assert "at revision" in output_here("stats", "--database", str(directory / "backup.db"))
    assert states(directory) == before


def test_a_database_is_counted_while_it_is_served(tmp_path: Path) -> None:
    path = tmp_path / "frostgate.db"
    with ServerProcess(path) as server:
        calls = Calls(server)
        for number in range(3):
            calls.associate(customer_id=f"c-{number}", request_id=REQUEST_ID.format(number))
        found = json.loads(output(*COMMAND, "stats", "--database", str(path), "--format", "json"))
        assert (found["revision"], found["tables"]["customers"]["rows"]) == (3, 3)
        (kept,) = found["kept_answers"]
        assert (kept["principal"], kept["answers"]) == ("anonymous", 3)
        assert 3 * 300 < kept["bytes"] < 3 * 1000
        assert list(found["events_per_day"].values())[-1] == 3
        assert len(found["events_per_day"]) == 8
        assert calls.new_customer()


def test_growth_is_that_of_the_last_whole_days(services: ClockedServices, tmp_path: Path) -> None:
    for day, count in ((9, 50), (7, 3), (2, 4), (0, 30)):
        services.now = NOW - day * DAY
        for number in range(count):
            services.change(AssociateCommand(customer_ids=(f"c-{day}-{number}",), partner_id="q"))
    found = collect_stats(tmp_path / "frostgate.db", lambda: NOW)
    assert list(found.events_per_day.items()) == [
        ("2026-02-22", 3),
        ("2026-02-23", 0),
        ("2026-02-24", 0),
        ("2026-02-25", 0),
        ("2026-02-26", 0),
        ("2026-02-27", 4),
        ("2026-02-28", 0),
        ("2026-03-01", 31),
    ]
    events = found.tables["events"]
    assert found.growth_bytes_per_day == 7 * events.bytes // (7 * events.rows)


def test_the_callers_with_most_kept_answers_come_first(services: ClockedServices, tmp_path: Path) -> None:
    for principal in range(12):
        services.caller = replace(services.caller, principal=f"sub:{principal}")
        for number in range(1 + principal):
            ids = (f"c-{principal}-{number}",)
            services.change(AssociateCommand(customer_ids=ids, partner_id="q", request_id=REQUEST_ID.format(number)))
    found = collect_stats(tmp_path / "frostgate.db", lambda: NOW)
    assert [kept.principal for kept in found.kept_answers] == [f"sub:{number}" for number in range(11, 1, -1)]
    assert [kept.answers for kept in found.kept_answers] == list(range(12, 2, -1))
    assert collect_stats(tmp_path / "frostgate.db", lambda: NOW + 2 * DAY).kept_answers == []


def test_the_last_restores_are_told_the_newest_first(path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    floors = [recover(path).floor for _ in range(12)]
    found = stats(path)
    assert [restore["floor"] for restore in found["restores"]] == floors[:1:-1]
    assert found["restores"][0]["number"] == 12
    assert found["restores"][0]["command"] == "recover"
    assert datetime.fromisoformat(found["restores"][0]["restore_time"]) >= before
    assert "12: recover at " in output_here("stats", "--database", str(path))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, None),
        ('{"time": "2026-03-01T12:00:00Z", "suspects": []}', {"time": "2026-03-01T12:00:00Z", "suspects": []}),
        ("cut sho", {"unreadable": "Expecting value: line 1 column 1 (char 0)"}),
    ],
)
def test_the_last_check_of_the_record_is_told(path: Path, content: str | None, told: object) -> None:
    if content is not None:
        path.with_name("frostgate.db-check").write_text(content)
    assert stats(path)["record_check"] == told
    assert "record check: " in output_here("stats", "--database", str(path))


def test_the_database_of_an_earlier_version_is_counted_too(tmp_path: Path) -> None:
    found = stats(Path(shutil.copy(STORED / VERSIONS[0] / "frostgate.db", tmp_path)))
    assert found["tables"]["answers"]["rows"] > 16
    assert (found["kept_answers"], found["restores"]) == ([], [])


def test_the_text_says_that_the_record_is_never_deleted(kept: Kept) -> None:
    text = output_here("stats", "--database", str(kept.path))
    assert "\nEvents and audit entries are never deleted.\n" in text
    assert max(map(len, text.splitlines())) < 100


def test_what_is_no_database_is_refused_in_one_line(path: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused_here("stats", "--database", str(tmp_path / "none.db"))
    truncate_to_nothing(path)
    assert "is not a frostgate database" in refused_here("stats", "--database", str(path))
    path.write_bytes(b"no pages" * 1000)
    assert "cannot be read" in refused_here("stats", "--database", str(path))


def test_an_empty_database_is_counted(tmp_path: Path) -> None:
    open_store(tmp_path / "frostgate.db", create=True).close()
    found = stats(tmp_path / "frostgate.db")
    assert (found["revision"], found["growth_bytes_per_day"]) == (0, 0)
