"""Closing a month: is it ripe, does the invoice agree, what is kept of it for ever, what changed since.

`close.py` is the order of the steps. Unlike the rest of finance it reads `raw` too, to prove that marts say
what the provider said.
"""
