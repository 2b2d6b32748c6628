"""Reads, builds, tests and describes the SQL models: project.py, runner.py, checks.py and page.py."""
