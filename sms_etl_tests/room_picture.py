"""Draws which room of the package imports which, from the code, as the Mermaid graph of docs/architecture.md.

`make picture` renews it; a test notices when it is stale. The rooms come from the layers in pyproject.toml.
"""

import re
import tomllib
from collections.abc import Mapping, Set
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "sms_etl"
APART = {"pii.apply", "pii.receipts", "pii.rewriting", "pii.rotate"}
"""Lie in other layers than the rest of their room, and are drawn apart."""
GROUND_LAYERS = 2
"""The lowest layers are known to all: drawn as one box, without arrows."""
_PICTURE = re.compile(r"(?<=<!-- picture -->\n).*?(?=<!-- end of picture -->)", re.DOTALL)

Edges = Mapping[str, Set[str]]


def renewed(page: str) -> str:
    """Return the page with its picture as the code is now.

    Raises:
        ValueError: The page has no place for it, a module is in no layer, or there is a circle of rooms.
    """
    page, count = _PICTURE.subn(lambda _found: draw(), page)
    if count != 1:
        raise ValueError(f"{PAGE} has no place for the picture.")
    return page


def draw() -> str:
    """Return the picture."""
    layers = _layers()
    ground = [module for layer in layers[-GROUND_LAYERS:] for module in layer]
    rooms = imports_of_rooms(layers, ground)
    lines = ["```mermaid", "flowchart TD"]
    lines += [f'    {_id(room)}["{room}"]' for room in sorted(rooms)]
    lines += [f"    {_id(room)} --> {_id(other)}" for room, other in _pairs(reduced(rooms))]
    lines += [f'    ground["known to all: {", ".join(sorted(ground))}"]', "```", ""]
    return "\n".join(lines)


def reduced(edges: Edges) -> Edges:
    """Leave out each arrow that a longer way shows, too.

    Raises:
        ValueError: There is a circle.
    """
    below: dict[str, set[str]] = {}

    def walk(room: str, path: tuple[str, ...]) -> set[str]:
        if room in path:
            raise ValueError(f"Rooms import each other in a circle: {' -> '.join((*path, room))}")
        if room not in below:
            below[room] = set().union(*({other} | walk(other, (*path, room)) for other in edges[room]))
        return below[room]

    for room in edges:
        walk(room, ())
    return {
        room: {other for other in others if not any(other in below[between] for between in others)}
        for room, others in edges.items()
    }


def imports_of_rooms(layers: list[list[str]], ground: list[str]) -> dict[str, set[str]]:
    """Return the rooms that each room imports when it runs: what only a type checker reads is left out."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    in_layers = [module for layer in layers for module in layer]
    rooms = {module: _room(module, in_layers, ground) for module in graph.modules}
    edges: dict[str, set[str]] = {room: set() for room in rooms.values() if room}
    for importer, room in rooms.items():
        if room:
            imported = {rooms[module] for module in graph.find_modules_directly_imported_by(importer)}
            edges[room] |= imported - {room, ""}
    return edges


def _layers() -> list[list[str]]:
    """Return the layers of the contract, top to bottom, each with its modules, without the package's name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    return [
        [module.removeprefix(f"{PACKAGE}.") for module in layer.split(" | ")] for layer in contract["layers"]
    ]


def _room(module: str, in_layers: list[str], ground: list[str]) -> str:
    """Return the room that a module is drawn in; nothing for packages of several layers and for the ground.

    Raises:
        ValueError: No layer holds it.
    """
    name = module.removeprefix(PACKAGE).removeprefix(".")
    layer = next((each for each in in_layers if name == each or name.startswith(f"{each}.")), None)
    if layer is None:
        if name and not any(each.startswith(f"{name}.") for each in in_layers):
            raise ValueError(f"{module} is in no layer: put it into one in pyproject.toml.")
        return ""
    if layer in ground:
        return ""
    return layer if layer in APART else name.partition(".")[0]


def _pairs(edges: Edges) -> list[tuple[str, str]]:
    return sorted((room, other) for room, others in edges.items() for other in others)


def _id(room: str) -> str:
    """Return what Mermaid calls a room: no dots, and none of its own words."""
    return "room_" + room.strip("_").replace(".", "_")


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
