"""A gate's findings for a machine: JUnit XML, as Ant, Jenkins, GitLab and GitHub's actions read it.

Each row is a testcase. What fails the check is a failure, what is undecided (unless that fails too), new or
not gated is skipped, with the reason. Elements and attributes are those on which the schemas of Ant
(windyroad/JUnit-Schema) and Jenkins (xunit-plugin, junit-10.xsd) agree.
"""

from __future__ import annotations

import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime

from reports.gate import MISSING, NEW, UNDECIDED, WORSE, Finding, Gate
from reports.gate_rows import Row
from reports.gate_text import COLUMNS, cells, summary, terms, verdict

UNSPEAKABLE = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # in XML 1.0


def junit(gate: Gate, baseline: Iterable[Row]) -> bytes:
    """The file's content, UTF-8."""
    failed = {id(found) for found in gate.failed}
    if gate.rules.strict:
        failed |= {id(found) for found in gate.undecided}
    skipped = {id(f) for f in gate.findings if id(f) not in failed and _skipped(f)}
    totals = {
        "tests": str(len(gate.findings)),
        "failures": str(len(failed)),
        "errors": "0",
        "time": f"{sum(map(_seconds, gate.findings)):.6f}",
    }
    root = ET.Element("testsuites")  # Ant's schema allows it no attribute
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": "bench check",
            **totals,
            "skipped": str(len(skipped)),
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
            "hostname": _clean(socket.gethostname()) or "localhost",
            "id": "0",
            "package": "joulebench",
        },
    )
    ET.SubElement(suite, "properties")
    for found in gate.findings:
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": _clean(f"joulebench.{found.row.task}"),
                "name": _clean(found.label),
                "time": f"{_seconds(found):.6f}",
            },
        )
        message = _clean("; ".join([verdict(found), *found.notes]))
        if id(found) in failed:
            attributes = {"message": message, "type": found.verdict.replace(" ", "_")}
            ET.SubElement(case, "failure", attributes).text = _figures(found)
        elif id(found) in skipped:
            ET.SubElement(case, "skipped", {"message": message})
    lines = [*map(_figures, gate.findings), *terms(gate, baseline), summary(gate)]
    ET.SubElement(suite, "system-out").text = _clean("\n".join(lines))
    ET.SubElement(suite, "system-err")
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _skipped(found: Finding) -> bool:
    return found.verdict in (UNDECIDED, NEW) or (found.verdict == WORSE and not found.gated)


def _seconds(found: Finding) -> float:
    """Wall seconds of training in today's runs; no time was spent where there are none."""
    fresh = [] if found.verdict == MISSING else found.row.samples
    return sum(sample.wall_s for sample in fresh)


def _figures(found: Finding) -> str:
    pairs = zip(COLUMNS, cells(found), strict=True)
    return _clean(", ".join(f"{name}: {cell}" for name, cell in pairs if cell))


def _clean(text: str) -> str:
    return UNSPEAKABLE.sub("\ufffd", text)
