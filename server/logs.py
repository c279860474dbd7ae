"""What the server writes into its log, and how."""

import logging
import sys
from collections.abc import Iterable
from typing import Final

import structlog

from server.config.configuration import LogFormat, LogLevel
from server.config.report import Note

_log = structlog.get_logger("holdfast.configuration")

_LEVELS: Final[dict[LogLevel, int]] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: LogLevel, form: LogFormat) -> None:
    """Log to standard error, from `level` on: lines for people, or one JSON object each."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if form == "standard":
        # Other formatters of tracebacks show the values of variables, which may be secrets.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def warn(notes: Iterable[Note]) -> None:
    """Log what a configuration gives reason to warn of, with its place as fields."""
    for note in notes:
        _log.warning(note.message, file=note.place.name, line=note.place.line)
