"""Says in words what a check that failed looks at: its name alone tells only who wrote it."""

import re
from collections.abc import Callable
from functools import cache

from sms_etl.errors import ModelError
from sms_etl.settings import Settings

_NAMED = re.compile(r"(?P<model>[\w.]+): (?P<test>\w+) \((?P<rows>\d+) rows\)")
"""As `warehouse.publication.failed_checks` names a check."""


def in_words(model: str, test: str, rows: int, description: str) -> str:
    """Return what a check says, and then how it is called and how many rows are wrong."""
    counted = "1 row" if rows == 1 else f"{rows:,} rows"
    return f"{description.strip().rstrip('.')} ({model}: {test}, {counted})"


def check_words(settings: Settings) -> Callable[[str], str]:
    """Return a function that puts the name of a failed check, `model: test (3 rows)`, in words.

    What names no check of the models as they are is returned as it is. The models are read at the first name
    only: there is none as long as all is well.
    """

    @cache
    def described() -> dict[tuple[str, str], str]:
        from sms_etl.build import project_of  # noqa: PLC0415 - takes half a second
        from sms_etl.models.checks import checks  # noqa: PLC0415 - takes half a second, with the line before

        try:
            return {(each.model, each.test): each.description for each in checks(project_of(settings))}
        except ModelError:
            return {}  # whoever needs the models says what is wrong with them

    def words(named: str) -> str:
        found = _NAMED.fullmatch(named)
        description = found and described().get((found["model"], found["test"]))
        if not found or not description:
            return named
        return in_words(found["model"], found["test"], int(found["rows"]), description)

    return words
