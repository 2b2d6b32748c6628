"""Delivery events: the provider sends them as they happen, a sync applies them.

`sms-etl webhook` answers an event with a 2xx once it is on the disk (`server.py`, `receiver.py`, `event.py`,
`together.py`, `segments.py`); it never opens the warehouse. A sync applies what lies there, each event once
(`apply.py`), and writes each down in `ops.delivery_event`. What is decided how: docs/decisions/0025.
"""
