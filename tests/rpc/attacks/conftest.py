"""Servers under attack: one for the attacks of a module, and one of its own for an attack that would disturb others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.attacked import KINDS, Attacked, Kind, attacked


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Without callers, or with TLS and tokens."""
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, kind: Kind) -> Iterator[Attacked]:
    """A server with one worker and the default limits, which the attacks of a module share."""
    with attacked(tmp_path_factory.mktemp("target"), kind) as one:
        yield one


@pytest.fixture
def own_target(tmp_path: Path, kind: Kind) -> Iterator[Attacked]:
    """A server as `target`, for one attack. Costs its start."""
    with attacked(tmp_path, kind) as one:
        yield one
