"""Exported heads: `verify` compares the history with them, and a server exports them."""

import json
import os
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from frostgate_server.config.loading import configure
from frostgate_server.config.validation import ensure_valid
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.hash_chain import GENESIS
from frostgate_server.process.head_exporter import append_line
from frostgate_server.storage.backend import DatabaseInconsistent
from frostgate_server.storage.head import Head, read_heads
from frostgate_server.storage.sqlite.admin.verify import verify
from frostgate_server.storage.sqlite.driver import sqlite3
from frostgate_server.storage.sqlite.files.paths import FILE_ENDINGS
from storage.kept_database import Kept, head_path
from support.calls import Calls
from support.commands_here import output_here, refused_here
from support.pipes import fill_before_its_reader
from support.processes import PATIENCE
from support.server_process import ServerProcess, refused_start
from support.worker_processes import eventually


def test_a_head_of_another_database_is_found(kept: Kept) -> None:
    with pytest.raises(DatabaseInconsistent, match="but a known head is of another"):
        verify(kept.path, [replace(kept.exported[0], database_id="another")])


def test_heads_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    good = json.dumps(asdict(Head("a", 1, "h")))
    for line in (
        "{}",
        "no json",
        "[]",
        '{"database_id": "a", "revision": 1}',
        good.replace("1", '"1"', 1),
        "[" * 10_000,
    ):
        file.write_text(f"{good}\n\n{line}\n")
        with pytest.raises(StartupError, match=f"exported heads cannot be read from {file}, line 3"):
            read_heads(file)
    for content in (b"", b"\n", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(StartupError, match=f"exported heads cannot be read from {file}: "):
            read_heads(file)


def test_heads_are_not_exported_to_a_file_of_the_database(tmp_path: Path) -> None:
    database = f"{tmp_path}/f.db"
    for end in ("", "-wal", "-head", "-key"):
        flags = {"database": database, "head_export": f"{tmp_path}/../{tmp_path.name}/f.db{end}"}
        with pytest.raises(StartupError, match="head_export must not be a file of the database itself"):
            ensure_valid(configure(flags, {}, None), FILE_ENDINGS)
    line = refused_start("serve", "--database", database, "--create", "--head-export", flags["head_export"])
    assert "head_export must not be a file of the database itself" in line


def test_a_served_database_is_verified_against_the_heads_that_it_exported(tmp_path: Path) -> None:
    database, heads = tmp_path / "frostgate.db", tmp_path / "heads"
    flags = ["--head-export", str(heads), "--head-export-period", "1s"]
    with ServerProcess(database, *flags) as server:
        calls = Calls(server)
        *_, customer_id = [calls.new_customer("NORMAL") for _ in range(20)]
        said = output_here("verify", "--database", str(database), "--heads", str(heads))
        assert "is consistent: 20 customers, 40 events up to revision 40" in said
        assert server.stop() == 0
    exported = [json.loads(line) for line in heads.read_text().splitlines()]
    assert exported[-1]["revision"] == 40
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        edit = "UPDATE customers SET freeze_reason = 'none' WHERE customer_id = ?"
        assert connection.execute(edit, (customer_id,)).rowcount == 1
    assert refused_here("verify", "--database", str(database), "--heads", str(heads)).startswith("customer ")


def test_a_head_file_that_was_replaced_is_not_exported_but_said(tmp_path: Path) -> None:
    database, heads = tmp_path / "frostgate.db", tmp_path / "heads"
    flags = ["--head-export", str(heads), "--head-export-period", "1s"]
    with ServerProcess(database, *flags) as server:
        Calls(server).new_customer()
        content = head_path(database).read_bytes()
        head_path(database).unlink()
        head_path(database).write_bytes(content)
        before = len(heads.read_text().splitlines())
        assert server.stop() == 0
        assert "the head cannot be exported: " in server.log.read_text()
        assert "was replaced while it was served" in server.log.read_text()
    assert len(heads.read_text().splitlines()) <= before + 1


def test_a_place_that_takes_no_lines_does_not_stop_the_server(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with ServerProcess(tmp_path / "frostgate.db", "--head-export", str(fifo)) as server:
        assert Calls(server).new_customer()
        assert server.stop() == 0
        assert "the head cannot be exported: " in server.log.read_text()


def test_a_server_whose_lines_nobody_reads_drains_all_the_same(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--head-export", "-", "--head-export-period", "1s") as server:
        fill_before_its_reader(server.output.fileno())
        eventually(lambda: "stdout is not read" in server.log.read_text(), "said")
        assert Calls(server).new_customer()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_an_unfinished_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    append_line(file, '{"whole": 1}')
    with file.open("a") as cut_short:
        cut_short.write('{"half')
    append_line(file, '{"whole": 2}')
    assert file.read_text() == '{"whole": 1}\n{"half\n{"whole": 2}\n'


def test_heads_are_announced_where_no_file_is_named(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "frostgate.db", "--head-export", "-") as server:
        head = json.loads(server.process.next_line())
        assert (head["revision"], head["hash"]) == (0, GENESIS)
