"""Deletes what must not be kept any longer: by rules, with a proof a message, and with a ledger of it all."""
