"""`python -m sms_etl` is `sms-etl`."""

from sms_etl.cli import main

if __name__ == "__main__":  # a process it starts imports this again
    main()
