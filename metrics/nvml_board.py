"""NVIDIA's boards through their driver (nvidia-ml-py): which there are, and what each one says."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import math
import os
from pathlib import Path
from typing import Any

from metrics.meter import MeterError
from metrics.power_integral import PowerSensor
from metrics.ticking import Counter, ReadError

SYSTEM_FOLDERS = (
    *("/usr/lib", "/lib", "/usr/local/nvidia/", "/usr/local/cuda", "/run/nvidia/"),
    *("/run/opengl-driver", "/nix/store/"),
)
NO_DRIVER = (
    "no NVIDIA driver answers ({error}): install it, or start the container with its GPUs "
    "(docker run --gpus all), then see nvidia-smi; or choose another meter"
)
NO_PERMISSION = (
    "the NVIDIA driver refuses this user: give yourself access to /dev/nvidia* (ls -l /dev/nvidia*)"
)


class Board:
    """One board as the driver knows it. `ask` calls one of the driver's functions on it."""

    def __init__(self, nvml: Any, index: int) -> None:
        self.nvml, self.index = nvml, index
        self.handle = nvml.nvmlDeviceGetHandleByIndex(index)
        self.name = self.try_ask("GetName") or "unknown board"
        self.uuid = self.try_ask("GetUUID") or ""
        self.domain = f"gpu{index}"
        self.what = f"GPU {index} ({self.name})"
        self.remedy = "see nvidia-smi and dmesg (Xid); a lost board comes back after a reboot"

    def ask(self, call: str, *arguments: Any) -> Any:
        """nvmlDevice<call>(board, *arguments). Raises ReadError."""
        try:
            return getattr(self.nvml, f"nvmlDevice{call}")(self.handle, *arguments)
        except self.nvml.NVMLError as error:
            raise ReadError(str(error)) from None

    def try_ask(self, call: str, *arguments: Any) -> Any | None:
        """The same, None where the driver does not say."""
        with contextlib.suppress(ReadError):
            return self.ask(call, *arguments)
        return None

    def state(self) -> dict[str, float]:
        """What the driver says of the board just now, NaN where it does not."""
        nvml = self.nvml
        asked = {
            "power_w": (1e-3, self.try_ask("GetPowerUsage")),
            "energy_j": (1e-3, self.try_ask("GetTotalEnergyConsumption")),
            "temperature_c": (1, self.try_ask("GetTemperature", nvml.NVML_TEMPERATURE_GPU)),
            "sm_mhz": (1, self.try_ask("GetClockInfo", nvml.NVML_CLOCK_SM)),
        }
        return {k: math.nan if raw is None else unit * raw for k, (unit, raw) in asked.items()}

    def has_counter(self) -> bool:
        """False only where the driver says so: any other error may pass."""
        nvml = self.nvml
        lacking = (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        try:
            nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)
        except nvml.NVMLError as error:
            return error.value not in lacking
        return True

    def processes(self) -> set[int]:
        """Pids that compute on the board, as far as the driver tells."""
        return {p.pid for p in self.try_ask("GetComputeRunningProcesses") or []}


class BoardEnergy(Counter):
    """A board's energy counter, in mJ since the driver was loaded. It does not wrap (64 bits)."""

    unit_j = 1e-3

    def __init__(self, board: Board) -> None:
        self.board, self.domain = board, board.domain
        self.what, self.remedy = f"the energy counter of {board.what}", board.remedy

    def read(self) -> int:
        return int(self.board.ask("GetTotalEnergyConsumption"))


class BoardPower(PowerSensor):
    """A board's power reading, in mW."""

    def __init__(self, board: Board, max_power_w: float) -> None:
        self.board, self.domain = board, board.domain
        self.what, self.remedy = f"the power reading of {board.what}", board.remedy
        limit_mw = board.try_ask("GetEnforcedPowerLimit")
        self.limit_w = limit_mw / 1e3 if limit_mw else max_power_w

    def read_w(self) -> float:
        return float(self.board.ask("GetPowerUsage")) / 1e3


def load() -> Any:
    """pynvml with the driver's library loaded. Raises MeterError with the remedy."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        raise MeterError("nvidia-ml-py is missing: pip install 'joulebench[meters]'") from None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        refused = error.value == nvml.NVML_ERROR_NO_PERMISSION
        raise MeterError(NO_PERMISSION if refused else NO_DRIVER.format(error=error)) from None
    return nvml


def driver_version(nvml: Any) -> str | None:
    """As nvidia-smi shows it."""
    with contextlib.suppress(nvml.NVMLError):
        return str(nvml.nvmlSystemGetDriverVersion())
    return None


def visible(boards: list[Board]) -> list[Board]:
    """The boards that CUDA_VISIBLE_DEVICES leaves a worker; all where it is not set or not plain.

    CUDA counts boards by speed unless CUDA_DEVICE_ORDER=PCI_BUS_ID, the driver by bus: where boards
    differ, a number does not say which one is meant.
    """
    words = [word.strip() for word in os.environ.get("CUDA_VISIBLE_DEVICES", "all").split(",")]
    if words in ([""], ["-1"]):
        raise MeterError("CUDA_VISIBLE_DEVICES hides every GPU: unset it, or set meter.gpus=[0]")
    alike = len({board.name for board in boards}) == 1
    numbered = alike or os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    chosen = []
    for word in words:
        found = [b for b in boards if word.startswith("GPU-") and b.uuid.startswith(word)]
        found += [b for b in boards if numbered and word == str(b.index)]
        if len(found) != 1:
            return boards
        chosen += found
    return chosen


def library() -> dict[str, Any]:
    """Which driver library this process has loaded: path, SHA-256, and whether it is the system's."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    paths = [line.split(maxsplit=5)[5] for line in maps if "libnvidia-ml.so" in line]
    if not paths:
        return {"path": None, "sha256": None, "system": False}
    digest = hashlib.sha256(Path(paths[0]).read_bytes()).hexdigest()
    return {"path": paths[0], "sha256": digest, "system": paths[0].startswith(SYSTEM_FOLDERS)}
