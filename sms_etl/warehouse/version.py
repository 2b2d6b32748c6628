"""The version of the warehouse's schema that this code writes and reads; see migrations.py."""

VERSION = 6
