"""Chooses models by the graph, as dbt writes it: `+name` is with its ancestors, `name+` with its descendants.

Pure: nothing here touches a database.
"""

from collections.abc import Iterable

from sms_etl.errors import UnknownModel
from sms_etl.models.project import Project, near_miss


def selected(project: Project, selectors: Iterable[str]) -> frozenset[str]:
    """Return the names of the models that any of some selectors chooses.

    Args:
        project: Whose models.
        selectors: Each one or several, with commas or spaces between them: `marts.cost_daily`,
            `+cost_monthly`, `fct_sms+`, `+cost_daily+`. A schema may be left out where no other has a model
            of that name.

    Raises:
        UnknownModel: No model has that name, or several have; or nothing is selected.
    """
    words = [word for selector in selectors for word in selector.replace(",", " ").split()]
    if not words:
        raise UnknownModel("--select names no model", hint=_hint(project))
    return frozenset().union(*(_chosen(project, word) for word in words))


def _chosen(project: Project, word: str) -> set[str]:
    name = _name(project, word.removeprefix("+").removesuffix("+"))
    found = {name}
    if word.startswith("+"):
        found |= _reachable(name, {model.name: set(model.reads) for model in project.models.values()})
    if word.endswith("+"):
        readers: dict[str, set[str]] = {}
        for model in project.models.values():
            for read in model.reads:
                readers.setdefault(read, set()).add(model.name)
        found |= _reachable(name, readers)
    return found & set(project.models)


def _name(project: Project, word: str) -> str:
    found = [name for name in project.models if word in {name, name.partition(".")[2]}]
    if len(found) > 1:
        raise UnknownModel(
            f"several models are called {word}: {', '.join(found)}", hint="Write the schema too."
        )
    if not found:
        known = (*project.models, *(name.partition(".")[2] for name in project.models))
        raise UnknownModel(f"there is no model {word or '+'}{near_miss(word, known)}", hint=_hint(project))
    return found[0]


def _hint(project: Project) -> str:
    return f"There are: {', '.join(sorted(project.models))}."


def _reachable(name: str, ways: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        new = ways.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found
