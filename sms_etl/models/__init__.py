"""Reads, builds and tests the SQL models: project.py reads, runner.py builds, checks.py tests."""
