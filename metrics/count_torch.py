"""Counts what torch does: every operation that its dispatcher runs, forward, backward and optimizer.

Bytes are those at an operation's boundary: each tensor that goes in is read once, each that comes out
written once. A view moves nothing; of an expanded tensor its memory counts, not its shape; a gather reads
what it gathers, not the table. Types are those of the results: torch computes some bfloat16 operations in
float32 inside, which nobody sees from here. Peak is of tensors, without an operation's own scratch memory.
The rules are in `metrics.count_torch_rules`. Imports torch: import this module late.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from metrics.count_base import BaseCounter, extent
from metrics.count_torch_places import Rule
from metrics.count_torch_rules import EMPTY, FREE, OVERWRITE, find

IGNORED = ("profiler", "prim")  # namespaces: of these no operation works on elements


class Plan:
    """What is known of one operator, whatever it is called with."""

    def __init__(self, op: Any) -> None:
        self.name = op.name().partition("::")[2].partition(".")[0]
        arguments = op._schema.arguments
        written = [
            (i, a) for i, a in enumerate(arguments) if a.alias_info and a.alias_info.is_write
        ]
        self.positions = [i for i, a in written if not a.kwarg_only]
        self.names = [a.name for _, a in written]
        self.only_written = self.name in OVERWRITE or bool(written and written[0][1].is_out)
        self.empty = self.name in EMPTY
        self.free = op.is_view or self.name in FREE or op.namespace in IGNORED
        self.rule: Rule | None = find(op, self.name)
        # In inference mode operators come before they are taken apart; what has a rule stays whole.
        implicit = torch._C.DispatchKey.CompositeImplicitAutograd
        whole = self.free or self.rule is not None
        self.composite = not whole and op.has_kernel_for_dispatch_key(implicit)


class Call:
    """One operation that was run. inputs, outputs, mutated: its tensors; mutated ones were inputs."""

    __slots__ = ("args", "inputs", "kwargs", "mutated", "name", "outputs", "result")

    def __init__(self, plan: Plan, args: Any, kwargs: Any, result: Any) -> None:
        self.name, self.args, self.kwargs, self.result = plan.name, args, kwargs, result
        self.inputs = tensors((*args, *kwargs.values()))
        self.mutated = []
        if plan.names:
            chosen = [args[i] for i in plan.positions if i < len(args)]
            self.mutated = tensors((*chosen, *(kwargs[n] for n in plan.names if n in kwargs)))
        known = {id(x) for x in self.mutated}
        self.outputs = [x for x in tensors((result,)) if id(x) not in known]

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """An argument, however it was given."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    @property
    def results(self) -> list[Tensor]:
        """What the operation wrote."""
        return self.mutated or self.outputs


class _Mode(TorchDispatchMode):
    def __init__(self, counter: TorchCounter) -> None:
        super().__init__()
        self.counter = counter

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.counter.dispatch(op, args, kwargs or {})


class TorchCounter(BaseCounter):
    """with TorchCounter() as counter: ...; then counter.tally.

    Functions compiled by torch.compile are run as they are written, operation by operation, since
    nobody sees into a compiled kernel.
    """

    how = "torch"

    def __init__(self) -> None:
        super().__init__()
        self._plans: dict[Any, Plan] = {}
        self._mode = _Mode(self)

    def __enter__(self) -> TorchCounter:
        self._stance = torch.compiler.set_stance("force_eager")
        self._stance.__enter__()
        self.begin()
        self._mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._mode.__exit__(*error)
        self.end()
        self._stance.__exit__(*error)

    def dispatch(self, op: Any, args: Any, kwargs: Any) -> Any:
        """Runs an operation and counts it."""
        if not isinstance(op, torch._ops.OpOverload):  # a higher-order one: a loop, a checkpoint
            self.note(f"{op}: no rule, only its result's bytes are counted")
            result = op(*args, **kwargs)
            self.move(0, sum(nbytes(x) for x in tensors((result,))))
            return result
        plan = self._plans.get(op)
        if plan is None:
            plan = self._plans[op] = Plan(op)
        if plan.composite:
            with self._mode:
                return op.decompose(*args, **kwargs)
        result = op(*args, **kwargs)
        if plan.free:
            return result
        self.step()
        call = Call(plan, args, kwargs, result)
        self._remember(call)
        if not plan.empty and not self._same_memory(call):
            self._count(plan, call)
        return result

    def _count(self, plan: Plan, call: Call) -> None:
        moved = None
        if plan.rule is not None:
            moved = plan.rule(self, call)
        else:
            self.note(f"{plan.name}: no rule, counted as one addition per result")
            for x in call.results:
                self.operate(x.dtype, x.numel())
        self.move(*(moved or boundary(call, plan.only_written)))

    def _remember(self, call: Call) -> None:
        for x in (*call.inputs, *call.outputs):
            if x.layout is torch.strided:
                memory = x.untyped_storage()
                self.see(memory._cdata, memory, memory.nbytes())
            else:
                self.note(f"{call.name}: a {x.layout} tensor's memory is not in the peak")

    def _same_memory(self, call: Call) -> bool:
        """Whether the only result is a view that its schema does not tell of, as reshape's may be."""
        if call.mutated or len(call.outputs) != 1 or call.outputs[0].layout is not torch.strided:
            return False
        memory = call.outputs[0].untyped_storage()._cdata
        strided = (x for x in call.inputs if x.layout is torch.strided)
        return any(x.untyped_storage()._cdata == memory for x in strided)


def tensors(values: Any) -> list[Tensor]:
    """All tensors among values and lists of them, each object once."""
    found: dict[int, Tensor] = {}
    for value in values:
        if isinstance(value, Tensor):
            found[id(value)] = value
        elif isinstance(value, (list, tuple)):
            found.update((id(x), x) for x in value if isinstance(x, Tensor))
    return list(found.values())


def nbytes(x: Tensor) -> int:
    """Bytes of memory that a tensor covers."""
    if x.layout is not torch.strided:
        return x.numel() * x.element_size()
    size = x.element_size()
    return extent(x.shape, (size * s for s in x.stride()), size)


def boundary(call: Call, only_written: bool = False) -> tuple[int, int]:
    """Bytes read and written where nothing else is said; x and x's own view of all of it count once."""
    skip = {id(x) for x in call.mutated} if only_written else ()
    read = {
        (x.data_ptr(), x.shape, x.stride()) if x.layout is torch.strided else id(x): nbytes(x)
        for x in call.inputs
        if id(x) not in skip
    }
    return sum(read.values()), sum(nbytes(x) for x in (*call.mutated, *call.outputs))
