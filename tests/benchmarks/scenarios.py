"""What is asked of whom: each scenario is a round of runs, which is repeated."""

from collections.abc import Callable
from dataclasses import dataclass

from .identified import WAYS
from .peers.peer_file import Peer
from .subjects import ECHOES, Echo, Frostgate, GoEcho, Subject

CALLERS = (1, 8, 64)
BATCHES = (10, 100, 1000)
IDENTIFIED_CALLERS = (8, 64)
BESIDE = ("batch", "change", "list", "reflect")
"""What 64 callers do beside those that check."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What so many callers do at once. `rate` is in calls a second; 0: each calls as soon as it is answered."""

    kind: str
    callers: int
    batch: int = 1
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a round."""

    subject: Subject
    calls: Calls
    beside: Calls | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A round of runs, one right after the other, so that what else the machine does meets all of them alike."""

    name: str
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Known:
    """Results of earlier scenarios with 64 callers: the best echo, and frostgate's checks/s."""

    best_echo: Echo
    capacity: float


def yardstick(callers: int) -> Scenario:
    """Looks for the make of echo that answers so many callers the most."""
    return Scenario(f"yardstick, {callers} at once", [Entry(echo, Calls("check", callers)) for echo in ECHOES])


def checks(sizes: list[int], echoes: list[Echo | GoEcho], callers: int, peers: list[Peer]) -> Scenario:
    """Checks beside echoes and peers, with databases of several sizes. Peers are called as they ask for."""
    subjects: list[Subject] = [*echoes, *map(Frostgate, sizes)]
    entries = [Entry(subject, Calls("check", callers)) for subject in subjects]
    entries += [Entry(peer, Calls("call", callers)) for peer in peers]
    return Scenario(f"checks, {callers} at once", entries)


def half_load(smallest: int, known: Known) -> Scenario:
    """Half as many checks as frostgate can answer."""
    calls = Calls("check", 64, rate=round(known.capacity / 2))
    return Scenario("half load", [Entry(subject, calls) for subject in (known.best_echo, Frostgate(smallest))])


def batches(sizes: list[int]) -> Scenario:
    """Batches beside single checks."""
    smallest, *_ = sizes
    entries = [Entry(Frostgate(smallest), Calls("check", 8))]
    entries += [Entry(Frostgate(smallest), Calls("batch", 8, batch=size)) for size in BATCHES]
    return Scenario("batches", entries)


def changes(smallest: int, callers: int) -> Scenario:
    """Freezes and unfreezes in turn, committed in groups and each alone."""
    calls = Calls("change", callers)
    ways = [Frostgate(smallest, own=True), Frostgate(smallest, own=True, one_change_a_group=True)]
    return Scenario(f"changes, {callers} at once", [Entry(way, calls) for way in ways])


def checks_during_changes(smallest: int) -> Scenario:
    """A thousand checks a second, alone and while 64 callers freeze and unfreeze."""
    calls = Calls("check", 64, rate=1000)
    subject = Frostgate(smallest, own=True)
    return Scenario("during changes", [Entry(subject, calls), Entry(subject, calls, Calls("change", 64))])


def checks_beside_others(smallest: int) -> Scenario:
    """As many checks as go, alone and beside 64 callers of everything else."""
    calls = Calls("check", 16)
    subject = Frostgate(smallest, own=True)
    others = [Calls(kind, 64, batch=1000 if kind == "batch" else 1) for kind in BESIDE]
    return Scenario("beside others", [Entry(subject, calls), *(Entry(subject, calls, other) for other in others)])


def identities(smallest: int, callers: int) -> Scenario:
    """Checks in plaintext, and by callers that are known in every other way."""
    entries = [Entry(Frostgate(smallest, way=way), Calls("check", callers)) for way in WAYS]
    return Scenario(f"identities, {callers} at once", entries)


def after(sizes: list[int]) -> list[Callable[[Known], Scenario]]:
    """Every scenario for which something has to be known, except those of identities."""
    smallest, *_ = sizes
    return [
        lambda known: half_load(smallest, known),
        lambda _: batches(sizes),
        lambda _: changes(smallest, 1),
        lambda _: changes(smallest, 64),
        lambda _: checks_during_changes(smallest),
        lambda _: checks_beside_others(smallest),
    ]
