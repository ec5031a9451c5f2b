"""`bench new`: writes a template that already runs."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import BadInputError

TAKEN = (
    *(
        "None",
        "True",
        "False",
        "Algorithm",
        "Predictor",
        "Progress",
        "Query",
        "Refused",
        "Training",
    ),
    *("Classification", "Draw", "Score", "Target", "Task", "TaskError", "Sequence", "ClassVar"),
)
TEMPLATES = Path(__file__).parent / "templates"


def new(kind: str, path: Path) -> int:
    """Writes templates/<kind>.py to `path`, its class named after the file."""
    if path.suffix != ".py":
        raise BadInputError(f"{path}: name a Python file, such as {path.with_suffix('.py')}")
    name = "".join(part.capitalize() for part in path.stem.split("_"))
    if name in TAKEN:
        raise BadInputError(f"{path.name}: the template needs the name {name} itself; take another")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", path.stem):
        raise BadInputError(
            f"{path.name}: a file that is to be imported is named in letters, digits, _"
        )
    text = (TEMPLATES / f"{kind}.py.txt").read_text(encoding="utf-8")
    text = text.replace("CLASS", name).replace("NAME", path.stem)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadInputError(f"{path} exists already; it was left as it is, name another") from None
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error.strerror}") from None
    here = path if path.is_absolute() else f"./{path}"
    print(f"wrote {path}; it runs as it is:")
    if kind == "algorithm":
        print(f"  bench run task=sparse_parity algo={here}:{name}")
    else:
        print(f"  bench run task={here}:{name} algo=xor_elimination")
    return 0
