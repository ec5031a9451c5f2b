"""The GPT baseline: its predictor against its model, its recipe's size, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from algorithms.backprop_gpt import BackpropGPT, Lanes
from algorithms.base import Progress, Refused
from tasks.sequence import FLOOR, SequenceSpec, audit, examine

torch = pytest.importorskip("torch", reason="needs PyTorch")

YAML = Path(__file__).parent.parent / "configs/algo/backprop/sequence.yaml"
TINY: dict[str, Any] = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 20,
    "warmup_iters": 5, "device": "cpu",
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def some_text(length: int = 2000, symbols: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(97, 97 + symbols, length).astype(np.uint8)


def trained(text: np.ndarray, seed: int = 0, **fields: Any) -> tuple[Lanes, list[Progress]]:
    """The predictor and what was yielded on the way."""
    algorithm = BackpropGPT(**{**TINY, **fields})
    algorithm.prepare(SequenceSpec(len(text), segment=32, lanes=4, seed=seed))
    training = algorithm.train({"text": text})
    seen = []
    while True:
        try:
            event = next(training)
            assert isinstance(event, Progress)
            seen.append(event)
        except StopIteration as end:
            return end.value, seen


def run(predictor: Lanes, segments: np.ndarray) -> np.ndarray:
    """Log-probabilities [lanes, steps + 1, 256] before, between and after uint8 [lanes, steps]."""
    predictor.reset(len(segments))
    out = [predictor.predict()]
    for came in segments.T:
        predictor.observe(came)
        out.append(predictor.predict())
    return np.stack(out, axis=1)


def full_pass(predictor: Lanes, segments: np.ndarray) -> np.ndarray:
    """The same by one forward pass without a cache, for the symbols seen: [lanes, steps, symbols]."""
    with torch.no_grad():
        logits = predictor.model(torch.from_numpy(predictor.ids[segments]).long())
    return logits.log_softmax(-1).numpy() + predictor.rest


def test_predictor_equals_full_forward_pass_within_a_block() -> None:
    text = some_text()
    predictor, _ = trained(text)
    segments = text[:24].reshape(3, 8)
    got = run(predictor, segments)[:, 1:, predictor.seen]
    np.testing.assert_allclose(got, full_pass(predictor, segments), atol=1e-5)


@pytest.mark.parametrize("keep", [1, 3, 4, 8])
def test_a_full_block_leaves_the_cache_of_a_fresh_encode_of_what_is_kept(keep: int) -> None:
    text = some_text()
    predictor, _ = trained(text, keep=keep)
    segments = text[:120].reshape(4, 30)
    got = run(predictor, segments)[:, 1:, predictor.seen]
    start, end = 0, 0  # the window that the predictor's docstring promises
    for t in range(segments.shape[1]):
        if end - start == 8:
            start = t + 1 - keep
        end = t + 1
        expected = full_pass(predictor, segments[:, start:end])
        np.testing.assert_allclose(got[:, t], expected[:, -1], atol=1e-5)
    fresh = predictor.model.new_cache(4)
    with torch.no_grad():
        predictor.model(torch.from_numpy(predictor.ids[segments[:, start:end]]).long(), fresh)
    filled = end - start
    torch.testing.assert_close(
        predictor.cache[:, :, :, :, :filled], fresh[:, :, :, :, :filled], atol=1e-5, rtol=0
    )


def test_probabilities_sum_to_one_and_unseen_bytes_have_a_little() -> None:
    text = some_text(symbols=5)
    predictor, _ = trained(text)
    segments = np.arange(80, dtype=np.uint8).reshape(
        4, 20
    )  # most of these bytes are not in the text
    logp = run(predictor, segments)
    assert logp.dtype == np.float32
    np.testing.assert_allclose(np.exp(logp.astype(float)).sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(logp[:, :, 0], np.log(FLOOR), rtol=1e-6)
    counts = np.bincount(text, minlength=256)[97:102]
    np.testing.assert_allclose(np.exp(logp[0, 0, 97:102]), counts / counts.sum(), rtol=0.01)


def test_all_256_bytes() -> None:
    predictor, _ = trained(np.arange(512).astype(np.uint8), max_iters=2)
    logp = run(predictor, np.array([[0], [255]], np.uint8))
    np.testing.assert_allclose(np.exp(logp.astype(float)).sum(-1), 1, atol=1e-5)


def test_lanes_do_not_see_one_another_and_reset_forgets() -> None:
    text = some_text()
    predictor, _ = trained(text)
    segments = text[:120].reshape(4, 30)
    before = run(predictor, segments)
    changed = segments.copy()
    changed[[0, 2]] = text[500:560].reshape(2, 30)
    after = run(predictor, changed)
    np.testing.assert_array_equal(after[[1, 3]], before[[1, 3]])
    assert not np.allclose(after[0], before[0])
    np.testing.assert_array_equal(run(predictor, segments), before)
    np.testing.assert_allclose(run(predictor, segments[2:3])[0], before[2], atol=1e-5)


def test_seed_decides_everything() -> None:
    text = some_text()
    segment = text[:20].reshape(1, 20)
    first, other = run(trained(text)[0], segment), run(trained(text, seed=1)[0], segment)
    np.testing.assert_array_equal(run(trained(text)[0], segment), first)
    np.testing.assert_array_equal(run(trained(text, dropout=0.0)[0], segment), first)
    assert not np.allclose(other, first)
    noisy = run(trained(text, dropout=0.3)[0], segment)
    np.testing.assert_array_equal(run(trained(text, dropout=0.3)[0], segment), noisy)
    assert not np.allclose(noisy, first)


def test_second_draw_starts_afresh() -> None:
    text = some_text()
    algorithm = BackpropGPT(**TINY)
    algorithm.prepare(SequenceSpec(len(text), 32, 4, seed=0))
    predictors = []
    for _ in range(2):
        training = algorithm.train({"text": text})
        with pytest.raises(StopIteration) as end:
            while True:
                next(training)
        predictors.append(end.value.value)
    segment = text[:20].reshape(1, 20)
    np.testing.assert_array_equal(run(predictors[0], segment), run(predictors[1], segment))
    assert predictors[0].model is not predictors[1].model


def test_learns_a_periodic_text() -> None:
    period = np.frombuffer(b"abacadaeaf", np.uint8)  # after an "a" only a longer context helps
    text = np.tile(period, 60)
    predictor, seen = trained(text, max_iters=300, learning_rate=1e-2, min_lr=1e-3, warmup_iters=20)
    assert [p.step for p in seen] == [0, 50, 100, 150, 200, 250]
    assert seen[0].of == 300
    assert seen[0].loss == pytest.approx(np.log(6), abs=0.1)
    counts = np.bincount(text, minlength=256)[97:103] / len(text)
    unigram = -(counts * np.log(counts)).sum()
    score = examine(np.tile(period, 8).reshape(2, 40), predictor, lanes=2)
    assert score.value < 0.2 * unigram


@pytest.mark.parametrize("compile", [False, True])
def test_bfloat16_learns_about_the_same(compile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU it is for speed; what autocast does is the same here. Compiled by a stand-in."""
    compiled: list[Any] = []
    monkeypatch.setattr(torch, "compile", lambda f, **_: compiled.append(f) or f)
    text = some_text(600, symbols=3)
    segments = text[:64].reshape(2, 32)
    fields: dict[str, Any] = {"max_iters": 60, "compile": compile, "dropout": 0.1}
    exact = examine(segments, trained(text, **fields)[0], 2).value
    coarse, seen = trained(text, **fields, dtype="bfloat16")
    assert all(p.dtype == torch.float32 for p in coarse.model.parameters())
    assert seen[0].loss is not None and np.isfinite(seen[0].loss)
    assert examine(segments, coarse, 2).value == pytest.approx(exact, abs=0.05)
    assert len(compiled) == (4 if compile else 0)  # a setup and a training each


def test_dynamic_evaluation_learns_within_a_lane_and_nowhere_else() -> None:
    text = some_text()
    found = np.stack([np.tile(text[40 * i : 40 * i + 40], 5) for i in range(4)])
    plain = examine(found, trained(text)[0], 4)
    predictor = trained(text, adapt=True)[0]
    adapted = examine(found, predictor, 4)
    assert adapted.value < plain.value - 0.5
    assert audit(found, predictor, adapted, 200) < 1e-4  # alone, in another order, after it all
    assert BackpropGPT(adapt=True).adapts and not BackpropGPT().adapts
    seldom = examine(found, trained(text, adapt=True, adapt_every=8)[0], 4)
    assert adapted.value < seldom.value < plain.value


def test_published_number_of_parameters() -> None:
    """nanoGPT prints 0.80M: the tied matrix counted once, the learned positions not at all."""
    from algorithms.gpt import GPT

    recipe = BackpropGPT()
    model = GPT(65, recipe.block_size, recipe.n_layer, recipe.n_head, recipe.n_embd, recipe.dropout)
    assert model.count() == 795_904
    assert sum(p.numel() for p in model.parameters()) == 795_904 + 64 * 128


def test_blocks_are_those_of_torch_itself() -> None:
    """nn.TransformerEncoderLayer with the same weights is an independent reference."""
    from algorithms.gpt import GPT, Block

    torch.manual_seed(0)
    model = GPT(vocab=9, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.0)
    idx = torch.randint(9, (3, 8))
    x = model.symbols(idx) + model.positions(torch.arange(8))
    for block in model.blocks:
        assert isinstance(block, Block)
        layer = torch.nn.TransformerEncoderLayer(
            16, 2, 64, 0.0, "gelu", batch_first=True, norm_first=True, bias=False
        )
        qkv, out = block.attention.qkv, block.attention.out
        linear = [qkv.weight, out.weight, block.up.weight, block.down.weight]
        weights = [*linear, block.norm1.weight, block.norm2.weight]
        layer.load_state_dict(dict(zip(layer.state_dict(), weights, strict=True)))
        x = layer(x, torch.nn.Transformer.generate_square_subsequent_mask(8), is_causal=True)
    expected = model.norm(x) @ model.symbols.weight.T
    torch.testing.assert_close(model(idx), expected, atol=1e-6, rtol=1e-4)


def test_learning_rate() -> None:
    recipe = BackpropGPT()
    assert recipe._rate(0) == pytest.approx(1e-3 / 101)
    assert recipe._rate(100) == pytest.approx(1e-3)
    assert recipe._rate(1050) == pytest.approx((1e-3 + 1e-4) / 2)
    assert recipe._rate(2000) == pytest.approx(1e-4)
    longer = BackpropGPT(lr_decay_iters=3900)  # stops before the rate is down
    assert longer._rate(2000) == pytest.approx((1e-3 + 1e-4) / 2)
    assert BackpropGPT(lr_decay_iters=1000)._rate(1500) == pytest.approx(1e-4)


def test_yaml_lists_every_field_with_its_default() -> None:
    listed = yaml.safe_load(YAML.read_text())
    assert listed.pop("about")["families"] == ["sequence"]
    assert listed.pop("_target_") == "algorithms.backprop_gpt.BackpropGPT"
    assert listed == {f.name: f.default for f in dataclasses.fields(BackpropGPT)}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n_embd": 130}, "algo.n_embd=130: must be divisible by algo.n_head=4"),
        ({"block_size": 0}, "algo.block_size=0"),
        ({"n_layer": 2.5}, "algo.n_layer=2.5"),
        ({"batch_size": True}, "algo.batch_size=True"),
        ({"max_iters": "many"}, "algo.max_iters=many"),
        ({"learning_rate": -1.0}, "algo.learning_rate=-1.0"),
        ({"min_lr": float("nan")}, "algo.min_lr=nan"),
        ({"dropout": 1.0}, "algo.dropout=1.0"),
        ({"beta2": 1.5}, "algo.beta2=1.5"),
        ({"keep": 65}, "algo.keep=65: must be at most algo.block_size=64"),
        ({"device": "abacus"}, "algo.device=abacus"),
        ({"compile": "yes"}, "algo.compile=yes"),
        ({"dtype": "float16"}, "algo.dtype=float16: must be float32 or bfloat16"),
        ({"lr_decay_iters": -1}, "algo.lr_decay_iters=-1"),
        ({"adapt": 1}, "algo.adapt=1"),
        ({"adapt_rate": -0.1}, "algo.adapt_rate=-0.1"),
        ({"adapt_every": 0}, "algo.adapt_every=0"),
    ],
)
def test_bad_hyperparameters_are_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused) as refused:
        BackpropGPT(**fields)
    assert str(refused.value).startswith(named)
    assert "\n" not in str(refused.value)


def test_short_text_is_refused() -> None:
    with pytest.raises(Refused, match=r"algo\.block_size=8: too long for a training text of 9"):
        trained(some_text(9))
    trained(some_text(10))


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Refused, match=r"algo\.device=cuda"):
        trained(some_text(), device="cuda")


def test_missing_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Refused, match=r"needs PyTorch: pip install 'joulebench\[torch\]'"):
        BackpropGPT(**TINY).prepare(SequenceSpec(100, 32, 4, 0))


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, algorithms.backprop_gpt; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_predicts_as_the_cpu_does() -> None:
    text = some_text()
    segments = text[:120].reshape(4, 30)
    here, there = trained(text, max_iters=2)[0], trained(text, max_iters=2, device="cuda")[0]
    np.testing.assert_allclose(run(here, segments), run(there, segments), atol=0.02)
