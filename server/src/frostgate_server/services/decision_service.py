"""The use case of control planes: the state that decides."""

from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import RevisionNotReached
from frostgate_server.storage.interface import Store


class DecisionService:
    """Tells control planes the state that decides. Raises RevisionNotReached rather than give an older one."""

    def __init__(self, store: Store) -> None:
        """Takes a store that is always current: a revision it has not reached now, nobody has made."""
        self._store = store

    def read_state(self, customer_id: str, minimum_revision: int) -> tuple[FreezeState | None, int]:
        """The customer's freeze state (None: unknown) and the revision it was read at."""
        state, revision = self._store.get_freeze_state(customer_id)
        _ensure_reached(minimum_revision, revision)
        return state, revision

    def read_states(self, customer_ids: list[str], minimum_revision: int) -> tuple[list[FreezeState | None], int]:
        """The freeze states of many customers at one revision."""
        states, revision = self._store.get_freeze_states(customer_ids)
        _ensure_reached(minimum_revision, revision)
        return states, revision


def _ensure_reached(minimum_revision: int, revision: int) -> None:
    if revision < minimum_revision:
        raise RevisionNotReached(minimum_revision=str(minimum_revision), revision=str(revision))
