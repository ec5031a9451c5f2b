"""`bench dashboard`: a W&B workspace and a report; written as JSON, or saved with --publish."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import dashboard
from harness.errors import BadInputError
from harness.trackers.weights_biases import MOST, NOT_IN_PROJECTS, shortened
from metrics.store import Store, StoreError

FILE = "dashboard.json"


def called(options: argparse.Namespace) -> int:
    """The command, as the command line gives it."""
    store = Store(options.results)
    loaded = store.load(dashboard.Line)
    for problem in loaded.problems:
        print(f"bench: {problem}", file=sys.stderr)
    found = dashboard.boards(loaded.records)
    if not found:
        raise StoreError(
            f"there are no runs in {store.path}, and so no boards; make some with: "
            "bench run -m task=sparse_parity algo=xor_elimination,hypercell tracker=wandb"
        )
    project = options.project or os.environ.get("WANDB_PROJECT") or "joulebench"
    entity = options.entity or os.environ.get("WANDB_ENTITY") or ""
    for option, text in (("project", project), ("entity", entity)):
        if re.search(NOT_IN_PROJECTS, text) or len(text) > MOST[option]:
            raise BadInputError(
                f"--{option} {shortened(text, 40)}: at most {MOST[option]} letters, none of / \\ # ? % :"
            )
    os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    for name, place in (("WANDB_CACHE_DIR", "cache"), ("WANDB_DATA_DIR", "data")):
        os.environ.setdefault(name, str((store.folder / "wandb" / place).absolute()))
    if options.publish:
        dashboard.libraries()
        entity = entity_for(entity)
    made = {
        "workspace": dashboard.workspace(entity or "your-entity", project),
        "report": dashboard.report(entity or "your-entity", project, found),
    }
    write(store.folder / FILE, {name: dashboard.specification(one) for name, one in made.items()})
    print(f"boards    {len(found)}, of {sum(count for _, count in found)} runs in {store.path}")
    print(f"wrote     {store.folder / FILE}")
    if not options.publish:
        where = f"{entity}/{project}" if entity else f"project {project}"
        print(
            f"saved     nothing; with --publish a workspace and a report in {where} of W&B. Runs are there "
            "once they were tracked (bench run ... tracker=wandb) and, where they are offline, sent: "
            f"wandb sync {store.folder / 'wandb'}/offline-run-*"
        )
        return 0
    for name, one in made.items():
        publish(name, one.save)
        print(f"saved     {name}: {one.url}")
    return 0


def entity_for(said: str) -> str:
    """Whose project it is. Raises BadInputError without key, network or entity."""
    import wandb

    from harness.trackers.wandb_process import has_key, unreachable

    if not has_key(wandb.setup().settings):
        raise BadInputError(
            "--publish needs a key: say wandb login, or set WANDB_API_KEY; without --publish the "
            "dashboard is written as JSON alone"
        )
    if why := unreachable(wandb):
        raise BadInputError(f"cannot save a dashboard: {why}")
    entity = said or publish("entity", lambda: wandb.Api(timeout=20).default_entity)
    if not entity:
        raise BadInputError("whose project is it? W&B knows no default entity: say --entity NAME")
    return str(entity)


def publish(what: str, save: Callable[[], Any]) -> Any:
    """Calls it; whatever a library or a server makes of that is one line."""
    try:
        return save()
    except Exception as error:
        text = shortened(" ".join(str(error).split()) or type(error).__name__, 200)
        raise BadInputError(f"W&B did not take the {what}: {text}") from None


def write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror})") from None
