"""From a name in a yaml to a class: `package.module.Class`, or `/path/to/file.py:Class`."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import BadInputError, did_you_mean


def is_file_target(target: str) -> bool:
    """True for `path.py:Class`."""
    path, colon, _ = target.rpartition(":")
    return bool(colon) and path.endswith(".py")


def load_class(target: str) -> Any:
    """Imports the class that a target names. A file's own folder is searched last for its imports."""
    if is_file_target(target):
        path, _, name = target.rpartition(":")
        folder = str(Path(path).parent)
        if folder not in sys.path:
            sys.path.append(folder)
        digest = hashlib.sha256(path.encode()).hexdigest()[:8]  # ./random.py must not hide random
        spec = importlib.util.spec_from_file_location(f"joulebench_file_{digest}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return getattr(module, name)
    module_name, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module_name), name)


def construct(target: str, fields: dict[str, Any], group: str) -> Any:
    """Constructs a task or meter; a value of a wrong type is told as the user types the field."""
    if is_file_target(target):
        with own_fault(target):
            return _construct(target, fields, group)
    return _construct(target, fields, group)


@contextlib.contextmanager
def own_fault(target: str) -> Iterator[None]:
    """Turns whatever goes wrong in a file of the user's into a line that says where."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ in ("BadInputError", "TaskError"):
            raise
        path = target.rpartition(":")[0]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        where = f"{path}:{lines[-1]}" if lines else path
        raise BadInputError(f"{where}: {type(error).__name__}: {error}") from error


def _construct(target: str, fields: dict[str, Any], group: str) -> Any:
    cls = load_class(target)
    hints = typing.get_type_hints(cls.__init__)
    known = inspect.signature(cls).parameters
    for name, value in fields.items():
        if name not in known:
            raise BadInputError(f"{target} takes no {group}.{name}, though its yaml lists it")
        with contextlib.suppress(KeyError):
            try:
                msgspec.convert(value, hints[name])
            except msgspec.ValidationError as error:
                text = str(error)
                raise BadInputError(f"{group}.{name}={value}: {plain(text)}") from None
    return cls(**fields)


@dataclass(frozen=True)
class Outline:
    """What can be read off a class without running it: constants of the class and field defaults."""

    target: str
    constants: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    description: str = ""


def plain(text: str) -> str:
    """msgspec's "Expected `int | null`, got `str`" in the middle of a sentence."""
    return (text[0].lower() + text[1:]).replace("`", "").replace("null", "nothing (null)")


def outline(target: str) -> Outline:
    """Reads `path.py:Class` as text, since a stranger's file is never imported by the parent."""
    path_text, _, name = target.rpartition(":")
    path = Path(path_text).expanduser().resolve()
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(
            f"{path_text} does not exist; write a working start with: bench new algorithm {path_text}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"cannot read {path_text}: {error}") from None
    except SyntaxError as error:
        raise BadInputError(f"{path_text}:{error.lineno}: {error.msg}") from None
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if name not in classes:
        raise BadInputError(
            f"{path_text} has no class {name}{did_you_mean(name, classes)}; "
            f"it has: {', '.join(classes) or 'none'}"
        )
    constants: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for node in classes[name].body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants |= _literal(node.targets[0].id, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found = _literal(node.target.id, node.value)
            if "ClassVar" in ast.unparse(node.annotation):
                constants |= found
            else:
                fields |= found
    text = ast.get_docstring(classes[name]) or ""
    return Outline(f"{path}:{name}", constants, fields, text.partition("\n")[0])


def _literal(name: str, value: ast.expr) -> dict[str, Any]:
    try:
        found = ast.literal_eval(value)
    except ValueError:
        return {}
    if not isinstance(found, int | float | str | list | tuple | dict | None):
        return {}
    return {name: list(found) if isinstance(found, tuple) else found}


def sources(target: str) -> list[Path]:
    """The files of ours or the user's that a target is made of, followed through its imports; and what
    these files name in a constant READS, as patterns relative to themselves."""
    root = Path(__file__).parent.parent
    if is_file_target(target):
        start = Path(target.rpartition(":")[0])
    else:
        start = root.joinpath(*target.split(".")[:-1]).with_suffix(".py")
    found: list[Path] = []
    queue = [start]
    while queue:
        path = queue.pop()
        if path in found or not path.is_file():
            continue
        found.append(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # hashed all the same; the worker will say what is wrong
            continue
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "READS":
                found += [f for p in ast.literal_eval(node.value) for f in path.parent.glob(p)]
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "algorithms" and parts[1:] != ["base"]:
                    queue.append(root.joinpath(*parts).with_suffix(".py"))
                elif is_file_target(target):
                    queue.append(start.parent.joinpath(*parts).with_suffix(".py"))
    return sorted(set(found))


def hash_sources(target: str) -> tuple[str, int]:
    """SHA-256 over the target's files and their size in bytes."""
    digest = hashlib.sha256()
    size = 0
    for path in sources(target):
        data = path.read_bytes()
        digest.update(len(data).to_bytes(8, "big") + data)
        size += len(data)
    return digest.hexdigest(), size
