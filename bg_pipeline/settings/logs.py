"""Log records as JSON, one object a line, for programs that collect logs."""

import io
import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.redaction import redacted
from bg_pipeline.settings.part import Part, absolute

_STDERR = "-"

_LOGGER = logging.getLogger("bg_pipeline")


class LogSettings(Part):
    """The place of log records for programs."""

    log_json: str = Field(
        "",
        description="file to which log records are appended as JSON, one object a line; `-` is standard error, where a"
        " command then writes nothing else. Their fields: [operating.md](operating.md#logs)",
    )

    @field_validator("log_json")
    @classmethod
    def _is_a_path(cls, value: str, info: ValidationInfo) -> str:
        return value if value == _STDERR else absolute(value, info.context)


class JsonLine(logging.Formatter):
    """Formats a log record as one JSON object without secrets; `facts` in its `extra` are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about,
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["trace"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps({name: _plain(value) for name, value in fields.items()})


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else redacted(str(value))


class _AppendedFile(WatchedFileHandler):
    """
    A file that several processes append to, each record in one write, and that logrotate may replace.

    What cannot be written is left out: no work ends for a log.
    """

    _told = False

    def _open(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.FileIO(self.baseFilename, "a"), "utf-8", write_through=True)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  its base's name
        if not self._told:
            self._told = True
            sys.stderr.write(f"BG_LOG_JSON: {sys.exception()}; log records are left out\n")


_target = ""
_handler: logging.Handler | None = None
"""The place where this process writes JSON; None while it writes none."""

_about: Mapping[str, str] = {}
"""Fields of every record: a process does one run at a time."""


def log_as_json(settings: LogSettings) -> None:
    """
    Write this package's log records where the settings say, until the process ends or they change.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    global _target, _handler
    if settings.log_json == _target:
        return
    if _handler is not None:
        _LOGGER.removeHandler(_handler)
        _handler.close()
    _target, _handler = "", None
    if settings.log_json:
        try:
            handler = logging.StreamHandler() if settings.log_json == _STDERR else _AppendedFile(settings.log_json)
        except OSError as error:
            raise ConfigurationError(f"BG_LOG_JSON: {settings.log_json} cannot be written: {error.strerror}") from error
        handler.setFormatter(JsonLine())
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
        _target, _handler = settings.log_json, handler


def json_handler() -> logging.Handler | None:
    """Return the handler that writes JSON, for records of other loggers; None if there is none."""
    return _handler


def owns_stderr() -> bool:
    """Return True if standard error has JSON, and nothing else."""
    return _target == _STDERR


def line_for_stderr(text: str) -> str:
    """Return a line in the form that standard error has; it takes no lock, so a signal's handler may call it."""
    return JsonLine().format(logging.makeLogRecord({"msg": text, "name": __name__})) if owns_stderr() else text


@contextmanager
def logged_about(**fields: str) -> Iterator[None]:
    """Add these fields to every record of the process, in this block."""
    global _about  # noqa: PLW0603  as above
    before, _about = _about, {**_about, **fields}
    try:
        yield
    finally:
        _about = before
