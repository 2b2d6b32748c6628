"""FOCUS, the FinOps Open Cost and Usage Specification: a month's charges as a file that FinOps tools read.

`specification.py` says which columns a file has, `charges.py` reads what goes into them, `rules.py` finds
what breaks a rule, `encoding.py` makes CSV and Parquet, and `export.py` is their order. docs/focus.md says
why each column is as it is.
"""
