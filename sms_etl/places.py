"""Finds where data and the `.env` file lie, so that cron and a shell in any folder find the same ones.

In a checkout: its `data/` and its `.env`. Installed elsewhere: the user's data and configuration directories.
"""

from pathlib import Path

from platformdirs import user_config_path, user_data_path

_NAME = "sms_etl"
_ENV_FILE = ".env"
PACKAGE_HOME = Path(__file__).parents[1]
"""The checkout, if the package runs from one; else the folder it is installed in."""


def checkout() -> Path | None:
    """Return the checkout the present folder lies in, else the one this package runs from, else None."""
    folders = [folder for folder in (*present_folders(), PACKAGE_HOME) if _is_checkout(folder)]
    return folders[0] if folders else None


def present_folders() -> tuple[Path, ...]:
    """Return the present folder and those above it; none if it was removed."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return ()
    return (here, *here.parents)


def default_data_dir() -> Path:
    """Return the data directory of those who name none, as an absolute path."""
    project = checkout()
    return project / "data" if project else user_data_path(_NAME, appauthor=False)


def default_env_file() -> Path:
    """Return where a `.env` file belongs that is read from every folder."""
    project = checkout()
    return (project or user_config_path(_NAME, appauthor=False)) / _ENV_FILE


def env_file_candidates() -> tuple[Path, ...]:
    """Return the `.env` files that may be meant, the nearest first."""
    here = present_folders()[:1]
    return tuple(dict.fromkeys([*(folder / _ENV_FILE for folder in here), default_env_file()]))


def is_own_env_file(path: Path) -> bool:
    """Return whether a `.env` file is this program's or the user's own, whatever the present folder is."""
    return path in {folder / _ENV_FILE for folder in (PACKAGE_HOME, user_config_path(_NAME, appauthor=False))}


def _is_checkout(folder: Path) -> bool:
    try:
        lines = (folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return f'name = "{_NAME}"' in lines
