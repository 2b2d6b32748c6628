"""`python -m sms_etl_tests.faults.apart` is `sms-etl`, landing in a process of its own for any row."""

from sms_etl.cli.commands import main
from sms_etl.sync.landing import worker as lander

if __name__ == "__main__":  # the process it starts imports this again
    lander.ROWS_WORTH_A_PROCESS = 0
    main()
