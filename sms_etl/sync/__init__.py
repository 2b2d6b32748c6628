"""Plan, fetch, land, load, settle; `engine.py` puts them in order."""
