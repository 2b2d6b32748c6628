"""Whether the attacks are run in full, or in a short form of some seconds."""

import os

IS_FULL = os.environ.get("SMS_ETL_TEST_ATTACKS") == "full"
EVERY = 8 if IS_FULL else 64
"""All cases are met together; of so many, one is also met by itself, from the attack to the recovery."""
MANY = 3_000
"""Rows a case stands in the middle of."""
