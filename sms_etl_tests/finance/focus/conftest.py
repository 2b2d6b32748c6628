"""The account whose January is ripe, as closing has it."""

from sms_etl_tests.finance.closing.conftest import ripe, ripe_path

__all__ = ["ripe", "ripe_path"]
