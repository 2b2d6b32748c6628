"""Which tests concern which module: the module's own, those that are quick."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]

SUITES: dict[str, tuple[str, ...]] = {
    "sms_etl/sync": ("sync/loading/test_merge.py", "sync/test_sync.py", "sync/test_refusals.py"),
    "sms_etl/sync/account.py": ("sync/test_account.py",),
    "sms_etl/sync/bulks.py": ("sync/test_bulks.py",),
    "sms_etl/sync/engine.py": (
        "sync/test_counts.py",
        "sync/test_purposes.py",
        "sync/test_refusals.py",
        "sync/test_sync.py",
        "sync/test_sync_log.py",
    ),
    "sms_etl/sync/fetch.py": (
        "sync/test_fetch.py",
        "sync/test_paging_model.py",
    ),
    "sms_etl/sync/intake.py": (
        "sync/loading/test_large_fields.py",
        "sync/loading/test_unloadable.py",
        "sync/test_sync.py",
    ),
    "sms_etl/sync/knowledge.py": ("sync/test_knowledge.py",),
    "sms_etl/sync/lock.py": ("sync/test_lock.py",),
    "sms_etl/sync/pages.py": (
        "sync/test_fetch.py",
        "sync/test_pages.py",
        "sync/test_paging_model.py",
    ),
    "sms_etl/sync/plan.py": ("sync/test_plan.py", "sync/test_plan_reading.py"),
    "sms_etl/sync/probe.py": ("sync/test_probe.py",),
    "sms_etl/sync/provider_facts.py": ("sync/test_knowledge.py",),
    "sms_etl/sync/pull.py": ("sync/test_pruned.py", "sync/test_settlement.py", "sync/test_sync_log.py"),
    "sms_etl/sync/reconcile.py": ("sync/test_differences.py",),
    "sms_etl/sync/settle.py": ("sync/test_settle.py", "sync/test_settlement.py"),
    "sms_etl/sync/state.py": ("sync/test_state.py",),
    "sms_etl/sync/streaming.py": ("sync/test_streaming.py",),
    "sms_etl/sync/task.py": ("sync/test_task.py",),
    "sms_etl/sync/ties.py": ("sync/test_costs_of_ties.py",),
    "sms_etl/sync/landing": ("sync/landing",),
    "sms_etl/sync/landing/files.py": ("sync/landing/test_files.py", "sync/landing/test_writer.py"),
    "sms_etl/sync/landing/misplaced.py": ("sync/landing/test_misplaced.py",),
    "sms_etl/sync/loading": (
        "sync/loading/test_batch.py",
        "sync/loading/test_lateness.py",
        "sync/loading/test_load.py",
        "sync/loading/test_merge.py",
        "sync/loading/test_missing.py",
        "sync/loading/test_watermark.py",
    ),
    "sms_etl/sync/loading/batch.py": ("sync/loading/test_batch.py",),
    "sms_etl/sync/loading/lateness.py": ("sync/loading/test_lateness.py",),
    "sms_etl/sync/loading/load.py": ("sync/loading/test_load.py", "sync/loading/test_watermark.py"),
    "sms_etl/sync/loading/merge.py": ("sync/loading/test_batch.py", "sync/loading/test_merge.py"),
    "sms_etl/sync/loading/missing.py": ("sync/loading/test_missing.py",),
    "sms_etl/sync/loading/quarantine.py": ("sync/loading/test_bad_rows_kept.py",),
    "sms_etl/sync/loading/unloadable.py": ("sync/loading/test_files_kept.py",),
    "sms_etl/sync/loading/watermark.py": ("sync/loading/test_watermark.py",),
    "sms_etl/sync/loading/windows.py": ("sync/loading/test_load.py",),
    "sms_etl/providers/lox24": ("providers/lox24",),
    "sms_etl/providers/lox24/bodies.py": ("providers/lox24/test_client_answers.py",),
    "sms_etl/providers/lox24/bulk_search.py": ("providers/lox24/test_bulks.py",),
    "sms_etl/providers/lox24/bulks.py": ("providers/lox24/test_bulks.py",),
    "sms_etl/providers/lox24/codes.py": ("providers/lox24/test_codes.py", "providers/lox24/test_records.py"),
    "sms_etl/providers/lox24/limiter.py": ("providers/lox24/test_limiter.py",),
    "sms_etl/providers/lox24/listed.py": ("providers/lox24/test_listed.py",),
    "sms_etl/providers/lox24/message_ids.py": ("providers/lox24/test_message_ids.py",),
    "sms_etl/providers/lox24/writing.py": (
        "providers/lox24/test_finding_bulks.py",
        "providers/lox24/test_listed.py",
        "providers/lox24/test_message_ids.py",
        "providers/lox24/test_writing.py",
        "providers/lox24/test_writing_faults.py",
    ),
    "sms_etl/providers": ("providers/lox24",),
    "sms_etl/providers/twosms": ("providers/twosms",),
    "sms_etl/providers/twosms/answers.py": (
        "providers/twosms/test_answers.py",
        "providers/twosms/test_client.py",
    ),
    "sms_etl/providers/twosms/criteria.py": ("providers/twosms/test_criteria.py",),
    "sms_etl/pii": ("pii/test_policy.py", "pii/test_vectorised.py"),
    "sms_etl/pii/apply.py": ("pii/test_apply.py",),
    "sms_etl/pii/characters.py": ("pii/test_characters.py", "pii/test_policy.py"),
    "sms_etl/pii/key.py": ("pii/test_key.py",),
    "sms_etl/pii/receipts.py": ("pii/test_apply.py", "pii/test_rotate.py"),
    "sms_etl/pii/redaction.py": ("pii/test_redaction.py",),
    "sms_etl/pii/rewriting.py": ("pii/test_apply.py", "pii/test_rotate.py"),
    "sms_etl/pii/rotate.py": ("pii/test_rotate.py",),
    "sms_etl/pii/senders.py": ("pii/test_senders.py",),
    "sms_etl/pii/state.py": ("pii/test_state.py", "pii/test_key.py"),
    "sms_etl/overview/cohorts.py": ("overview/test_cohorts.py",),
    "sms_etl/overview/ranges.py": ("overview/test_ranges.py",),
}


NOT_SEEN = {"sms_etl/sync/landing/worker.py"}
"""Run in a process that the code starts itself, which imports them from their files: without the change."""


def modules() -> list[str]:
    """Return every module that has a suite, and whose changes it can see."""
    return sorted(
        {
            str(path.relative_to(PROJECT))
            for place in SUITES
            for path in ([PROJECT / place] if place.endswith(".py") else (PROJECT / place).glob("*.py"))
            if path.name != "__init__.py"
        }
        - NOT_SEEN
    )


def suite_of(module: str) -> list[str]:
    """Return the tests of a module: its own, or its room's.

    Raises:
        KeyError: It has none.
    """
    tests = SUITES.get(module) or SUITES[str(Path(module).parent)]
    return [str(PROJECT / "sms_etl_tests" / test) for test in tests]
