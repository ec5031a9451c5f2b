"""A whole space in a file, and an individual's genome in another: kept, and given back bit by bit.

A snapshot is one line of JSON, for people and for checks, and the payload: the arrays as they lie in
memory without messages, then those messages that are on their way (`parcel`), all through zlib. What the
space feeds on (`World.feed`) is the task's and not in it.

A file appears under its name only when it is whole and on the disk. Until then the old one stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Refused
from algorithms.hypercell import parcel
from algorithms.hypercell.biology import Biology
from algorithms.hypercell.space import NAMES
from algorithms.hypercell.world import World

SNAPSHOT, GENOME = "hypercell snapshot", "hypercell genome"
VERSION = 1  # of both kinds of file


def save(world: World, path: Path, note: dict[str, Any] | None = None) -> None:
    """Writes the state of a world, from which `load` goes on as if nothing had been.

    note: what the caller wants to find in the header again. Raises Refused where it cannot be written.
    """
    state = world.buffer[: world.layout.fresh_bytes]
    squeeze = zlib.compressobj(1)
    chunks = [squeeze.compress(state.data)]
    chunks += [squeeze.compress(parcel.pack(world, *place)) for place in _on_their_way(world)]
    chunks.append(squeeze.flush())
    header = {
        "format": SNAPSHOT,
        "version": VERSION,
        **identity(world),
        "tick": world.tick,
        "initial": world.initial,
        "params": list(world.space.params),
        "note": note or {},
        "bytes": sum(map(len, chunks)),
    }
    header["sha256"] = _digest(header, chunks)
    _write(path, [_line(header) + b"\n", *chunks])


def load(path: Path, world: World) -> dict[str, Any]:
    """Gives a world the state that was saved, and returns the header.

    world: of the same make, seed included; `header` says which. Raises Refused for a file that is
    damaged or of another make, and then leaves the world as it was.
    """
    found, payload = _read(path)
    made = identity(world)
    difference = first_difference({key: found.get(key) for key in made}, made)
    if difference:
        field, saved, here = difference
        raise Refused(
            f"{path}: saved with {field}={saved}, while this run has {here}; a snapshot goes on only "
            "in the space that it was taken of: restore that setting, or start without it"
        )
    try:
        data = memoryview(zlib.decompress(payload))
    except zlib.error as error:
        raise _torn(path, str(error)) from None
    world.buffer[: world.layout.fresh_bytes] = np.frombuffer(
        data, np.uint8, world.layout.fresh_bytes
    )
    world.tick, world.initial = found["tick"], found["initial"]
    world.space.params[:] = found["params"]
    at = world.layout.fresh_bytes
    for place in _on_their_way(world):
        at += parcel.unpack(world, *place, data[at:])
    return found


def writable(folder: Path) -> None:
    """Raises Refused where nothing can be saved, before there is anything to save."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".hypercell.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Refused(
            f"{folder}: cannot be written to ({error.strerror or error}); choose another folder"
        ) from None


def header(path: Path) -> dict[str, Any]:
    """What a snapshot says of itself, once the whole file is known to be sound."""
    return _read(path)[0]


def identity(world: World) -> dict[str, Any]:
    """All that has to be equal for a state to mean the same, as values that JSON knows."""
    layout, slab = world.layout, world.layout.slab
    return {
        "biology": _biology(world.biology) | {"source": source_sha256(world.biology)},
        "geometry": {
            name: asdict(axis) for name, axis in zip(NAMES, world.geometry.axes, strict=True)
        },
        "economy": asdict(world.economy),
        "ablation": asdict(world.ablation),
        "seed": world.seed,
        "tile": layout.tile,
        "slab": asdict(slab),
        "arrays": {name: [kind, *shape] for name, (shape, kind) in layout.shapes.items()},
    }


def source_sha256(biology: Biology) -> str:
    """Of the kernel's text for a CPU, which stands for all: they promise the same."""
    return hashlib.sha256(biology.source("cpu").encode()).hexdigest()


def first_difference(one: Any, other: Any, field: str = "") -> tuple[str, Any, Any] | None:
    """The first field in which two trees of plain values differ, and both values."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return None if one == other else (field, one, other)
    for key in [*one, *(key for key in other if key not in one)]:
        deeper = f"{field}.{key}" if field else key
        found = first_difference(one.get(key), other.get(key), deeper)
        if found:
            return found
    return None


def save_genome(
    path: Path, biology: Biology, genome: np.ndarray, merit: int, provenance: dict[str, Any]
) -> None:
    """Writes an individual's genome, uint32 [biology.genome], as JSON that a person can read.

    provenance: where it comes from. Raises Refused where it cannot be written.
    """
    if genome.shape != (biology.genome,):
        raise AssertionError(f"a genome of {biology.name} has {biology.genome} words")
    found = {
        "format": GENOME,
        "version": VERSION,
        "biology": _biology(biology),
        "source": source_sha256(biology),
        "merit": int(merit),
        "provenance": provenance,
        "genome": [f"{int(word):08x}" for word in genome],
    }
    found["sha256"] = _digest(found, [])
    _write(path, [json.dumps(found, indent=1).encode(), b"\n"])


def load_genome(path: Path, biology: Biology) -> np.ndarray:
    """A genome that `save_genome` wrote, uint32 [biology.genome].

    Raises Refused for a file that is damaged or of another biology. The kernel's source may be another:
    a genome is older than the way that it is read.
    """
    found = _header(path, _bytes(path), GENOME)
    if found.get("sha256") != _digest(found, []):
        raise _torn(path, "its checksum is another")
    difference = first_difference(found["biology"], _biology(biology), "biology")
    if difference:
        field, saved, here = difference
        raise Refused(
            f"{path}: a genome with {field}={saved}, while this run has {here}; choose a genome of "
            f"the biology {biology.name} of the same size, or start without it"
        )
    return np.array([int(word, 16) for word in found["genome"]], np.uint32)


def _biology(biology: Biology) -> dict[str, Any]:
    sizes = ("name", "genome", "state", "signal", "carry", "arena", "defines", "about")
    return {name: getattr(biology, name) for name in sizes}


def _on_their_way(world: World) -> list[tuple[int, int, int, slice]]:
    """The outboxes that count: where all tiles stand at one tick, those of the last opening before it,
    ghosts' included; else both."""
    space, everywhere = world.space, slice(0, world.layout.locations)
    clocks = world.arrays["clocks"][space.begin_tile : space.end_tile]
    places = []
    for a, slot in enumerate(world.geometry.slots):
        last = (world.tick - 1) // world.geometry.axes[a].stretch & 1
        openings = (last,) if (clocks == world.tick).all() else (0, 1)
        if slot >= 0:
            places += [(slot, way, opening, everywhere) for way in (0, 1) for opening in openings]
    return places


def _line(found: dict[str, Any]) -> bytes:
    """As it is written and as it is hashed: the same values are the same bytes."""
    return json.dumps(found, separators=(",", ":")).encode()


def _digest(found: dict[str, Any], chunks: list[bytes]) -> str:
    """Of the header without this, and of the payload."""
    rest = {key: value for key, value in found.items() if key != "sha256"}
    digest = hashlib.sha256(_line(rest))
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _write(path: Path, chunks: list[bytes]) -> None:
    """All or nothing. What a kill leaves of a half is overwritten by the next."""
    half, kept = path.with_name(f"{path.name}.part"), "nothing is left of it"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            kept = "the one of before is kept as it was"
        with half.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise Refused(
            f"cannot write {path} ({error.strerror or error}); {kept}: free {sum(map(len, chunks)):,} "
            "bytes there, or name another folder"
        ) from None
    with contextlib.suppress(OSError):  # the name as well, where folders can be synced
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(
            f"cannot read {path} ({error.strerror or error}); check its name, or start without it"
        ) from None


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a snapshot that is whole."""
    line, _, payload = _bytes(path).partition(b"\n")
    found = _header(path, line, SNAPSHOT)
    if found.get("bytes") != len(payload):
        raise _torn(path, f"{len(payload):,} of {found.get('bytes')} bytes are there")
    if found.get("sha256") != _digest(found, [payload]):
        raise _torn(path, "its checksum is another")
    return found, payload


def _header(path: Path, text: bytes, wanted: str) -> dict[str, Any]:
    """The JSON of a file of ours, and of this version."""
    try:
        found = json.loads(text)
    except ValueError:  # cut off within the header, or never one of ours
        if f'"{wanted}"'.encode() in text[:100]:
            raise _torn(path, "its header breaks off") from None
        found = None
    if not isinstance(found, dict) or found.get("format") != wanted:
        raise Refused(
            f"{path} is no {wanted}; name a file that this program wrote, or start without it"
        )
    if found.get("version") != VERSION:
        raise Refused(
            f"{path} is a {wanted} of version {found.get('version')}, and this program reads version "
            f"{VERSION}; go on with the program that wrote it, or start without it"
        )
    return found


def _torn(path: Path, why: str) -> Refused:
    return Refused(f"{path} is damaged ({why}); take an older file, or start without it")
