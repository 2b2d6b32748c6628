"""A company's SMS traffic, from the provider's API to figures finance can close a month on."""

__version__ = "0.1.0"
