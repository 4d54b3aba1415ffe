"""Sets the clock of a server that is started with this directory in PYTHONPATH.

The clock always shows the time in the file that the variable FIXED_CLOCK names. Python imports this module before any
other, so that every module that imports `utc_now` by name gets the fixed clock.
"""

import os
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType


def _clock_module() -> ModuleType:
    """The server's clock module, in the package of this version of the server."""
    try:
        return import_module("frostgate_server.domain.clock")
    except ModuleNotFoundError:
        return import_module("frostgate_server.clock")


_FILE = Path(os.environ["FIXED_CLOCK"])


def _fixed() -> datetime:
    return datetime.fromisoformat(_FILE.read_text())


vars(_clock_module())["utc_now"] = _fixed
