"""Every backend keeps the promises of the backend interface."""

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.errors import StartupError
from frostgate_server.domain.verification_code import SentCode
from frostgate_server.storage.backend import Backend, DatabaseInconsistent, PreparedDatabase, open_offline
from frostgate_server.storage.backends import BACKENDS, find_backend
from frostgate_server.storage.interface import Store, Transaction
from support.subjects import ServiceSubject

DATABASES: dict[str, Callable[[Path], Path]] = {"": lambda folder: folder / "place" / "frostgate.db"}
"""For each row of `backends`: the setting that names a new database of a test, which has the folder for itself."""

NewBackend = Callable[[str], Backend]
Join = Callable[..., Store]


@pytest.fixture(params=sorted(BACKENDS), ids=lambda scheme: scheme or "path")
def new_backend(request: pytest.FixtureRequest, tmp_path: Path) -> NewBackend:
    """Finds the backend of a database that does not exist yet. A row of `backends` without a place fails here."""
    return lambda name: find_backend(DATABASES[request.param](tmp_path / name))


@pytest.fixture
def backend(new_backend: NewBackend) -> Backend:
    return new_backend("one")


@pytest.fixture
def join() -> Iterator[Join]:
    """Prepares and joins a database as a worker does, which gets the prepared database pickled."""
    opened: list[Store] = []

    def prepared_and_joined(
        one: Backend, around_group: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Store:
        with closing(one.reserve(create=True)):
            opened.append(one.join(pickled(one.prepare(create=True)), around_group))
        return opened[-1]

    yield prepared_and_joined
    for store in opened:
        store.close()


def pickled(prepared: PreparedDatabase) -> PreparedDatabase:
    copy = pickle.loads(pickle.dumps(prepared))  # noqa: S301 - our own
    assert isinstance(copy, PreparedDatabase)
    assert copy == prepared
    return copy


def make(backend: Backend) -> PreparedDatabase:
    with closing(backend.reserve(create=True)):
        return backend.prepare(create=True)


def write_note(transaction: Transaction) -> None:
    transaction.append_audit_note(AuditNote("sub:a", "GetCustomer", "PARTNER_MISMATCH", "c", datetime.now(UTC)))


def write_code(transaction: Transaction) -> None:
    transaction.save_code("p", SentCode("1", "d", datetime.now(UTC)))


def has_code(transaction: Transaction) -> bool:
    return transaction.get_code("p") is not None


def test_a_missing_database_is_made_only_where_that_is_asked_for(backend: Backend) -> None:
    with pytest.raises(StartupError, match="pass --create to make a new one"):
        backend.reserve(create=False)
    with closing(backend.reserve(create=True)):
        with pytest.raises(StartupError, match="pass --create to make a new one"):
            backend.prepare(create=False)
        assert backend.prepare(create=True).revision == 0
    backend.ensure_exists()
    assert backend.prepare(create=False).revision == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda backend, _: backend.ensure_exists(),
        lambda backend, _: list(backend.list_audit_entries(0)),
        lambda backend, _: backend.verify([]),
        lambda backend, to: backend.back_up(to),
        lambda backend, _: backend.recover(),
        lambda backend, _: open_offline(backend).__enter__(),
    ],
    ids=["ensure_exists", "list_audit_entries", "verify", "back_up", "recover", "open_offline"],
)
def test_a_missing_database_is_refused_and_not_made(
    backend: Backend, tmp_path: Path, use: Callable[[Backend, Path], object]
) -> None:
    with pytest.raises(StartupError, match="does not exist: ") as refused:
        use(backend, tmp_path / "copy.db")
    assert "--create" not in str(refused.value)
    assert list(tmp_path.rglob("*.db*")) == []


def test_a_reserved_database_is_refused_to_a_second_server(backend: Backend) -> None:
    make(backend)
    with closing(backend.reserve(create=False)):
        for use in (lambda: backend.reserve(create=True), backend.recover, lambda: open_offline(backend).__enter__()):
            with pytest.raises(StartupError, match="is in use by process"):
                use()
    backend.reserve(create=True).close()


def test_a_database_stays_reserved_while_a_worker_has_the_descriptor(backend: Backend) -> None:
    reserved = backend.reserve(create=True)
    inherited = os.dup(reserved.fileno())
    reserved.close()
    with pytest.raises(StartupError, match="is in use by"):
        backend.reserve(create=True)
    os.close(inherited)
    backend.reserve(create=True).close()


def test_a_change_shows_in_the_head_the_audit_log_and_the_result_of_verify(backend: Backend, join: Join) -> None:
    store = join(backend)
    assert ServiceSubject(store).associate("a", "p") == 1
    store.run_transaction(write_note)
    prepared = backend.prepare(create=False)
    head = backend.get_current_head(prepared)
    assert (prepared.revision, head.revision, head.audit_sequence) == (1, 1, 1)
    assert [entry.note.subject for entry in backend.list_audit_entries(0)] == ["c"]
    assert list(backend.list_audit_entries(1)) == []
    verified = backend.verify([head])
    assert (verified.customers, verified.events, verified.audit_entries, verified.head) == (1, 1, 1, head)


def test_two_workers_see_the_changes_of_each_other(backend: Backend, join: Join) -> None:
    first, second = join(backend), join(backend)
    assert ServiceSubject(first).associate("a", "p") == 1
    assert ServiceSubject(second).associate("b", "p") == 2
    assert first.get_revision() == second.get_revision() == 2


def test_a_change_is_committed_within_its_group(backend: Backend, join: Join) -> None:
    steps = []

    @contextmanager
    def around_group() -> Iterator[None]:
        steps.append("begin")
        yield
        steps.append("end")

    join(backend, around_group).run_transaction(lambda _: steps.append("work"))
    assert steps == ["begin", "work", "end"]


def test_a_head_that_the_history_did_not_go_through_is_noticed(
    backend: Backend, new_backend: NewBackend, join: Join
) -> None:
    ServiceSubject(join(backend)).associate("a", "p")
    other = new_backend("other")
    ServiceSubject(join(other)).associate("a", "p")
    foreign = other.get_current_head(other.prepare(create=False))
    with pytest.raises(DatabaseInconsistent):
        backend.verify([foreign])


def test_a_database_that_was_recovered_is_not_joined_as_it_was_prepared_before(backend: Backend) -> None:
    prepared = make(backend)
    backend.recover()
    with pytest.raises(StartupError, match="was replaced while it was served"):
        backend.join(prepared, nullcontext)
    with pytest.raises(OSError, match="was replaced while it was served"):
        backend.get_current_head(prepared)


def test_a_backup_of_a_served_database_is_whole_and_recovers_with_revisions_far_ahead(
    backend: Backend, join: Join, tmp_path: Path
) -> None:
    store = join(backend)
    ServiceSubject(store).associate("a", "p")
    store.run_transaction(write_code)
    assert backend.back_up(tmp_path / "copy.db") == 1
    ServiceSubject(store).associate("later", "p")
    copy = find_backend(tmp_path / "copy.db")
    assert copy.verify([]).events == 1
    recovered = copy.recover()
    assert (recovered.customers, recovered.events, recovered.last_revision) == (1, 1, 1)
    assert recovered.floor > 10**9
    taken_up = join(copy)
    assert not taken_up.run_transaction(has_code)
    assert ServiceSubject(taken_up).associate("b", "p") == recovered.floor + 1
    assert store.run_transaction(has_code)


def test_a_backup_needs_a_new_file_in_a_directory_that_exists(backend: Backend, tmp_path: Path) -> None:
    make(backend)
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(StartupError, match="exists already: name a new file"):
        backend.back_up(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
    with pytest.raises(StartupError, match="cannot be copied"):
        backend.back_up(tmp_path / "none" / "copy.db")


def test_a_command_changes_a_database_that_is_not_served(backend: Backend) -> None:
    make(backend)
    with open_offline(backend) as store:
        assert ServiceSubject(store).associate("a", "p") == 1
        with pytest.raises(StartupError, match="is in use by process"):
            backend.reserve(create=False)
    backend.reserve(create=False).close()
    assert backend.prepare(create=False).revision == 1


def test_each_database_has_its_own_key_file(backend: Backend, new_backend: NewBackend) -> None:
    assert backend.default_key_file.is_absolute()
    assert backend.default_key_file != new_backend("other").default_key_file


def test_all_files_of_a_served_database_have_its_file_endings(backend: Backend, join: Join, tmp_path: Path) -> None:
    ServiceSubject(join(backend)).associate("a", "p")
    backend.default_key_file.touch()
    endings = {path.name.removeprefix("frostgate.db") for path in tmp_path.rglob("*") if path.is_file()}
    assert endings <= set(backend.file_endings)


@pytest.mark.parametrize(
    ("database", "scheme"),
    [
        ("postgresql://user:secret@host/frostgate", "postgresql"),
        ("PostgreSQL://host/frostgate", "postgresql"),
        ("postgresql://", "postgresql"),
        ("mysql:/x", "mysql"),
        ("sqlite:///x.db", "sqlite"),
    ],
)
def test_a_url_that_no_backend_takes_is_refused_by_name(database: str, scheme: str) -> None:
    with pytest.raises(StartupError) as refused:
        find_backend(Path(database))
    assert str(refused.value) == f"database must be the path of an SQLite file, but is a URL with the scheme {scheme}"


@pytest.mark.parametrize("database", ["a", "a.db", "data/a:b.db", "a:b", "/srv/a:/b.db", "C:/a"])
def test_a_path_is_no_url(database: str) -> None:
    assert find_backend(Path(database)).default_key_file == Path(database + "-key").resolve()
