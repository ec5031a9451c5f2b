"""Tables as files: CSV and Parquet with every column, Markdown and LaTeX with those that a page has room for.

CSV: RFC 4180 with "\\n", true and false, nothing for what is not known, floats by their shortest digits, so
that they are read back as they were. Parquet: typed, null for what is not known. In Markdown and LaTeX all
that has a meaning there is escaped, figures have four digits, and a text that all rows have in common goes
into the caption.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metrics.record import SCHEMA_VERSION
from metrics.store import StoreError
from metrics.trace import need
from reports.tabular import Column, Table

UNITS = {"j": "J", "s": "s", "bytes": "B"}
QUOTED = re.compile('[,"\\r\\n]')
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~$&])")
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "µ": r"\textmu{}",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}
LATEX_MARK = re.compile("|".join(map(re.escape, LATEX)))


def export(table: Table, paths: list[Path]) -> list[str]:
    """Writes `table` to every file, by its suffix; returns a sentence for each. All are made before any is
    written. Raises StoreError where one cannot be written, MeterError without pyarrow."""
    made = [(path, FORMATS[path.suffix.lower()](table)) for path in paths]
    for path, content in made:
        try:
            path.write_bytes(content)
        except OSError as error:
            raise StoreError(
                f"cannot write {path} ({error.strerror}); name a file that can be written"
            ) from None
    rows = f"{len(table.rows)} row{'s' * (len(table.rows) != 1)} of {table.name}"
    said = []
    for path, _ in made:
        count = len(table.columns if path.suffix.lower() in (".csv", ".parquet") else brief(table))
        left = len(table.columns) - count
        more = f"; {left} more in CSV and Parquet" if left else ""
        said.append(f"{rows} with {count} columns written to {path}{more}")
    return said


def to_csv(table: Table) -> bytes:
    """With a header; UTF-8. The module csv leaves a lone carriage return bare, which ends a row for many."""

    def text(value: Any) -> str:
        said = (
            str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        )
        return '"' + said.replace('"', '""') + '"' if QUOTED.search(said) else said

    names = [column.name for column in table.columns]
    rows = [names, *([row[name] for name in names] for row in table.rows)]
    return "".join(",".join(map(text, row)) + "\n" for row in rows).encode()


def to_parquet(table: Table) -> bytes:
    """Columns as text, int64, double and bool. The metadata say which table of which Records it is."""
    pa = need("pyarrow", "Parquet")
    pq = need("pyarrow.parquet", "Parquet")
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(column.name, kinds[column.kind]) for column in table.columns])
    arrays = {c.name: [_typed(row[c.name], c) for row in table.rows] for c in table.columns}
    try:
        made = pa.table(arrays, schema=schema)
    except (OverflowError, pa.ArrowInvalid) as error:
        raise StoreError(f"a count is too large for Parquet ({error}); write a .csv") from None
    about = json.dumps({"table": table.name, "schema_version": SCHEMA_VERSION})
    out = io.BytesIO()
    pq.write_table(made.replace_schema_metadata({"joulebench": about}), out)
    return out.getvalue()


def _typed(value: Any, column: Column) -> Any:
    return float(value) if column.kind is float and value is not None else value


def brief(table: Table) -> list[Column]:
    """The columns for people that say anything."""
    return [
        column
        for column in table.columns
        if column.brief and any(row[column.name] is not None for row in table.rows)
    ]


def _split(table: Table) -> tuple[dict[str, str], list[Column]]:
    """What all rows share, texts alone, and the columns that are left."""
    columns = brief(table)
    shared = {}
    if len(table.rows) > 1:
        for column in columns:
            values = {row[column.name] for row in table.rows}
            if column.kind is str and len(values) == 1:
                shared[column.name] = str(values.pop())
    return shared, [column for column in columns if column.name not in shared]


def heading(name: str) -> str:
    """ "energy_low_j" as "energy low (J)"."""
    words = name.split("_")
    if len(words) > 1 and words[-1] in UNITS:
        return f"{' '.join(words[:-1])} ({UNITS[words[-1]]})"
    return " ".join(words)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else " ".join(str(value).split())


def to_markdown(table: Table) -> bytes:
    """A pipe table under a line that says what all its rows share."""

    def text(value: Any) -> str:
        return MARKDOWN.sub(r"\\\1", _shown(value)) if isinstance(value, str) else _shown(value)

    shared, columns = _split(table)
    lines = []
    if shared:
        said = "; ".join(f"{heading(name)}: {text(value)}" for name, value in shared.items())
        lines += [said, ""]
    lines.append("| " + " | ".join(heading(c.name) for c in columns) + " |")
    lines.append("|" + "|".join("---" if c.kind in (str, bool) else "---:" for c in columns) + "|")
    lines += ["| " + " | ".join(text(row[c.name]) for c in columns) + " |" for row in table.rows]
    return ("\n".join(lines) + "\n").encode()


def to_latex(table: Table) -> bytes:
    """A table in the style of booktabs, which is the one package that it needs."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            mantissa, _, exponent = _shown(value).partition("e")
            number = f"{mantissa} \\times 10^{{{int(exponent)}}}" if exponent else mantissa
            return f"${number}$"
        return LATEX_MARK.sub(lambda found: LATEX[found[0]], _shown(value))

    shared, columns = _split(table)
    said = [f"{heading(name)}: {value}" for name, value in shared.items()]
    caption = text("; ".join([f"joulebench, {table.name}", *said]))
    align = "".join("l" if column.kind in (str, bool) else "r" for column in columns)
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{table}",
        "\\small",
        f"\\caption{{{caption}}}",
        f"\\begin{{tabular}}{{{align}}}",
        "\\toprule",
        " & ".join(text(heading(column.name)) for column in columns) + r" \\",
        "\\midrule",
        *(" & ".join(text(row[c.name]) for c in columns) + r" \\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return ("\n".join(lines) + "\n").encode()


FORMATS: dict[str, Callable[[Table], bytes]] = {
    ".csv": to_csv,
    ".parquet": to_parquet,
    ".md": to_markdown,
    ".tex": to_latex,
}
