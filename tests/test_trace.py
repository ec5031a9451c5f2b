"""A trace as parquet and as a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from metrics.meter import MeterError, Window
from metrics.trace import Trace, figure, save

T_S = 1000.0 + np.arange(0, 20, 0.1)
PHASES = (("setup", 0.5, 2.0), ("idle", 2.0, 7.0), ("train", 7.0, 19.0), ("inference", 19.0, 19.4))
WINDOWS = [Window(name, 1, 1000 + a, 1000 + b, None, None) for name, a, b in PHASES]


def trace() -> Trace:
    power = np.where(T_S < 1007, 80.0, 600.0)
    power[50:60] = np.nan
    return Trace(
        T_S,
        {
            "gpu0_power_w": power,
            "gpu0_power_limit_w": np.full(len(T_S), 700.0),
            "gpu0_energy_j": np.cumsum(np.nan_to_num(power)),
            "gpu0_temperature_c": np.linspace(35, 60, len(T_S)),
            "gpu0_sm_mhz": np.full(len(T_S), 1980.0),
            "never_w": np.full(len(T_S), np.nan),
        },
        errors={"metrics.nvml.probe": 10},
    )


def test_parquet_keeps_everything(tmp_path: Path) -> None:
    seen = trace()
    save(seen, tmp_path / "traces" / "a-run", "a-run", WINDOWS, "measured:nvml")
    table = pq.read_table(tmp_path / "traces" / "a-run.parquet")
    assert table.column_names == ["t_s", *seen.columns]
    assert np.allclose(table["t_s"].to_numpy(), T_S - 1000.5)  # from the run's first window
    for name, values in seen.columns.items():
        found = table[name].to_numpy()
        assert np.array_equal(found, values, equal_nan=True)
    assert table["gpu0_power_w"].null_count == 10  # nothing was read: null, not a number
    facts = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    assert facts["run"] == "a-run"
    phases = json.loads(facts["phases"])
    assert [p["phase"] for p in phases] == [name for name, *_ in PHASES]
    assert phases[2]["begin_s"] == pytest.approx(6.5) and phases[2]["end_s"] == pytest.approx(18.5)
    assert json.loads(facts["errors"]) == {"metrics.nvml.probe": 10}
    png = (tmp_path / "traces" / "a-run.png").read_bytes()
    assert png.startswith(b"\x89PNG") and len(png) > 10_000


def test_the_picture_names_phases_series_and_units() -> None:
    made = figure(trace(), WINDOWS, "a-run · measured:nvml")
    power, temperature, clock = made.axes
    assert [t.get_text() for t in power.texts] == [name for name, *_ in PHASES]
    assert [t.get_rotation() for t in power.texts] == [0, 0, 0, 90]  # the last is narrow
    assert power.get_ylabel() == "power (W)" and power.get_ylim()[0] == 0
    assert temperature.get_ylabel() == "temperature (°C)" and clock.get_ylabel() == "clock (MHz)"
    assert clock.get_xlabel().startswith("seconds")
    labels = [t.get_text() for t in power.get_legend().get_texts()]
    assert labels == [
        "gpu0 power",
        "gpu0 power limit",
    ]  # no counter, and nothing that was never read
    assert made.get_suptitle() == "a-run · measured:nvml"
    bands = [patch.get_extents().transformed(power.transData.inverted()) for patch in power.patches]
    edges = [(band.x0, band.x1) for band in bands]
    assert np.allclose(edges, [(a - 0.5, b - 0.5) for _, a, b in PHASES])


def test_a_trace_of_nothing_is_no_fault(tmp_path: Path) -> None:
    save(Trace(np.array([]), {}), tmp_path / "empty", "r", [], "modelled:cpu_time")
    assert pq.read_table(tmp_path / "empty.parquet").num_rows == 0
    (axis,) = figure(Trace(np.array([]), {}), WINDOWS, "r").axes
    assert len(axis.texts) == len(PHASES)


@pytest.mark.parametrize("package", ["pyarrow", "matplotlib"])
def test_a_missing_package_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MeterError, match=rf"{package}.*pip install 'joulebench\[meters\]'"):
        save(trace(), tmp_path / "x", "r", WINDOWS, "measured:nvml")
