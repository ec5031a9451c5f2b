"""The transformer: its predictor against its net, Muon, contexts, dynamic evaluation, what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from algorithms.base import Progress, Refused
from algorithms.dynamic import Contexts, Dynamic
from algorithms.transformer import Lanes, Transformer
from tasks.sequence import FLOOR, SequenceSpec, audit, examine
from tests.opponents import ODD, answers, as_text, nats, segments, words

torch = pytest.importorskip("torch", reason="needs PyTorch")

YAML = Path(__file__).parent.parent / "configs/algo/transformer.yaml"
TINY: dict[str, Any] = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 16, "first_block": 8, "batch_size": 8,
    "first_batch": 2, "epochs": 1, "bits": 12, "device": "cpu",
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(text: bytes, seed: int = 0, **fields: Any) -> tuple[Lanes, list[Progress]]:
    """The predictor and what was yielded on the way."""
    algorithm = Transformer(**{**TINY, **fields})
    algorithm.prepare(SequenceSpec(len(text), segment=64, lanes=4, seed=seed))
    training = algorithm.train({"text": as_text(text)})
    seen = []
    while True:
        try:
            event = next(training)
            assert isinstance(event, Progress)
            seen.append(event)
        except StopIteration as end:
            return end.value, seen


def full_pass(lanes: Lanes, text: np.ndarray) -> np.ndarray:
    """Log-probabilities after each byte of uint8 [B, T], by one pass with a band for a mask."""
    from algorithms import transformer_net
    from algorithms.transformer_net import angles

    T = text.shape[1]
    near = torch.ones(T, T, dtype=torch.bool).tril().triu(1 - lanes.window)
    plain = transformer_net.scaled_dot_product_attention

    def banded(q: Any, k: Any, v: Any, is_causal: bool) -> Any:
        assert is_causal
        return plain(q, k, v, attn_mask=near)

    rows = None
    if lanes.grams:
        each = [lanes.grams.last_rows(text[:, : t + 1]) for t in range(T)]
        rows = torch.from_numpy(np.concatenate(each, 1))
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(transformer_net, "scaled_dot_product_attention", banded)
        stream, direct = lanes.sums(rows)
        turn = angles(torch.arange(T), lanes.net.n_embd // lanes.net.n_head)
        hidden = lanes.net(torch.from_numpy(lanes.ids[text]).long(), stream, turn)
        logits = lanes.net.logits(hidden, direct)
    return logits.log_softmax(-1).numpy() + lanes.rest


@pytest.mark.parametrize("ngrams", [1, 4])
def test_predictor_equals_full_forward_pass_with_a_sliding_window(ngrams: int) -> None:
    lanes, _ = trained(words(3000), ngrams=ngrams, words=ngrams // 2)
    text = segments(3, 56)
    got = answers(lanes, text)[1:].transpose(1, 0, 2)[:, :, lanes.seen]
    np.testing.assert_allclose(got, full_pass(lanes, text), atol=1e-4)


def test_rows_while_training_are_those_while_predicting() -> None:
    lanes, _ = trained(words(3000))
    text = as_text(words(3000))
    assert lanes.grams
    for t in (0, 1, 5, 70, 2999):
        recent = text[None, max(0, t - 63) : t + 1]
        np.testing.assert_array_equal(lanes.grams.last_rows(recent)[0, 0], lanes.grams.text_rows[t])


def test_contexts_tell_apart_what_they_should() -> None:
    text = as_text(b"the cat. a cat, the catalogue; the cat")
    kinds = list(Contexts(2, 4, 2).hashes(text))
    first, second, third, last = 6, 13, 22, 37  # where each "cat" ends
    for kind in kinds[:3]:  # " cat" is the same everywhere
        assert len({int(kind[t]) for t in (first, second, third, last)}) == 1
    word, pair = kinds[3], kinds[4]
    assert word[first] == word[second] == word[third] != word[third + 1]
    assert pair[first] == pair[third] == pair[last] != pair[second]
    assert len({int(kind[last]) for kind in kinds}) == len(kinds)


def test_muon_makes_matrices_orthogonal() -> None:
    from algorithms.muon import Muon, orthogonal

    torch.manual_seed(0)
    stack = torch.randn(2, 3, 48, 16)
    square = torch.linalg.svdvals(orthogonal(stack, 6))
    assert square.min() > 0.9 and square.max() < 1.1
    u, _, v = torch.linalg.svd(stack[0, 0], full_matrices=False)
    torch.testing.assert_close(orthogonal(stack, 8)[0, 0], u @ v, atol=0.02, rtol=0)
    weight = torch.nn.Parameter(torch.zeros(3, 48, 16))
    weight.grad = stack[0].clone()
    Muon([weight], momentum=0.9, weight_decay=0.0, steps=6).step(0.1)
    assert weight.grad is None
    assert weight.square().mean().sqrt().item() == pytest.approx(0.1 / 16**0.5, rel=0.05)


def test_net_beats_letters_and_progress_can_be_shown() -> None:
    lanes, seen = trained(words(20_000), adam_rate=0.02)
    assert [p.step for p in seen] == list(range(0, seen[0].of, 25)) and seen[-1].predictor is lanes
    held = segments(20)
    text = as_text(words(20_000))
    share = np.bincount(text, minlength=256)[np.unique(text)] / len(text)
    assert nats(lanes, held) < 0.65 * -(share * np.log(share)).sum()


def test_asking_on_the_way_does_not_disturb_training() -> None:
    algorithm = Transformer(**TINY, adapt=True)
    algorithm.prepare(SequenceSpec(3000, segment=64, lanes=4, seed=0))
    found = []
    for ask in (False, True):
        training = algorithm.train({"text": as_text(words(3000))})
        try:
            while True:
                event = next(training)
                if ask:
                    nats(event.predictor, segments(2))  # type: ignore[union-attr]
        except StopIteration as end:
            found.append(answers(end.value, segments(2)))
    np.testing.assert_array_equal(*found)


def test_seed_decides_everything() -> None:
    found = [answers(trained(words(3000), seed=s)[0], segments(1)) for s in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


@pytest.mark.parametrize("name", ODD)
def test_odd_texts(name: str) -> None:
    text = ODD[name]
    if len(text) < 18:
        with pytest.raises(Refused, match=r"algo\.block_size=16: too long for a training text of"):
            trained(text)
        return
    lanes, _ = trained(text[:3000])
    for dynamic in (None, Dynamic(0.2, 1, 24)):
        lanes.dynamic = dynamic
        logp = answers(lanes, np.arange(48, dtype=np.uint8).reshape(2, 24) * 5)
        if len(lanes.seen) < 256:
            missing = np.setdiff1d(np.arange(256), lanes.seen)
            np.testing.assert_allclose(logp[..., missing], np.log(FLOOR), rtol=1e-5)


@pytest.mark.parametrize(
    "fields",
    [
        {"tied": True}, {"ngrams": 1, "words": 0}, {"stream_rate": 0}, {"logit_rate": 0},
        {"bf16": True}, {"first_block": 16}, {"epochs": 0.4, "weight_decay": 0.1, "hold": 1.0},
        {"ramp": 0.0, "warmup": 0.0}, {"n_layer": 1, "n_head": 1, "least": 2}, {"epochs": 2.5},
    ],
)  # fmt: skip
def test_options_learn(fields: dict[str, Any]) -> None:
    lanes, _ = trained(words(6000), **fields)
    assert nats(lanes, segments(8)) < 2.9


def test_compilation_is_of_every_shape_in_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in that notes what it is called with; inference is never compiled."""
    shapes: list[Any] = []

    def compiled(f: Any, **_: Any) -> Any:
        return lambda x, turn: shapes.append(tuple(x.shape)) or f(x, turn)

    monkeypatch.setattr(torch, "compile", compiled)
    algorithm = Transformer(**TINY, compile=True)
    algorithm.prepare(SequenceSpec(3000, segment=64, lanes=4, seed=0))
    known = set(shapes)
    shapes.clear()
    for _ in algorithm.train({"text": as_text(words(3000))}):
        pass
    assert set(shapes) <= known and len(known) > 3
    np.testing.assert_allclose(
        answers(trained(words(3000), compile=True)[0], segments(1)),
        answers(trained(words(3000))[0], segments(1)),
    )


@pytest.mark.parametrize("segment", [160, 10])  # 10: a lane sees more than it was made for
def test_dynamic_evaluation_learns_within_a_lane_and_nowhere_else(segment: int) -> None:
    lanes, _ = trained(words(6000))
    found = np.stack([as_text(words(40, seed) * 8)[:160] for seed in range(4)])
    plain = examine(found, lanes, 4)
    lanes.dynamic = Dynamic(0.2, 1, segment)
    adapted = examine(found, lanes, 4)
    assert segment < 160 or adapted.value < plain.value - 0.2
    assert audit(found, lanes, adapted, 160) < 1e-4  # alone, in another order, after it all


@pytest.mark.parametrize("every", [1, 3])
def test_dynamic_evaluation_is_gradient_descent(every: int) -> None:
    """Against autograd, for one lane and a model that knows nothing."""
    text = as_text(b"abracadabra, abracadabra" * 3)
    seen, ids = np.unique(text, return_inverse=True)
    dynamic = Dynamic(0.3, every, 1 << 14)  # so much room that no two contexts share a slot
    dynamic.reset(1, len(seen), torch.device("cpu"))
    kinds = np.stack(list(dynamic.contexts.hashes(text[None])), -1)[0]
    weights = {int(h): torch.zeros(len(seen), requires_grad=True) for h in kinds.ravel()}
    total = torch.zeros(())
    for t in range(len(text) - 1):
        got = dynamic.logp(torch.zeros(1, len(seen)), text[None, max(0, t - 63) : t + 1])
        logp = sum(weights[int(h)] for h in kinds[t]).log_softmax(-1)  # type: ignore[union-attr]
        torch.testing.assert_close(got[0], logp.detach(), atol=1e-5, rtol=1e-5)
        dynamic.learn(torch.tensor([ids[t + 1]]))
        total = total - logp[ids[t + 1]]
        if (t + 1) % every == 0:
            total.backward()
            with torch.no_grad():
                for w in weights.values():
                    if w.grad is not None:
                        w -= 0.3 * w.grad
                        w.grad = None
            total = torch.zeros(())


def test_second_draw_starts_afresh() -> None:
    algorithm = Transformer(**TINY)
    algorithm.prepare(SequenceSpec(4000, segment=64, lanes=4, seed=0))
    found = []
    for text in (words(4000), words(4000, 7), words(4000)):
        training = algorithm.train({"text": as_text(text)})
        with pytest.raises(StopIteration) as end:
            while True:
                next(training)
        found.append(answers(end.value.value, segments(1)))
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize("length", [20, 1000, 50_000])
def test_less_than_a_pass_reads_pieces_from_all_over(length: int) -> None:
    text = (np.arange(length) * 256 // length).astype(np.uint8)
    part = Transformer(**{**TINY, "epochs": 0.5})._part(text)
    assert max(18, length // 2) <= len(part) <= length // 2 + 18
    if length == 50_000:  # three pieces
        assert np.count_nonzero(np.diff(part.astype(int)) > 1) == 2
        assert part[0] == 0 and part[-1] == 255
    assert Transformer(**TINY)._part(text) is text


def test_yaml_lists_every_field_with_its_default() -> None:
    listed = yaml.safe_load(YAML.read_text())
    assert listed.pop("about")["families"] == ["sequence"]
    assert listed.pop("_target_") == "algorithms.transformer.Transformer"
    assert listed == {f.name: f.default for f in dataclasses.fields(Transformer)}
    assert Transformer(adapt=True).adapts and not Transformer().adapts


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n_embd": 66, "n_head": 2}, "algo.n_embd=66: must be an even multiple of algo.n_head=2"),
        ({"first_block": 48}, "algo.first_block=48: must be algo.block_size=128 divided by"),
        ({"first_batch": 99}, "algo.first_batch=99: must be at most algo.batch_size=16"),
        ({"epochs": 0}, "algo.epochs=0"),
        ({"epochs": float("nan")}, "algo.epochs=nan"),
        ({"hold": 1.5}, "algo.hold=1.5"),
        ({"batch_size": True}, "algo.batch_size=True"),
        ({"bf16": 1}, "algo.bf16=1: must be true or false"),
        ({"device": "abacus"}, "algo.device=abacus: must be auto, cpu or cuda"),
        ({"adapt": "yes"}, "algo.adapt=yes"),
        ({"adapt_rate": 0}, "algo.adapt_rate=0"),
        ({"adapt_every": 0}, "algo.adapt_every=0"),
        ({"bits": 99}, "algo.bits=99"),
    ],
)
def test_bad_hyperparameters_are_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused) as refused:
        Transformer(**fields)
    assert str(refused.value).startswith(named)


def test_without_cuda_or_torch_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Refused, match=r"algo\.device=cuda"):
        trained(words(100), device="cuda")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Refused, match="algo=transformer needs PyTorch"):
        trained(words(100))
    with pytest.raises(Refused, match="learns bytes"):
        Transformer().prepare(SequenceSpec(100, 32, 4, 0, vocab=50_257))


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, algorithms.transformer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "fields",
    [{}, {"compile": True, "first_block": 16, "first_batch": 8, "bf16": True, "adapt": True}],
)
def test_cuda_learns_as_the_cpu_does(fields: dict[str, Any]) -> None:
    plain = {**fields, "compile": False, "bf16": False}
    here = nats(trained(words(6000), **plain)[0], segments(8))
    there = nats(trained(words(6000), **fields, device="cuda")[0], segments(8))
    assert here == pytest.approx(there, abs=0.1 if fields else 0.05)
