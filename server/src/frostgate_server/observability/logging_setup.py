"""The log, on stderr: lines of all processes of a server, each with the name of its process."""

import logging
import sys


def log_to_stderr(level: str, process: str) -> None:
    """Logs from now on. `level` is debug, info, warning or error."""
    logging.basicConfig(
        level=level.upper(), format=f"%(asctime)s %(levelname)s {process}: %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
