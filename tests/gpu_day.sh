#!/usr/bin/env bash
# Every proof and benchmark that needs a GPU, in at most sixteen minutes. Leaves Records in a folder that can
# be kept as reports/published/<device>/.
#
#     tests/gpu_day.sh [FOLDER]      in an environment with: pip install -e '.[test]'
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-results/gpu_day}
mkdir -p "$out"
failed=0

step() {  # step SECONDS NAME COMMAND...: runs one proof within a bound, keeps its output, goes on
  local limit=$1 name=$2
  shift 2
  echo "== $name: $*"
  timeout "$limit" "$@" 2>&1 | tee "$out/$name.txt"
  local code=${PIPESTATUS[0]}
  if [ "$code" -ne 0 ]; then
    echo "== $name FAILED with exit code $code"
    failed=1
  fi
}

python -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null || {
  echo "no CUDA device that torch can use; nothing was run" >&2
  exit 2
}
step 30 meters bench meters
step 120 gpu_meters python tests/benchmarks/gpu_meters.py
step 60 measure bench measure --meter auto --results "$out" -- \
  python -c 'import torch; a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16); [a @ a for _ in range(2000)]; torch.cuda.synchronize()'
step 90 parity bench run -m task=sparse_parity algo=backprop,xor_elimination results="$out"
step 150 gpt bench run task=nanogpt algo=backprop algo.device=cuda results="$out"
step 180 tests python -m pytest -q -m gpu
step 120 hypercell python tests/benchmarks/hypercell_gpu.py
# Of CUDA's toolkit, or the wheel: pip install nvidia-cuda-sanitizer-api
sanitizer=$(command -v compute-sanitizer || python -c 'import sysconfig, pathlib
print(*pathlib.Path(sysconfig.get_path("purelib")).glob("nvidia/cu*/bin/compute-sanitizer"))')
for tool in memcheck racecheck; do
  if [ -n "$sanitizer" ]; then
    step 90 "$tool" "$sanitizer" --tool "$tool" --error-exitcode 1 \
      python tests/benchmarks/hypercell_gpu.py --sizes 4e3 --ticks 8
  else
    echo "== $tool skipped: no compute-sanitizer here; pip install nvidia-cuda-sanitizer-api"
  fi
done
bench leaderboard --results "$out" | tee "$out/leaderboard.txt"
exit $failed
