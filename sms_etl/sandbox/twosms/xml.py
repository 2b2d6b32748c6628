"""Reads and writes the XML of 2SMS: the bodies whose elements are named as in JSON. Pure.

Only what the provider's samples show is read; a document type, which could make entities grow, is refused.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

LONGEST_BODY = 1_000_000
"""Bytes; about 20,000 message ids."""
_ROOT, _LIST, _LIST_ITEM = "MessageCriteria", "MessageIDs", "guid"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "Range": {"TODAY": 0, "0": 0},
    "Type": {"BOTH": 0, "0": 0},
    "Delete": _FLAGS,
    "NotifyRecipients": _FLAGS,
}
"""What is no text. Enumerations stand in XML and forms by their names (two are known) or by number."""


def read_criteria(body: bytes) -> dict[str, Any]:
    """Return the criteria in a body as its JSON would hold them; an empty element is null.

    Raises:
        ValueError: The body is too long, is no XML, or has what the samples do not show.
    """
    if not body.strip():
        return {}
    root = _tree(body)
    if root.tag != _ROOT:
        raise ValueError(f"the root must be {_ROOT}, not {root.tag}")
    criteria: dict[str, Any] = {}
    for element in root:
        name, text = element.tag, (element.text or "").strip()
        if name in criteria:
            raise ValueError(f"{name} is there twice")
        if name == _LIST:
            criteria[name] = [_item(child) for child in element]
        elif len(element):
            raise ValueError(f"{name} must hold a text")
        else:
            criteria[name] = VALUES.get(name, {}).get(text, text or None)
    return criteria


def _item(element: Element) -> str:
    if element.tag != _LIST_ITEM or len(element):
        raise ValueError(f"{_LIST} must hold {_LIST_ITEM} elements, not {element.tag}")
    return (element.text or "").strip()


def _tree(body: bytes) -> Element:
    if len(body) > LONGEST_BODY:
        raise ValueError(f"the body is longer than {LONGEST_BODY} bytes")
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    # "namespace name": the samples differ in their namespaces only.
    parser.StartElementHandler = lambda name, _attributes: builder.start(name.rpartition(" ")[2], {})
    parser.EndElementHandler = lambda name: builder.end(name.rpartition(" ")[2])
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as exc:
        raise ValueError(f"the body is no XML: {exc}") from exc
    return builder.close()


def _refuse_doctype(*_declared: object) -> None:
    raise ValueError("a document type is not taken")


def xml_bytes(root: str, value: Mapping[str, Any]) -> bytes:
    """Return a value as XML: an element each, none for what is null."""
    element = Element(root)
    _fill(element, value)
    text: bytes = tostring(element, encoding="utf-8", xml_declaration=True)
    return text


def _fill(parent: Element, value: Mapping[str, Any]) -> None:
    for name, held in value.items():
        if held is None:
            continue
        child = SubElement(parent, name)
        if isinstance(held, Mapping):
            _fill(child, held)
        else:
            child.text = str(held)
