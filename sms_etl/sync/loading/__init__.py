"""Loads landing files into the warehouse, in one transaction; `load.load` is the one way in."""
