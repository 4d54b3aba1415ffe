"""A server for each attack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.attacked import KINDS, Attacked, Kind, attacked


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Without callers, or with TLS and tokens."""
    found: Kind = request.param
    return found


@pytest.fixture
def target(tmp_path: Path, kind: Kind) -> Iterator[Attacked]:
    """A server with one worker and the default limits. Costs its start."""
    with attacked(tmp_path, kind) as one:
        yield one
