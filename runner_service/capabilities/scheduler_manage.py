"""`cap:scheduler.manage`: calls of the extension's own endpoints at set times."""

from typing import ClassVar

from runner_service.abi.values import Err, Value
from runner_service.capabilities.capability import Answers
from runner_service.capabilities.unoffered import Unoffered
from shared.capabilities import SCHEDULER_MANAGE


def _every_function(read: str, change: str) -> Answers:
    failed: dict[str, Value] = {"success": False, "error": change}
    with_faults: dict[str, Value] = failed | {"field-errors": None}
    return {
        "list-schedules": Err(read),
        "get-schedule": Err(read),
        "get-endpoints": Err(read),
        "create-schedule": with_faults | {"schedule-id": None},
        "update-schedule": with_faults,
        "delete-schedule": failed,
    }


class SchedulerManage(Unoffered):
    """There is no scheduler yet."""

    name = SCHEDULER_MANAGE
    interface = "alga:extension/scheduler"
    denials: ClassVar[Answers] = _every_function(
        "denied", f"Permission denied: {SCHEDULER_MANAGE} not granted"
    )
    failures: ClassVar[Answers] = _every_function(
        "internal", "This version of the platform has no scheduler"
    )
