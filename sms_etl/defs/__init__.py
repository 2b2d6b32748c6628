"""Dagster's view of the pipeline, and the only place that imports dagster: thin wrappers."""
