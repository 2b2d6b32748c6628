"""Loads landing files into the warehouse, in one transaction; `merge.load` is the one way in."""
