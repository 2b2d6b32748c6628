"""Where the SQL models and seeds lie, and a digest of them. Parses nothing, so that asking costs nothing."""

from hashlib import sha256
from pathlib import Path

from sms_etl import __version__

NOT_SEEDS = frozenset({"opt_outs"})
"""Files of the folder `seeds` that are nobody's table: who opted out is read by campaigns alone."""
_PARTS = ("*/*.sql", "*/_models.yml", "seeds/*")


def default_path() -> Path:
    """Return the folder of the models that come with the package, or that of a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "dbt_like_sql"
    return packaged if packaged.is_dir() else package.parent / "dbt_like_sql"


def own_seeds(data_dir: Path) -> Path | None:
    """Return the folder whose CSV files replace seeds of the same name; None if there is none."""
    folder = data_dir / "seeds"
    return folder if folder.is_dir() else None


def own_seed_files(folder: Path) -> list[Path]:
    """Return the files of such a folder that replace seeds."""
    return sorted(file for file in folder.glob("*.csv") if file.stem not in NOT_SEEDS)


def project_digest(data_dir: Path) -> str:
    """Return a digest of all that a build is made from: models, tests, seeds and the version of the package.

    Args:
        data_dir: May hold seeds of its own.

    Raises:
        OSError: A file cannot be read.
    """
    root, own = default_path(), own_seeds(data_dir)
    files = {path for part in _PARTS for path in root.glob(part)} | set(own_seed_files(own) if own else ())
    digest = sha256(__version__.encode())
    for path in sorted(files):
        digest.update(f"{path}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
