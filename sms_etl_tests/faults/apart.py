"""`python -m sms_etl_tests.faults.apart` is `sms-etl`, landing in a process of its own for any row."""

from sms_etl.cli import main
from sms_etl.sync import lander

if __name__ == "__main__":  # the process it starts imports this again
    lander.ROWS_WORTH_A_PROCESS = 0
    main()
