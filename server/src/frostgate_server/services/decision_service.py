"""The use case of control planes: reading the freeze states for decisions."""

from frostgate_server.domain.enums import FreezeState
from frostgate_server.domain.errors import RevisionNotReached, StorageUnavailable
from frostgate_server.storage.interface import Store


class DecisionService:
    """Reads freeze states for decisions."""

    def __init__(self, store: Store) -> None:
        """The store must always be current: its revision is that of the last change."""
        self._store = store

    def read_group(self, customer_ids: list[str]) -> tuple[list[FreezeState | None], int]:
        """The freeze states of the customers of single checks (None: unknown), and the revision they were read at.

        Raises StorageUnavailable, also if the data of one customer is damaged.
        """
        if len(customer_ids) == 1:
            state, revision = self._store.get_freeze_state(customer_ids[0])
            return [state], revision
        found, revision = self._store.get_freeze_states(customer_ids)
        return [_undamaged(state) for state in found], revision

    def read_states(
        self, customer_ids: list[str], minimum_revision: int
    ) -> tuple[list[FreezeState | StorageUnavailable | None], int]:
        """The freeze states of many customers at one revision. A customer whose data is damaged has an error.

        Raises RevisionNotReached, StorageUnavailable.
        """
        states, revision = self._store.get_freeze_states(customer_ids)
        if revision < minimum_revision:
            raise revision_not_reached(minimum_revision, revision)
        return states, revision


def _undamaged(state: FreezeState | StorageUnavailable | None) -> FreezeState | None:
    if isinstance(state, StorageUnavailable):
        raise state
    return state


def revision_not_reached(minimum_revision: int, revision: int) -> RevisionNotReached:
    """The error of a check that asks for a later state than the store has."""
    return RevisionNotReached(minimum_revision=str(minimum_revision), revision=str(revision))
