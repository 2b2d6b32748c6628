"""Puts sources of ours into a page, and forbids the page everything else."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup

_NOTHING = "'none'"


def template_source(name: str) -> str:
    """Return the text of a file in `templates/`."""
    return files("sms_etl.finance").joinpath("templates", name).read_text(encoding="utf-8")


def inline(source: str) -> Markup:
    """Mark a file of ours, or a library, as what may stand in the page unescaped."""
    return Markup(source.replace("\r\n", "\n").replace("</script", "<\\/script"))  # noqa: S704 - no outside text


def policy(*scripts: str) -> str:
    """Forbid every request, and every script but these."""
    hashes = [f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts]
    return (
        f"default-src 'none'; script-src {' '.join(hashes) or _NOTHING}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
