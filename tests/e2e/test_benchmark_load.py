"""The load of the benchmarks, built and put on real servers that know their callers in every way."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import load_program
from benchmarks.fill import filled_database
from benchmarks.identified import PLAINTEXT, WAYS, Papers, Way
from benchmarks.load_program import Load
from benchmarks.scenarios import Calls
from benchmarks.servers import CannotMeasure, Running, checks_that_exist, running
from benchmarks.subjects import Frostgate

CUSTOMERS = 3
SECONDS = 0.2

TLS, MTLS, TOKEN = WAYS[1], WAYS[2], WAYS[3]
NEW_TOKENS = next(way for way in WAYS if way.new)


class Bench:
    """The program, and a server for each kind of listener."""

    def __init__(self, program: Path, papers: Papers, servers: Mapping[str, Running], load: Load) -> None:
        self._program = program
        self._papers = papers
        self._servers = servers
        self._load = load

    def statuses(self, server: Way, callers: Way, **more: str) -> dict[str, int]:
        """What came of calls by these callers. Raises CannotMeasure if the load refuses to run."""
        shown = [*self._papers.of_callers(callers), *(f"-{name}={value}" for name, value in more.items())]
        told = load_program.outcome(self._program, self._servers[listener(server)], replace(self._load, shown=shown))
        assert "DECISION_UNSPECIFIED" not in told["measured"]["decisions"]
        statuses: dict[str, int] = told["measured"]["statuses"]
        return statuses


def listener(way: Way) -> str:
    """What a server asks its callers for."""
    return next(
        kind for kind, asked in (("token", way.algorithm), ("certificate", way.certificate), (way.name, 1)) if asked
    )


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"), seconds=4 * SECONDS)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, papers: Papers, load: Path) -> Iterator[Bench]:
    """The load and four servers, each with one worker."""
    directory = tmp_path_factory.mktemp("bench")
    database, log = filled_database(directory, CUSTOMERS), directory / "servers.log"
    with ExitStack() as started:
        servers = {
            listener(way): started.enter_context(
                running(
                    [
                        *Frostgate(CUSTOMERS).command(copy_of(database, listener(way))),
                        *papers.of_server(way),
                        "--workers=1",
                    ],
                    {},
                    log,
                )
            )
            for way in (PLAINTEXT, TLS, MTLS, TOKEN)
        }
        checks = checks_that_exist(servers[listener(PLAINTEXT)])
        yield Bench(load, papers, servers, Load(CUSTOMERS, checks, Calls("check", 2), None, SECONDS, SECONDS, 1))


def copy_of(database: Path, name: str) -> Path:
    """Each database has one server."""
    return Path(shutil.copytree(database.parent, database.parent.parent / name)) / database.name


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_call_is_answered_ok_in_every_way(bench: Bench, way: Way) -> None:
    assert set(bench.statuses(server=way, callers=way)) == {"OK"}


@pytest.mark.parametrize("way", [MTLS, TOKEN], ids=lambda way: way.name)
def test_a_server_that_lets_strangers_in_is_not_measured(
    bench: Bench, way: Way, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CannotMeasure):
        bench.statuses(server=TLS, callers=way)
    assert f"a caller who shows nothing is answered OK, but {way.stranger} is expected" in capfd.readouterr().err


@pytest.mark.parametrize("way", [MTLS, TOKEN], ids=lambda way: way.name)
def test_a_server_that_refuses_the_callers_is_not_measured(
    bench: Bench, way: Way, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CannotMeasure):
        bench.statuses(server=way, callers=TLS)
    assert "a call is not answered OK" in capfd.readouterr().err


def test_a_token_for_each_call_is_never_sent_twice(
    bench: Bench, papers: Papers, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few"
    flags = papers.of_callers(NEW_TOKENS)
    every = next(flag.removeprefix("-tokens=") for flag in flags if flag.startswith("-tokens="))
    few.write_text("\n".join(Path(every).read_text().split()[:3]))
    with pytest.raises(CannotMeasure):
        bench.statuses(server=NEW_TOKENS, callers=NEW_TOKENS, tokens=str(few))
    assert "3 tokens were used up" in capfd.readouterr().err


def test_a_load_that_makes_as_many_calls_as_it_may_is_not_measured(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CannotMeasure):
        bench.statuses(server=PLAINTEXT, callers=PLAINTEXT, **{"most-calls": "4"})
    assert "a caller made as many calls as it may" in capfd.readouterr().err
