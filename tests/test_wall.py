"""The wall meter against plugs and commands that the test plays."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from metrics import plug
from metrics.meter import MeterError, Window, monotonic_s
from metrics.process_tree import ProcessTree
from metrics.wall import Wall

pytestmark = pytest.mark.alone

QUICK: dict[str, float] = {"poll_s": 0.05, "timeout_s": 0.4, "max_gap_s": 0.5}


class Plug(ThreadingHTTPServer):
    """A plug that draws 50 W and counts what it drew. answer: its body at the n-th request."""

    daemon_threads = True

    def __init__(self, answer: Callable[[int, float], str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.requests, self.start_s = answer, 0, time.monotonic()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/status"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Plug

    def do_GET(self) -> None:
        self.server.requests += 1
        joules = 1e6 + 50 * (time.monotonic() - self.server.start_s)
        body = self.server.answer(self.server.requests, joules)
        if body == "silent":
            time.sleep(1.5)
            return
        self.send_response(500 if body == "broken" else 200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        return


def watts(n: int) -> float:
    return 49.5 + n % 3 / 2


def shelly1(n: int, joules: float) -> str:
    meter = {"power": watts(n), "is_valid": True, "total": joules // 60}
    return json.dumps({"wifi_sta": {}, "meters": [meter]})


def shelly2(n: int, joules: float) -> str:
    total = round(joules / 3600, 3)
    return json.dumps({"id": 0, "apower": watts(n), "aenergy": {"total": total, "by_minute": [0]}})


def tasmota(n: int, joules: float) -> str:
    energy = {"Power": watts(n), "Total": round(joules / 3.6e6, 3), "Factor": 1.0}
    return json.dumps({"StatusSNS": {"Time": "2026-01-01T00:00:00", "ENERGY": energy}})


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[int, float], str]], Plug]]:
    plugs: list[Plug] = []

    def call(answer: Callable[[int, float], str]) -> Plug:
        plugs.append(Plug(answer))
        return plugs[-1]

    yield call
    for server in plugs:
        server.shutdown()
        server.server_close()


@pytest.fixture
def opened() -> Iterator[Callable[..., Wall]]:
    meters: list[Wall] = []

    def call(**fields: Any) -> Wall:
        meters.append(Wall(**{**QUICK, **fields}))
        meters[-1].open(ProcessTree(os.getpid()))
        return meters[-1]

    yield call
    for meter in meters:
        meter.close()


def metered(meter: Wall, seconds: float) -> Window:
    begin, begin_s = meter.begin(), monotonic_s()
    time.sleep(seconds)
    now_s = monotonic_s()
    return Window("train", 1, begin_s, now_s, begin, meter.end(now_s))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(shelly1, "shelly gen1"), (shelly2, "shelly gen2"), (tasmota, "tasmota")],
)
def test_plugs(
    serve: Callable[..., Plug], opened: Callable[..., Wall], answer: Any, kind: str
) -> None:
    meter = opened(url=serve(answer).url)
    idle, window = metered(meter, 0.4), metered(meter, 0.7)
    (row,) = meter.rows(window, [idle])
    assert row.gross_j == pytest.approx(50 * row.window_s, rel=0.05)
    assert row.low_j <= 50 * row.window_s <= row.high_j
    assert (row.domain, row.source, row.gain_rel) == ("wall", "measured:wall:url", 0.02)
    assert row.net_low_j is not None and row.net_high_j is not None
    assert row.net_low_j <= 0 <= row.net_high_j
    assert meter.glance(window.begin) == pytest.approx(row.gross_j, rel=0.3)
    assert meter.about() == {"kind": "url", "plug": kind}
    sensor = Wall(url=meter.url).sensors()[0]
    assert sensor.usable and kind in sensor.note


def test_units_of_each_plug() -> None:
    """The same 1.2 kWh at 42 W, as each of them writes it."""
    answers: list[dict[str, Any]] = [
        {"meters": [{"power": 42, "total": 72_000}]},
        {"apower": 42, "aenergy": {"total": 1200.0}},
        {"StatusSNS": {"ENERGY": {"Power": 42, "Total": 1.2}}},
    ]
    for answer in answers:
        _, power_w, total_j, step = plug.parse(answer)
        assert power_w == 42 and total_j == pytest.approx(1.2 * 3.6e6)
        assert step.joules is not None and step.joules >= 3.6


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<html>" + 100 * "x", r"no known plug does: '<html>x{74}'; .*rpc/Switch.GetStatus"),
        ("[]", "no known plug"),
        ("7", "no known plug"),
        ('{"meters": []}', "no known plug"),
        ('{"apower": "50", "aenergy": {"total": 1}}', "no known plug"),
        ('{"apower": NaN, "aenergy": {"total": 1}}', "no known plug"),
        ('{"apower": 0, "aenergy": {"total": 1}}', "0 W: this machine does not hang on it"),
        ("broken", "HTTP 500"),
        ("silent", "does not answer .*see that it has power"),
    ],
)
def test_a_plug_that_is_no_use(
    serve: Callable[..., Plug], opened: Callable[..., Wall], body: str, why: str
) -> None:
    server = serve(lambda n, joules: body)
    with pytest.raises(MeterError, match=why) as failure:
        opened(url=server.url)
    assert server.url in str(failure.value)
    sensor = Wall(url=server.url, timeout_s=0.4).sensors()[0]
    assert not sensor.usable and server.url in sensor.remedy


def test_nobody_there(opened: Callable[..., Wall]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(MeterError, match=f"{url} does not answer"):
            opened(url=url)


def test_a_plug_that_stops_half_way(
    serve: Callable[..., Plug], opened: Callable[..., Wall]
) -> None:
    server = serve(lambda n, joules: shelly2(n, joules) if n < 12 else "silent")
    meter = opened(url=server.url)
    window = metered(meter, 1.4)
    with pytest.raises(MeterError, match=r"no reading .* above meter.max_gap_s=0.5 .*timed out"):
        meter.rows(window, [])
    time.sleep(0.2)
    with pytest.raises(MeterError, match="went silent"):
        metered(meter, 0.0)


def test_a_short_silence_is_flagged(
    serve: Callable[..., Plug], opened: Callable[..., Wall]
) -> None:
    server = serve(lambda n, joules: shelly2(n, joules) if n != 12 else "silent")
    meter = opened(url=server.url, max_gap_s=2.0)
    (row,) = meter.rows(metered(meter, 1.5), [])
    assert row.low_j <= 50 * row.window_s <= row.high_j
    assert any(flag.startswith("no reading for 0.") for flag in row.flags)


def test_totals_that_go_backwards(serve: Callable[..., Plug], opened: Callable[..., Wall]) -> None:
    server = serve(lambda n, joules: shelly2(n, joules if n < 12 else joules - 9e5))
    meter = opened(url=server.url)
    (row,) = meter.rows(metered(meter, 1.0), [])
    assert row.gross_j == pytest.approx(50 * row.window_s, rel=0.05)
    assert any("backwards" in flag for flag in row.flags)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "meter.url=.*meter.command=.*meter.csv="),
        ({"url": "192.168.1.5"}, "must begin with http://"),
        ({"url": "http://a", "command": "b"}, "give one of them"),
        ({"command": "echo 'x"}, "meter.command=.*No closing quotation"),
        ({"command": "echo 1", "prints": "kWh"}, "must be watts or joules"),
        ({"command": "no-such-program"}, "exit code 127: .*No such file"),
        ({"command": "echo fifty watts"}, "must print watts as a number, but prints 'fifty"),
        ({"command": "true"}, "must print watts as a number"),
        ({"command": "sh -c 'echo sorry >&2; exit 3'"}, "exit code 3: 'sorry'"),
        ({"command": "sleep 5"}, "no end within 0.4 s"),
        ({"csv": "/no/such/folder/log.csv"}, "there is no folder"),
        ({"poll_s": 0}, "must be above 0"),
    ],
)
def test_refused_with_the_remedy(
    opened: Callable[..., Wall], fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(MeterError, match=why):
        opened(**fields)


def program(what: str) -> str:
    """A command that prints `what` of the time on the monotonic clock."""
    return f'{sys.executable} -S -c "import time; t = time.monotonic(); print({what})"'


@pytest.mark.parametrize(
    ("prints", "what"), [("watts", "50 + t % 1 / 10"), ("joules", "50 * t + 7")]
)
def test_commands(opened: Callable[..., Wall], prints: str, what: str) -> None:
    """Their processes are not the worker's, and end with the meter."""
    meter = opened(command=program(what), prints=prints)
    assert meter.helper is not None and meter.helper.pid not in meter.tree.members()
    (row,) = meter.rows(metered(meter, 1.0), [])
    assert row.gross_j == pytest.approx(50.05 * row.window_s, rel=0.1)
    assert row.low_j < row.gross_j < row.high_j and row.source == "measured:wall:command"
    helper = meter.helper
    meter.close()
    assert helper.returncode is not None
