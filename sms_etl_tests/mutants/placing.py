"""Puts other code in a module's place: as it is imported, or into functions that others hold by name."""

import ast
import gc
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

NOTE = "__note__"
"""What each function of a noting module calls with its name."""


class Importer(MetaPathFinder, Loader):
    """Imports one module from other code than its file's.

    Args:
        name: The module.
        file: Its file.
        code: What is run instead.
        note: Called by the functions of a noting module.
    """

    def __init__(
        self, name: str, file: Path, code: CodeType, note: Callable[[str], None] | None = None
    ) -> None:
        self._name, self._file, self._code, self._note = name, file, code, note

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return spec_from_loader(fullname, self, origin=str(self._file)) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._file)
        setattr(module, NOTE, self._note)
        exec(self._code, module.__dict__)  # noqa: S102 - our own module


def noting(file: Path) -> CodeType:
    """Compile a module so that each function first calls `__note__` with its name."""
    tree = ast.parse(file.read_text())
    for name, function in _functions(tree.body):
        call = ast.Expr(ast.Call(ast.Name(NOTE, ast.Load()), [ast.Constant(name)], []))
        after_docstring = int(ast.get_docstring(function) is not None)
        function.body.insert(after_docstring, ast.copy_location(call, function.body[0]))
    return compile(ast.fix_missing_locations(tree), str(file), "exec")


def _functions(
    body: Sequence[ast.stmt], scope: tuple[str, ...] = ()
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield ".".join((*scope, name)), statement
            case ast.ClassDef(name=name, body=inside):
                yield from _functions(inside, (*scope, name))
            case ast.If(body=inside, orelse=otherwise):
                yield from _functions([*inside, *otherwise], scope)


def functions_of(file: Path) -> list[FunctionType]:
    """Return all functions of a file there are in this process, whoever holds or wraps them."""
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, FunctionType) and each.__code__.co_filename == str(file)
    ]


def replace(functions: Sequence[FunctionType], name: str, module: CodeType) -> bool:
    """Give a function, and those defined in it, the code of a changed module; return whether it can be done.

    Args:
        functions: Those of the module that there are.
        name: The outermost function, as `__qualname__` names it.
        module: The changed module's code; its lines are numbered as before.
    """
    codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes(module)}
    concerned = [each for each in functions if _outermost(each.__code__) == name]
    for function in concerned:
        old = function.__code__
        new = codes.get((old.co_qualname, old.co_firstlineno))
        if new is None or new.co_freevars != old.co_freevars:
            return False  # what it closes over has changed, or only a new import can make it
        function.__code__ = new
    return bool(concerned)


def _outermost(code: CodeType) -> str:
    return code.co_qualname.split(".<locals>")[0]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
