"""What a worker is told to do by its supervisor."""

from dataclasses import dataclass

from .codes import CodeKey
from .policy import Policy
from .settings import Settings
from .sqlite_store import Prepared


@dataclass(frozen=True, slots=True)
class Orders:
    """All that decides how a worker answers, settled once for all workers: no file is read again for one of them.

    `number` names the worker, from 1. `listeners` are the addresses where it listens, together with the others.
    """

    number: int
    listeners: tuple[str, ...]
    database: Prepared
    policy: Policy
    code_key: CodeKey
    settings: Settings
