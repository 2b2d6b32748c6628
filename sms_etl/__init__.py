"""A company's SMS traffic, from the provider's API to figures finance can close a month on.

For analysts, on the published copy, read-only and exact:

    import sms_etl

    costs = sms_etl.read("marts.cost_monthly", month="2026-01")    # a pandas DataFrame
    costs = sms_etl.read_frame("select * from marts.cost_monthly")  # the same of any query
    connection = sms_etl.connect()                                  # a DuckDB connection
    engine = sms_etl.engine()                                       # for SQLAlchemy
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sms_etl.warehouse.read import connect, engine, read, read_frame
else:

    def __getattr__(name: str) -> object:
        """Import what reads when it is asked for: the command line imports this package each time."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sms_etl.warehouse import read as reading  # noqa: PLC0415 - only once it is asked for

        return getattr(reading, name)


__version__ = "0.1.0"
__all__ = ["__version__", "connect", "engine", "read", "read_frame"]
