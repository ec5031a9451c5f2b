"""From the words of a command line to configurations. The one place that imports Hydra."""

from __future__ import annotations

import itertools
import typing
from dataclasses import dataclass, field
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness import registry
from harness.checks import check_schema, check_type, first_line, in_range, quote
from harness.errors import BadInputError, did_you_mean

GROUPS = ("task", "algo")  # Hydra's; meters are several at once, which its groups cannot say,
APART = (
    "meter",
    "process",
    "energy",
    "tracker",
)  # a process is of bench tune alone, a table of joules of bench count, and no run depends on its tracker
METERS = (
    "nvml",
    "rapl",
    "zeus",
    "battery",
    "cpu_time",
)  # meter=auto chooses from these, the most real first


@dataclass
class LimitsSchema:
    setup_s: float = 600.0
    train_s: float = 86400.0
    inference_s: float = 21600.0
    memory_gb: float | None = None


@dataclass
class CurveSchema:
    first_s: float = 0.01
    ratio: float = 1.5
    until_bar: bool = False
    budget_j: float | None = None


@dataclass
class BudgetSchema:
    trials: int | None = None
    energy_j: float | None = None
    wall_s: float | None = None
    like: str | None = None


@dataclass
class TuneSchema:
    name: str | None = None
    draws: int = 1
    confirm: int = 3
    confirm_draws: int = 3
    spare: float | None = None
    patience: float | None = 10.0
    give_up: int = 10


@dataclass
class Schema:
    """Types of everything outside the groups; Hydra holds values to them."""

    task: Any = None
    algo: Any = None
    seed: int = 0
    repeats: int | None = None
    threads: int | None = None
    results: str = "results"
    trace: bool | None = None
    settle_s: float = 30.0
    energy: str = "horowitz_45nm"
    limits: LimitsSchema = field(default_factory=LimitsSchema)
    curve: CurveSchema = field(default_factory=CurveSchema)
    budget: BudgetSchema = field(default_factory=BudgetSchema)
    tune: TuneSchema = field(default_factory=TuneSchema)


@dataclass(frozen=True)
class Choosing:
    """One group's choice with the fields as overridden."""

    name: str
    target: str
    fields: dict[str, Any]
    about: dict[str, Any]


@dataclass(frozen=True)
class Config:
    """One run, fully resolved: plain values only."""

    task: Choosing
    algo: Choosing
    meter: str
    meters: list[Choosing]
    seed: int
    repeats: int | None
    threads: int | None
    results: str
    trace: bool | None
    settle_s: float
    limits: dict[str, float | None]
    curve: dict[str, Any]
    overrides: list[str]
    process: Choosing | None = None
    budget: dict[str, Any] = field(default_factory=dict)
    tune: dict[str, Any] = field(default_factory=dict)
    energy: str = ""
    tracker: Choosing | None = None


NESTED: dict[str, type] = {
    "limits": LimitsSchema,
    "curve": CurveSchema,
    "budget": BudgetSchema,
    "tune": TuneSchema,
}
ConfigStore.instance().store(name="schema", node=Schema)


def configure(words: list[str], multirun: bool) -> list[Config]:
    """Every run that the words ask for: one, or with `multirun` the product of all comma lists."""
    if multirun:
        return [_resolve(job) for job in products(words)]
    for override in _parse(words):
        if override.is_sweep_override():
            raise BadInputError(f"{override.input_line}: several values need -m (bench run -m ...)")
    return [_resolve(words)]


def products(words: list[str]) -> list[list[str]]:
    """The product of all comma lists among the words, the last one varying fastest."""
    lists = [
        [f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()]
        if o.is_sweep_override()
        else [o.input_line or ""]
        for o in _parse(words)
    ]
    return [list(job) for job in itertools.product(*lists)]


def _parse(words: list[str]) -> list[Override]:
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise BadInputError(
                f"{word!r} sets nothing; say field=value, such as task=nanogpt seed=3"
            )
    try:
        return OverridesParser.create().parse_overrides(words)
    except HydraException as error:
        raise BadInputError(
            f"cannot read the command line: {first_line(error)} (a value with unusual characters "
            "wants quotes within quotes, as in \"task.text='my (text).txt'\")"
        ) from None


def _resolve(words: list[str]) -> Config:
    overrides = _parse(words)
    chosen: dict[str, Any] = {
        o.key_or_group: o.value() for o in overrides if o.key_or_group in (*GROUPS, *APART)
    }
    for group in ("task", "algo"):
        if not isinstance(chosen.get(group), str) or not chosen[group]:
            raise BadInputError(
                f"which {group}? say {group}=NAME, one of: {', '.join(registry.names(group))}"
            )
    task = registry.find("task", chosen["task"])[0]
    algo = registry.algorithm_for(chosen["algo"], task)
    meter = str(chosen.get("meter", registry.AUTO))
    groups = {"task": task, "algo": algo}
    lines = [f"{group}={choice.option}" for group, choice in groups.items()]
    for group, choice in groups.items():
        if choice.option == "_file":
            lines += [f"{group}._target_={quote(choice.target)}"]
            lines += [f"+{group}.{name}={quote(value)}" for name, value in choice.fields.items()]
    apart = {g: [o for o in overrides if o.key_or_group.startswith(f"{g}.")] for g in APART}
    for override in overrides:
        key = override.key_or_group
        if key not in (*GROUPS, *APART) and key.partition(".")[0] not in APART:
            _check(override, groups)
            lines.append(override.input_line or "")
    try:
        with initialize_config_module("configs", version_base="1.3"):
            composed = compose("config", overrides=lines)
        resolved: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInputError(first_line(error)) from None
    selected = {
        group: Choosing(
            name=choice.name,
            target=choice.target,
            fields={k: v for k, v in resolved[group].items() if k not in ("about", "_target_")},
            about=choice.about,
        )
        for group, choice in groups.items()
    }
    return Config(
        task=selected["task"],
        algo=selected["algo"],
        meter=meter,
        meters=_meters(meter, apart["meter"]),
        repeats=resolved["repeats"],
        threads=resolved["threads"],
        results=resolved["results"],
        trace=resolved["trace"],
        settle_s=resolved["settle_s"],
        limits=resolved["limits"],
        curve=resolved["curve"],
        process=_process(chosen.get("process"), apart["process"]),
        budget=resolved["budget"],
        tune=resolved["tune"],
        energy=_energy(chosen.get("energy", resolved["energy"]), apart["energy"]),
        tracker=_tracker(chosen.get("tracker", "none"), apart["tracker"]),
        seed=in_range("seed", resolved["seed"], 0, 2**63 - 1),
        overrides=words,
    )


def _meters(name: str, overrides: list[Override]) -> list[Choosing]:
    """The meters of a name; a field set as meter.X goes to those that have it."""
    names = METERS if name == registry.AUTO else name.split("+")
    found = [registry.find("meter", one)[0] for one in names]
    if len(set(names)) < len(names):
        raise BadInputError(f"meter={name}: the same meter twice")
    return _with_fields("meter", name, found, overrides)


def _process(name: Any, overrides: list[Override]) -> Choosing | None:
    """The process of a search, where one is named."""
    if name is None and not overrides:
        return None
    if not isinstance(name, str):
        known = ", ".join(registry.names("process"))
        raise BadInputError(f"which process? say process=NAME, one of: {known}")
    return _with_fields("process", name, registry.find("process", name), overrides)[0]


def _tracker(name: Any, overrides: list[Override]) -> Choosing:
    """Who follows the run; none where nobody is named."""
    if not isinstance(name, str) or not name:
        known = ", ".join(registry.names("tracker"))
        raise BadInputError(f"which tracker? say tracker=NAME, one of: {known}")
    return _with_fields("tracker", name, registry.find("tracker", name), overrides)[0]


def tracker_of(words: list[str]) -> Choosing:
    """Who follows a run that has no other words."""
    overrides = _parse(words)
    named = [o.value() for o in overrides if o.key_or_group == "tracker"]
    rest = [o for o in overrides if o.key_or_group.startswith("tracker.")]
    if len(named) + len(rest) < len(overrides):
        raise BadInputError(f"{' '.join(words)}: only tracker=NAME and its fields can be said here")
    return _tracker(named[-1] if named else "none", rest)


def _energy(name: Any, overrides: list[Override]) -> str:
    """The name of a table of joules; its figures are set in the table alone."""
    for override in overrides:
        raise BadInputError(
            f"{override.input_line}: a table's figures are not set by a word; write a table of your own "
            "like those in configs/energy/ and say energy=./mine.yaml"
        )
    if not isinstance(name, str) or not name:
        raise BadInputError(f"energy={name}: which table? bench list shows them")
    return name


def _with_fields(
    group: str, name: str, found: list[registry.Choice], overrides: list[Override]
) -> list[Choosing]:
    made = [Choosing(c.name, c.target, dict(c.fields), c.about) for c in found]
    for override in overrides:
        line = override.input_line or override.key_or_group
        field_ = override.key_or_group.removeprefix(f"{group}.")
        takers = [c for c in made if field_ in c.fields]
        if not takers or override.is_delete() or override.is_add():
            known = sorted({name for c in made for name in c.fields})
            raise BadInputError(
                f"there is no field {group}.{field_}{did_you_mean(field_, known)}; "
                f"{group}={name} has: {', '.join(known) or 'no fields'}"
            )
        for taker in takers:
            if taker.fields[field_] is not None:
                check_type(line, override.value(), taker.fields[field_])
            taker.fields[field_] = override.value()
    return made


def _check(override: Override, groups: dict[str, registry.Choice]) -> None:
    """Knows the field, and that a value is of its default's type; says so in one line otherwise."""
    key = override.key_or_group
    line = override.input_line or key
    if override.is_delete() or override.is_add():
        raise BadInputError(f"{line}: fields can be set, not added or deleted; say {key}=value")
    head, _, rest = key.partition(".")
    schema: type = Schema
    if head in groups:
        known, inside = groups[head].fields, f"{head}={groups[head].name} has"
    elif head in NESTED and rest:
        schema = NESTED[head]
        known, inside = vars(schema()), "there are"
    else:
        top = [name for name in vars(Schema()) if name not in GROUPS]
        if key not in top or key in NESTED:
            raise BadInputError(
                f"there is no field {key}{did_you_mean(key, [*top, *GROUPS, *APART])}; there are: "
                f"{', '.join(sorted(set(top) - NESTED.keys()))}, and limits.*, curve.*, budget.*, tune.*, "
                "task.*, algo.*, meter.*, process.*, tracker.*"
            )
        known, inside, rest = dict.fromkeys(top), "there are", key
    name = rest.partition(".")[0]
    if name not in known:
        nearest = did_you_mean(name, known)
        raise BadInputError(
            f"there is no field {key}{nearest}; {inside}: {', '.join(known) or 'no fields'}"
        )
    if head not in groups:
        check_schema(line, override.value(), typing.get_type_hints(schema)[name])
    elif rest == name and known[name] is not None and not registry.follows(known[name]):
        check_type(line, override.value(), known[name])
