"""Verifies a hash chain for the background check."""

from collections.abc import Mapping

from frostgate_server.domain.hash_chain import GENESIS
from frostgate_server.storage.sqlite.files.head_file import REVISION_JUMP

from .findings import Findings


class ChainCheck:
    """Verifies a chain of events or audit entries, link by link. It accepts the gaps that recoveries leave."""

    def __init__(self, link: str, known: Mapping[int, str], findings: Findings) -> None:
        """`known` are hashes of earlier heads, by number. The chain must contain them."""
        self.number = 0
        self.hash: str | None = GENESIS
        """The hash of the last link. None if the link before could not be read."""
        self._link = link
        self._known = known
        self._findings = findings

    def ensure_next(self, number: int) -> None:
        """Notes links that are missing before this number. Call it before the hash of the link is computed."""
        if not (number == self.number + 1 or number > self.number + REVISION_JUMP):
            first, last = self.number + 1, number - 1
            self._findings.note(f"{self._link} {first if first == last else f'{first} to {last}'}: missing")
            self.hash = None

    def follow(self, number: int, claimed: str, made: str, customer_id: str | None = None) -> None:
        """Verifies the next link: `claimed` is its stored hash, and `made` the hash computed from the link before."""
        if self.hash is not None and made != claimed:
            text = f"{self._link} {number}: its hash does not match its content and the hash of the {self._link} before"
            self._findings.note(text, customer_id)
        if self._known.get(number, claimed) != claimed:
            self._findings.note(f"the history: {self._link} {number} differs from a known head", customer_id)
        self.number, self.hash = number, claimed

    def end(self, number: int, hash_: str) -> None:
        """Verifies the end of the chain against the head of the database."""
        if self.hash not in (hash_, None) or not (number == self.number or number >= self.number + REVISION_JUMP):
            self._findings.note(f"the head: {self._link} {number} does not match the last {self._link}, {self.number}")
        for known, hash_then in self._known.items():
            if self.number < known and (known > number or hash_then != hash_):
                self._findings.note(f"the history: it ends at {self._link} {number}, but a known head is at {known}")
