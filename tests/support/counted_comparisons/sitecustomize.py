"""Counts the comparisons of verification codes, in a server that is started with this directory in PYTHONPATH.

Each comparison adds a byte to the file that COUNTED_COMPARISONS names.
"""

import os

from frostgate_server.domain.verification_code import CodeKey, Purpose, SentCode

_compared = CodeKey.matches


def _counted(self: CodeKey, sent: SentCode, purpose: Purpose, code: str) -> bool:
    file = os.open(os.environ["COUNTED_COMPARISONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, b".")
    os.close(file)
    return _compared(self, sent, purpose, code)


CodeKey.matches = _counted  # type: ignore[method-assign] # replaced on purpose
