// The GPU's side: a tile is a block, a location is a thread. Two kernels that end in the same bits:
// `epoch` is launched once for every step of the light cone, `persistent` once for all of them.
//
// What makes one thread's plain writes (organisms, outboxes, messages) seen by another's plain reads:
//
// - Of the same tile: they are threads of one block, and __syncthreads() after every tick orders them.
//   One is enough: within a tick each location writes what is its own, and the opening of an outbox that
//   is read is never the one that is written (T >= 1).
// - Of another tile, in `epoch`: what is read was written before the launch. An axis of stretch T opens
//   at most once in an epoch, at some tick t, and what arrives then was sent at t - T, before it began.
// - Of another tile, in `persistent`: by a release and an acquire at the scope of the GPU, on the tile's
//   clock. Writer: all threads write; __syncthreads(); thread 0 does st.release.gpu. Reader: a thread
//   of warp 0 does ld.acquire.gpu; __syncthreads(); all threads read. In PTX's memory model a barrier
//   synchronizes its threads, and causality is transitive over program order, barriers and the
//   release-acquire pair, so all of the block's writes happen before all of the other's reads. In
//   hardware: the release waits until the SM's earlier writes are in L2 (L1 is written through), the
//   acquire drops what L1 holds, and only loads after the barrier fill it again. This holds for plain
//   loads through L1; not for the read-only path (ld.global.nc), which the compiler takes only for
//   pointers that are const and __restrict__: there are none here.
// - The other way round, a tile overwrites an opening only after its reader: written at t - 2T, it was
//   read at t - T, and t waits for the reader's clock to pass t - T, by the same release and acquire.
//
// Clocks are read by other blocks through acquire alone and written by thread 0 of the owner alone.

#ifndef WARP
#define WARP 32
#endif
enum { BLOCK = 256, PAUSE_NS = 250 };    // threads of a block at most; see cuda.py

// The kernel's own copy of the space's description: it does not fall out of L1 at every acquire.
DEVICE void fetch(const Space *from, Space &space) {
  for (u32 i = threadIdx.x; i < sizeof(Space) / 8; i += blockDim.x)
    ((u64 *)&space)[i] = ((const u64 *)from)[i];
  __syncthreads();
}

// The open axes are the same for all threads: thread 0 finds out the next tick's while this one is done.
DEVICE void run_ticks(const Space &space, i64 tile, u32 from, u32 to) {
  __shared__ Open open[2][AXES];
  __shared__ i32 opens[2];
  Tally tally = {};
  for (u32 tick = from, now = 0; tick < to; tick++, now ^= 1) {
    if (tick == from) {
      if (threadIdx.x == 0) opens[now] = open_axes(space, tick, open[now]);
      __syncthreads();
    }
    tick_lane(space, open[now], opens[now], tile, tick, threadIdx.x, blockDim.x, tally);
    if (threadIdx.x == 0 && tick + 1 < to) opens[now ^ 1] = open_axes(space, tick + 1, open[now ^ 1]);
    __syncthreads();
  }
  for (i32 i = 0; i < TALLIES; i++) {
    i64 count = tally.count[i];
    for (u32 lanes = WARP / 2; lanes; lanes /= 2) count += __shfl_down_sync(~0u, count, lanes);
    if (threadIdx.x % WARP == 0 && count) add64(space.tallies + tile * TALLIES + i, count);
  }
}

// Brings all tiles from tick `from` to `to`, which is within the light cone of a space whose clocks all
// stand at `from`.
extern "C" __global__ void __launch_bounds__(BLOCK, 1) epoch(const Space *at, u32 from, u32 to) {
  __shared__ Space space;
  fetch(at, space);
  for (i64 tile = space.begin_tile + blockIdx.x; tile < space.end_tile; tile += gridDim.x) {
    run_ticks(space, tile, from, to);
    if (threadIdx.x == 0) space.clocks[tile] = to;
  }
}

// Brings all tiles to tick `until`, each as soon as its neighbours allow. All blocks must be resident (a
// cooperative launch), since they wait for each other. The tile that is behind all others can always go
// on, so some block always does.
extern "C" __global__ void __launch_bounds__(BLOCK, 1) persistent(const Space *at, u32 until) {
  __shared__ Space space;
  __shared__ u32 span[2];
  fetch(at, space);
  for (bool all = false; !all;) {
    all = true;
    bool idle = true;
    for (i64 tile = space.begin_tile + blockIdx.x; tile < space.end_tile; tile += gridDim.x) {
      if (threadIdx.x < WARP) {          // its lanes ask a neighbour each
        u32 limit = until;
        for (i32 side = threadIdx.x; side < 2 * space.outer; side += WARP) {
          u64 reach = horizon(space, tile, side / 2, side % 2);
          if (reach < limit) limit = (u32)reach;
        }
        limit = __reduce_min_sync(~0u, limit);
        if (threadIdx.x == 0) span[0] = space.clocks[tile], span[1] = limit;
      }
      __syncthreads();
      u32 from = span[0], to = span[1];
      __syncthreads();                   // all have read the span before it is written again
      all &= from >= until || to >= until;
      if (to <= from) continue;
      idle = false;
      run_ticks(space, tile, from, to);
      if (threadIdx.x == 0) release(space.clocks + tile, to);
    }
    if (idle && !all && threadIdx.x == 0) __nanosleep(PAUSE_NS);
  }
}
