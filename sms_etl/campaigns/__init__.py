"""Campaigns: what a bulk would cost and whom it would reach, sent once, with a record of it."""
