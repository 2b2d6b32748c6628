"""`python -m sms_etl` is `sms-etl`."""

from sms_etl.cli import main

main()
