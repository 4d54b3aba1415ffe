"""A chain of hashes, as far as the background check has followed it."""

from collections.abc import Mapping

from frostgate_server.domain.hash_chain import GENESIS
from frostgate_server.storage.sqlite.files.head_file import REVISION_JUMP

from .findings import Findings


class ChainCheck:
    """Follows a chain of events or audit entries through its links, over gaps that recoveries left."""

    def __init__(self, link: str, known: Mapping[int, str], findings: Findings) -> None:
        """`known` are numbers that the chain went through, each with its hash then."""
        self.number = 0
        self.hash: str | None = GENESIS
        """None where the link before could not be read."""
        self._link = link
        self._known = known
        self._findings = findings

    def ensure_next(self, number: int) -> None:
        """To be called before the hash of a link is computed: links may be missing before it."""
        if not (number == self.number + 1 or number > self.number + REVISION_JUMP):
            self._findings.note(f"{self._link} {self.number + 1} to {number - 1}: missing")
            self.hash = None

    def follow(self, number: int, claimed: str, made: str, customer_id: str | None = None) -> None:
        """Goes on to a link with the hash that it claims, and the one that it makes with the link before."""
        if self.hash is not None and made != claimed:
            text = f"{self._link} {number}: its hash does not follow from it and the {self._link} before"
            self._findings.note(text, customer_id)
        if self._known.get(number, claimed) != claimed:
            self._findings.note(f"the history: {self._link} {number} is not the one that was there before", customer_id)
        self.number, self.hash = number, claimed

    def end(self, number: int, hash_: str) -> None:
        """The head of the database, at its end."""
        if self.hash not in (hash_, None) or not (number == self.number or number >= self.number + REVISION_JUMP):
            self._findings.note(
                f"the head: {self._link} {number} does not stand where the last {self._link}, {self.number}, ends"
            )
        for known, hash_then in self._known.items():
            if self.number < known and (known > number or hash_then != hash_):
                self._findings.note(f"the history: it ends at {self._link} {number}, but {known} was there")
