"""Which tests concern which module: the module's own, those that are quick."""

from pathlib import Path

PACKAGE = Path(__file__).parents[2]

SUITES: dict[str, tuple[str, ...]] = {
    "sms_etl/sync/plan.py": ("sync/test_plan.py",),
    "sms_etl/sync/settle.py": ("sync/test_settle.py", "sync/test_settlement.py"),
    "sms_etl/sync/reconcile.py": ("sync/test_reconcile.py",),
    "sms_etl/sync/landing": ("sync/landing",),
    "sms_etl/sync/loading": ("sync/loading", "sync/test_sync.py"),
    "sms_etl/providers/lox24": ("providers/lox24",),
    "sms_etl/providers/lox24/limiter.py": ("providers/lox24/test_limiter.py",),
    "sms_etl/pii": ("pii",),
    "sms_etl/pii/phone_numbers.py": ("pii/test_policy.py", "pii/test_vectorised.py"),
    "sms_etl/pii/redaction.py": ("pii/test_policy.py", "pii/test_apply.py"),
}


def modules() -> list[str]:
    """Return every module that has a suite."""
    return sorted(
        {
            str(path.relative_to(PACKAGE))
            for place in SUITES
            for path in ([PACKAGE / place] if place.endswith(".py") else (PACKAGE / place).glob("*.py"))
            if path.name != "__init__.py"
        }
    )


def suite_of(module: str) -> list[str]:
    """Return the tests of a module: its own, or its room's.

    Raises:
        KeyError: It has none.
    """
    tests = SUITES.get(module) or SUITES[str(Path(module).parent)]
    return [str(PACKAGE / "sms_etl_tests" / test) for test in tests]
