"""NVRTC compiles for a GPU that is not here, and what a kernel takes of it is known beforehand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tasks.native.errors import BuildError
from tasks.native.nvrtc import compile_cuda, resources

# spilling wants 128 registers of the 64 that 1,024 threads leave it; calling spills in what it calls.
SOURCE = """
typedef unsigned int u32;
#define FOR(i, n) _Pragma("unroll") for (u32 i = 0; i < n; i++)
static __device__ __forceinline__ void churn(u32 *a, u32 n) {
  u32 v[128];
  FOR(i, 128) v[i] = a[i * n + threadIdx.x];
  for (u32 round = 0; round < n; round++) FOR(i, 128) v[i] = v[i] * 1664525u + v[(i * 7 + 3) & 127];
  FOR(i, 128) a[i * n + threadIdx.x] = v[i];
}
static __device__ __noinline__ void apart(u32 *a, u32 n) { churn(a, n); }
extern "C" __global__ void shifted(u32 *a, u32 n) {
  __shared__ u32 row[64];
  row[threadIdx.x & 63] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = row[(threadIdx.x + n) & 63];
}
extern "C" __global__ void __launch_bounds__(1024) spilling(u32 *a, u32 n) { churn(a, n); }
extern "C" __global__ void __launch_bounds__(1024) calling(u32 *a, u32 n) { apart(a, n); }
"""
here = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cuda", "nvidia"))
    or importlib.util.find_spec("cuda.core") is None,
    reason="cuda-core is not installed: pip install 'joulebench[cuda]'",
)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    return tmp_path / "kernels" / "failed"


@here
def test_compiles_without_a_gpu_and_sees_spills() -> None:
    cubin = compile_cuda(SOURCE)
    assert cubin.code.startswith(b"\x7fELF")
    assert set(cubin.kernels) == {"shifted", "spilling", "calling"}
    shifted, spilling = cubin.kernels["shifted"], cubin.kernels["spilling"]
    assert 0 < shifted.registers <= 32 and shifted.shared_bytes == 256
    assert shifted.spill_stores_bytes == shifted.spill_loads_bytes == shifted.stack_bytes == 0
    for name in ("spilling", "calling"):
        kernel = cubin.kernels[name]
        assert kernel.registers == 64 and kernel.shared_bytes == 0
        assert kernel.spill_stores_bytes > 0 and kernel.spill_loads_bytes > 0, name
        assert kernel.stack_bytes > 0, name
    assert compile_cuda(SOURCE).kernels == cubin.kernels  # not only the first time
    assert spilling.spill_stores_bytes > 64 * 4


@here
@pytest.mark.parametrize(
    ("source", "arch", "says"),
    [
        ("\n".join(f"int a{i} = missing;" for i in range(99)), "sm_90", r"kernel\.cu\(1\): error"),
        (SOURCE, "sm_1", "invalid value for --gpu-architecture"),
        ("static const int nothing = 0;", "sm_90", "no __global__ function"),
        ('extern "C" __global__ void f() { __shared__ int a[99999]; a[threadIdx.x] = 1; }'
         ' extern "C" __global__ void g(int *x) { asm volatile("nonsense;"); }', "sm_90", "ptxas"),
    ],
)  # fmt: skip
def test_errors_are_short_and_their_files_are_kept(
    source: str, arch: str, says: str, folder: Path
) -> None:
    with pytest.raises(BuildError, match=says) as caught:
        compile_cuda(source, arch)
    text = str(caught.value)
    assert text.startswith(f"NVRTC could not compile the kernel for {arch}; ")
    assert len(text) < 1500 and len(text.splitlines()) == 1
    assert [file.read_text() for file in folder.glob("*.cu")] == [source]
    assert str(folder) in text and len(list(folder.glob("*.log"))) == 1


def test_without_cuda_core_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    with pytest.raises(BuildError, match=r"pip install 'joulebench\[cuda\]'"):
        compile_cuda(SOURCE)


@here
def test_without_nvrtc_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise RuntimeError(f"lib{name}.so.13 is nowhere\nand more")

    monkeypatch.setattr("cuda.pathfinder.load_nvidia_dynamic_lib", load)
    with pytest.raises(BuildError, match=r"is nowhere\): pip install 'joulebench\[cuda\]'"):
        compile_cuda(SOURCE)


def test_figures_that_cannot_be_read_are_no_zeros() -> None:
    with pytest.raises(BuildError, match="nothing readable of f"):
        resources("ptxas info : Compiling entry function 'f' for 'sm_90'\nptxas info : new words")
