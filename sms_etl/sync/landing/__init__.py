"""Writes what was fetched into landing files, one a window; `worker.Lander.write` is the one way in."""
