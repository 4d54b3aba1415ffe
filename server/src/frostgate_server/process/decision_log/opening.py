"""Opens the decision log of a worker."""

from functools import partial
from pathlib import Path

from frostgate_server.config.log_settings import BLOCK
from frostgate_server.observability.record_queue import RecordQueue
from frostgate_server.observability.record_targets import FileTarget, RecordTarget, StreamTarget
from frostgate_server.process.worker_config import WorkerConfig
from frostgate_server.rpc.decision_log.decision_log import DecisionLog
from frostgate_server.rpc.decision_log.records import DecisionRecords, describe_lost


def open_decision_log(config: WorkerConfig) -> DecisionLog | None:
    """The decision log. None if it is off. Raises OSError."""
    settings = config.settings
    if not settings.decision_log:
        return None
    target: RecordTarget
    if config.stdout is not None:
        target = StreamTarget(config.stdout)
    else:
        target = FileTarget(Path(settings.decision_log), settings.decision_log_max_size)
    queue = RecordQueue(target, partial(describe_lost, config.number))
    blocks = settings.decision_log_when_full == BLOCK
    return DecisionLog(DecisionRecords(config.policy, settings), queue, blocks=blocks)
