"""Backprop for classification: one hidden layer, hinge loss, Adam or SGD, in plain numpy.

At these sizes a call's overhead outweighs its arithmetic, so the backward pass is written out by
hand, parameters live in one flat vector, and no framework is involved. Hyperparameters were found by
random search (`tests/benchmarks/tune_mlp.py`, its results in `tuning/backprop_classification.csv`);
the cheapest of its winners was then made wider (12 for 8) and stopped later, for fewer failures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from algorithms.base import Algorithm, Progress, Query, Refused, Training
from tasks.classification import Classification

Update = Callable[[np.ndarray], np.ndarray]


def with_bias(x: np.ndarray) -> np.ndarray:
    """float32 [m, n + 1]: x [m, n] and a column of ones, whose weights are the biases."""
    wide = np.ones((len(x), x.shape[1] + 1), np.float32)
    wide[:, :-1] = x
    return wide


def forward(
    x: np.ndarray, W: np.ndarray, V: np.ndarray, cube: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output f(x W) V [m, c] of x [m, n + 1], W [n + 1, h], V [h, c]; also f [m, h] and its slope.

    The slope of z^3 is left as z^2; `backward` brings in the 3 where it is cheaper, at V.
    """
    z = x @ W
    slope = z * z if cube else z > 0
    hidden = slope * z
    return hidden @ V, hidden, slope


def loss(output: np.ndarray, sign: np.ndarray) -> float:
    """Hinge loss of output [m, c] against sign [m, c] of -1 and +1: summed over c, mean over m."""
    return float(np.maximum(1 - sign * output, 0).sum() / len(output))


def backward(
    x: np.ndarray,
    sign: np.ndarray,
    W: np.ndarray,
    V: np.ndarray,
    gW: np.ndarray,
    gV: np.ndarray,
    cube: bool,
) -> None:
    """Writes the gradients of `loss` with respect to W and V into gW and gV."""
    output, hidden, slope = forward(x, W, V, cube)
    g = sign * (sign * output < 1)
    g *= -1 / len(x)
    np.matmul(hidden.T, g, out=gV)
    back = g @ (3 * V if cube else V).T
    back *= slope
    np.matmul(x.T, back, out=gW)


class Network:
    """A trained network: W [n + 1, h], V [h, c], and the labels `classes` that c stands for."""

    def __init__(self, W: np.ndarray, V: np.ndarray, cube: bool, classes: np.ndarray) -> None:
        self.W, self.V, self.cube, self.classes = W, V, cube, classes

    def output(self, x: np.ndarray) -> np.ndarray:
        return forward(x, self.W, self.V, self.cube)[0]

    def predict(self, x: np.ndarray) -> np.ndarray:
        output = self.output(with_bias(x))
        if output.shape[1] > 1:
            return self.classes[output.argmax(axis=1)]
        # Of two classes the last is +1; where training showed one only, it is first and last.
        return np.where(output[:, 0] > 0, self.classes[-1], self.classes[0])


@dataclass
class BackpropMLP(Algorithm):
    """Two classes share one output; more have one each, trained one against the rest.

    Stops when the loss on a validation split is down to `stop`, else after `epochs` with the weights
    that did best on it. Rows come in random order, so every epoch takes them as they come. With
    activation="cube" the network is a polynomial of degree 3: cheapest at k = 3, at chance for k > 3.
    activation="relu" is the general choice (its best setting is in the yaml) and learns k = 4.

    hidden: hidden units. lr, momentum, batch: of the optimizer; beta2: Adam's memory of squared
    gradients. weight_decay: pull of all weights to zero, times lr per step. init, init_out: standard
    deviation of first and second layer's weights, times the root of their inputs. validation: part
    of the rows that is not trained on.
    """

    activation: str = "cube"
    optimizer: str = "adam"
    hidden: int = 12
    lr: float = 0.044
    momentum: float = 0.0
    beta2: float = 0.99
    batch: int = 192
    weight_decay: float = 0.0
    init: float = 0.1
    init_out: float = 1.0
    validation: float = 0.1
    stop: float = 0.005
    epochs: int = 40

    def __post_init__(self) -> None:
        for name, known in (("activation", ("cube", "relu")), ("optimizer", ("adam", "sgd"))):
            value = getattr(self, name)
            if value not in known:
                raise Refused(f"algo.{name}={value}: unknown; known are {', '.join(known)}")
        for name in ("hidden", "batch", "epochs"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise Refused(f"algo.{name}={value}: must be a whole number of at least 1")
        for name in ("lr", "init", "init_out", "stop"):
            if not 0 < getattr(self, name) < np.inf:
                raise Refused(f"algo.{name}={getattr(self, name)}: must be above 0")
        for name in ("momentum", "beta2", "weight_decay", "validation"):
            if not 0 <= getattr(self, name) < 1:
                raise Refused(f"algo.{name}={getattr(self, name)}: must be at least 0 and below 1")

    def prepare(self, spec: Classification) -> None:
        super().prepare(spec)
        x = with_bias(np.ones((self.batch, spec.n)))
        x @ x.T  # wakes the linear algebra library, whose first call is slow

    def train(self, data: dict[str, np.ndarray]) -> Training:
        spec: Classification = self.spec
        rng = np.random.default_rng(spec.seed)
        x, y = data["x"], data["y"]
        if spec.access == "queries":
            x = 1 - 2 * rng.integers(2, size=(spec.budget, spec.n), dtype=np.int8)
            y = yield Query(x)
        classes, index = np.unique(y, return_inverse=True)
        outputs = len(classes) if len(classes) > 2 else 1
        own = np.arange(outputs) if outputs > 1 else 1  # the class for which an output is +1
        sign = np.where(index[:, None] == own, np.float32(1), np.float32(-1))

        # All weights are one vector, and so are all gradients: an update is a few calls for both.
        weights = rng.standard_normal((spec.n + 1 + outputs) * self.hidden, dtype=np.float32)
        W, V = self._layers(weights)
        W *= self.init / np.sqrt(spec.n + 1)
        V *= self.init_out / np.sqrt(self.hidden)
        network = Network(W, V, self.activation == "cube", classes)
        update = {"adam": self._adam, "sgd": self._sgd}[self.optimizer](weights)

        x = with_bias(x)
        held = int(len(x) * self.validation)
        x_held, sign_held = x[: held or None], sign[: held or None]
        x, sign = x[held:], sign[held:]
        least, best = np.inf, weights.copy()
        for epoch in range(1, self.epochs + 1):
            with np.errstate(all="ignore"):  # a run that diverges is caught by its loss
                self._epoch(x, sign, weights, update)
                left = loss(network.output(x_held), sign_held)
            if left <= self.stop:
                return network
            if left < least:
                least = left
                best[:] = weights
            if not np.isfinite(left):
                break
            yield Progress(epoch, self.epochs, left, network)
        weights[:] = best
        return network

    def _layers(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views of a flat vector as W [n + 1, hidden] and V [hidden, outputs]."""
        split = (self.spec.n + 1) * self.hidden
        return flat[:split].reshape(-1, self.hidden), flat[split:].reshape(self.hidden, -1)

    def _epoch(self, x: np.ndarray, sign: np.ndarray, weights: np.ndarray, update: Update) -> None:
        """One pass over x [rows, n + 1] and sign [rows, c]; changes the weights in place."""
        cube = self.activation == "cube"
        gradient = np.empty_like(weights)
        layers = *self._layers(weights), *self._layers(gradient)
        shrink = np.float32(1 - self.lr * self.weight_decay)
        for i in range(0, len(x), self.batch):
            backward(x[i : i + self.batch], sign[i : i + self.batch], *layers, cube)
            if self.weight_decay:
                weights *= shrink
            weights -= update(gradient)

    def _sgd(self, weights: np.ndarray) -> Update:
        """SGD with heavy-ball momentum: from a gradient to what is taken from the weights."""
        lr, momentum = np.float32(self.lr), np.float32(self.momentum)
        velocity = np.zeros_like(weights)

        def update(gradient: np.ndarray) -> np.ndarray:
            np.multiply(velocity, momentum, out=velocity)
            np.add(velocity, gradient, out=velocity)
            return lr * velocity

        return update

    def _adam(self, weights: np.ndarray) -> Update:
        """Adam (Kingma and Ba 2015), beta1 being `momentum`; without momentum it is RMSprop."""
        first, second = np.zeros_like(weights), np.zeros_like(weights)
        new1, new2 = np.float32(1 - self.momentum), np.float32(1 - self.beta2)
        step = 0

        def update(gradient: np.ndarray) -> np.ndarray:
            nonlocal first, step
            step += 1
            if self.momentum:
                first += new1 * (gradient - first)
            else:
                first = gradient
            square = gradient * gradient
            square -= second
            square *= new2
            np.add(second, square, out=second)
            root = np.sqrt(second)
            root += np.float32(1e-8)
            np.divide(first, root, out=root)
            # Both moments start at zero; this makes up for it, as a factor on the rate.
            mended = np.sqrt(1 - self.beta2**step) / (1 - self.momentum**step)
            root *= np.float32(self.lr * mended)
            return root

        return update
