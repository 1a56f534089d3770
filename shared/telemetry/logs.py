"""Logs: one JSON object a line on standard error, with the request id when there is one.

Log events are written by the platform, never with a guest's, caller's or tenant's content, and
never with a token or secret: say which rule was met, and for which request.
"""

import logging
import sys
from collections.abc import MutableMapping

import structlog

from shared.rpc.metadata import current_request_id


def configure_logs(*, service: str, level: str = "INFO") -> None:
    """Sets up logging for this process; called once, by its `__main__`."""

    def add_context(
        _logger: object, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        event["service"] = service
        if request_id := current_request_id.get():
            event["request_id"] = request_id
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_context,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
