"""Every backend keeps the promises of the backend interface."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from frostgate_server.domain.audit_entry import AuditNote
from frostgate_server.domain.errors import StartupError
from frostgate_server.storage.backend import Backend, DatabaseInconsistent
from frostgate_server.storage.backends import find_backend
from frostgate_server.storage.interface import Store, Transaction
from support.subjects import ServiceSubject

Join = Callable[[Backend], Store]


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """A backend whose database does not exist yet. One parameter for each row of `backends`."""
    return find_backend({"sqlite": tmp_path / "place" / "frostgate.db"}[request.param])


@pytest.fixture
def join() -> Iterator[Join]:
    """Prepares and joins a database as a worker does, which gets the prepared database pickled."""
    opened: list[Store] = []

    def prepared_and_joined(one: Backend) -> Store:
        with closing(one.reserve(create=True)):
            prepared = pickle.loads(pickle.dumps(one.prepare(create=True)))  # noqa: S301 - our own
            opened.append(one.join(prepared, nullcontext))
        return opened[-1]

    yield prepared_and_joined
    for store in opened:
        store.close()


def write_note(transaction: Transaction) -> None:
    transaction.append_audit_note(AuditNote("sub:a", "GetCustomer", "PARTNER_MISMATCH", "c", datetime.now(UTC)))


def test_a_missing_database_is_made_only_where_that_is_asked_for(backend: Backend) -> None:
    with pytest.raises(StartupError, match="does not exist: correct --database"):
        backend.ensure_exists()
    with pytest.raises(StartupError, match="pass --create to make a new one"):
        backend.reserve(create=False)
    with closing(backend.reserve(create=True)):
        assert backend.prepare(create=True).revision == 0
    backend.ensure_exists()
    assert backend.prepare(create=False).revision == 0


def test_a_reserved_database_is_refused_to_a_second_server(backend: Backend) -> None:
    with closing(backend.reserve(create=True)) as reserved:
        assert reserved.fileno() > 2
        with pytest.raises(StartupError, match="is in use by process"):
            backend.reserve(create=True)
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


def test_a_head_that_the_history_did_not_go_through_is_noticed(backend: Backend, join: Join, tmp_path: Path) -> None:
    ServiceSubject(join(backend)).associate("a", "p")
    other = find_backend(tmp_path / "other.db")
    ServiceSubject(join(other)).associate("a", "p")
    foreign = other.get_current_head(other.prepare(create=False))
    with pytest.raises(DatabaseInconsistent):
        backend.verify([foreign])


def test_a_backup_is_whole_and_recovers_with_revisions_far_ahead(backend: Backend, join: Join, tmp_path: Path) -> None:
    ServiceSubject(join(backend)).associate("a", "p")
    assert backend.back_up(tmp_path / "copy.db") == 1
    with pytest.raises(StartupError, match="exists already: name a new file"):
        backend.back_up(tmp_path / "copy.db")
    copy = find_backend(tmp_path / "copy.db")
    assert copy.verify([]).events == 1
    recovered = copy.recover()
    assert (recovered.customers, recovered.events, recovered.last_revision) == (1, 1, 1)
    assert recovered.floor > 10**9
    assert ServiceSubject(join(copy)).associate("b", "p") == recovered.floor + 1


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
