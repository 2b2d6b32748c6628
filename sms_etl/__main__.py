"""`python -m sms_etl` is `sms-etl`."""

if __name__ == "__main__":  # a process it starts imports this again, and needs no command line
    from sms_etl.cli.commands import main

    main()
