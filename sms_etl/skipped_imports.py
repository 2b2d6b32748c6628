"""Keeps libraries out of a process that others would import and that it never uses.

Arrow imports NumPy, and pandas at its first array, where it finds them, to look for their types: a third of a
sync with nothing new. Only for a process of our own, since it holds until the process ends.
"""

import sys


def leave_out(*names: str) -> None:
    """Let no module of these names be imported in this process from now on."""
    sys.meta_path.insert(0, _LeftOut(frozenset(names)))


class _LeftOut:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        """Refuse what is left out; find nothing, so that others look for the rest."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)
