// A GPU played by a CPU: put before a kernel's CUDA text, it makes of it a library in which `play` runs one
// block. The threads of a block are fibers of one thread of the system; whichever can go on next is drawn
// at random, so a barrier that is missing shows. What several blocks do to each other is real: each may
// run on a thread of its own, and clocks are atomics of the CPU.

#include <sched.h>
#include <stdlib.h>
#include <ucontext.h>

#define __global__
#define __shared__ static thread_local  // a block is a thread of the system
#define __launch_bounds__(...)
#define WARP 4
#define ALONE 1

struct Space;
extern "C" void epoch(const Space *, unsigned, unsigned);
extern "C" void persistent(const Space *, unsigned);

namespace emulated {
enum { THREADS = 64, STACK = 256 << 10 };
struct Index {
  unsigned x;
};
struct Barrier {
  unsigned waiting, round;
};
struct Job {
  const Space *space;
  unsigned from, to;
  bool persistent;
};
struct Block {
  ucontext_t scheduler, fibers[THREADS];
  bool done[THREADS];
  Barrier all, warps[THREADS / WARP];
  unsigned long long waits;              // since a barrier was last passed
  unsigned long long said[THREADS];
  Job job;
};
static thread_local Block block;
}  // namespace emulated
static thread_local emulated::Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {
static __attribute__((noinline)) void others() {
  swapcontext(&block.fibers[threadIdx.x], &block.scheduler);
}

static void meet(Barrier &barrier, unsigned size) {
  unsigned round = barrier.round;
  if (++barrier.waiting == size)
    barrier.waiting = 0, barrier.round++, block.waits = 0;
  else
    while (barrier.round == round) others();
}

// Says a word to the others of the warp, and waits until all have said theirs.
static void tell(unsigned long long word) {
  block.said[threadIdx.x] = word;
  meet(block.warps[threadIdx.x / WARP], WARP);
}

static void fiber() {
  if (block.job.persistent)
    persistent(block.job.space, block.job.to);
  else
    epoch(block.job.space, block.job.from, block.job.to);
  block.done[threadIdx.x] = true;
  others();
}
}  // namespace emulated

static void __syncthreads() { emulated::meet(emulated::block.all, blockDim.x); }
static void __nanosleep(unsigned) { sched_yield(); }

static long long __shfl_down_sync(unsigned, long long word, unsigned by) {
  unsigned me = threadIdx.x, lane = me % WARP;
  emulated::tell((unsigned long long)word);
  long long heard = (long long)emulated::block.said[lane + by < WARP ? me + by : me];
  emulated::meet(emulated::block.warps[me / WARP], WARP);
  return heard;
}

static unsigned __reduce_min_sync(unsigned, unsigned word) {
  unsigned first = threadIdx.x / WARP * WARP, least = word;
  emulated::tell(word);
  for (unsigned i = first; i < first + WARP; i++)
    if (emulated::block.said[i] < least) least = (unsigned)emulated::block.said[i];
  emulated::meet(emulated::block.warps[first / WARP], WARP);
  return least;
}

// Block `index` of `blocks`, of `threads` threads (a multiple of WARP). False: they wait for
// each other at different barriers.
extern "C" bool play(const Space *space, unsigned from, unsigned to, bool persistent, unsigned index,
                     unsigned blocks, unsigned threads, unsigned seed) {
  using namespace emulated;
  char *stacks = (char *)malloc((size_t)threads * STACK);
  if (!stacks || threads > THREADS || threads % WARP) return false;
  blockIdx.x = index, gridDim.x = blocks, blockDim.x = threads;
  block.job = {space, from, to, persistent};
  block.all = {}, block.waits = 0;
  for (unsigned i = 0; i < threads; i++) {
    block.done[i] = false, block.warps[i / WARP] = {};
    getcontext(&block.fibers[i]);
    block.fibers[i].uc_stack.ss_sp = stacks + (size_t)i * STACK;
    block.fibers[i].uc_stack.ss_size = STACK;
    makecontext(&block.fibers[i], fiber, 0);
  }
  for (unsigned left = threads; left;) {
    seed = seed * 1664525u + 1013904223u;
    unsigned i = (seed >> 16) % threads;
    if (block.done[i]) continue;
    threadIdx.x = i;
    if (++block.waits > 1000000) return false;
    swapcontext(&block.scheduler, &block.fibers[i]);
    left -= block.done[i];
  }
  free(stacks);
  return true;
}
