"""The cases that fail, in one place: each is expected to, and is an error as soon as it holds."""

NOT_YET: frozenset[str] = frozenset()
