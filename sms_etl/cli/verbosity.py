"""Logs of this package on stderr, as many as were asked for; nobody else's below a warning.

What libraries log may hold whole addresses with what is asked for; those must not reach a log.
"""

import logging

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def log_to_stderr(verbosity: int) -> None:
    """Log warnings; with 1 what this package does, with 2 every detail of it. The last call counts."""
    handler = _AboveTheBars()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("sms_etl").setLevel(_LEVELS[min(verbosity, len(_LEVELS) - 1)])


class _AboveTheBars(logging.Handler):
    """Prints through the console of the progress bars, which moves them out of the way."""

    def emit(self, record: logging.LogRecord) -> None:
        from sms_etl.cli.console import stderr  # noqa: PLC0415 - `--help` logs nothing and must answer at once

        try:
            stderr().print(self.format(record), markup=False, highlight=False, soft_wrap=True)
        except Exception:  # noqa: BLE001 - as every handler: a log that fails stops nothing
            self.handleError(record)
