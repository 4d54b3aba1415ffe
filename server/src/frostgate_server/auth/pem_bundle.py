"""Bundles of certificates: PEM files with several certificates. Each is parsed separately."""

import re
from itertools import pairwise

_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )?CERTIFICATE-----")
_END = re.compile(rb"-----END (?:[A-Z0-9]+ )?CERTIFICATE-----")


def split_bundle(pem: bytes) -> list[tuple[str, bytes]]:
    """The place and the block of each certificate, also of one that cannot be read.

    A block without an end line ends where the next block begins, so that the next certificate is not lost.
    """
    starts = [begin.start() for begin in _BEGIN.finditer(pem)]
    blocks = []
    line, counted = 1, 0
    for number, (start, following) in enumerate(pairwise([*starts, len(pem)]), start=1):
        end = _END.search(pem, start, following)
        block = pem[start : end.end() if end else following]
        line, counted = line + pem.count(b"\n", counted, start), start
        blocks.append((f"certificate {number} (line {line})", block))
    return blocks
