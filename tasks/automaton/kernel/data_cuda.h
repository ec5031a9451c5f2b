// The GPU's side of ring.h: a thread owns a word of 64 configurations. rows: [threads][2 * ROW].

extern "C" __global__ void by_data(const u32 *table, const u64 *from, u64 *to, u64 words, u32 steps,
                                   u64 *rows) {
  u64 word = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (word >= words) return;
  Ready rule = ready(table);
  u64 *row = rows + word * (2 * ROW);
  for (u64 i = 0; i < WIDTH; i++) row[RADIUS + i] = from[i * words + word];
  run_ring(rule, row, row + ROW, steps);
  for (u64 i = 0; i < WIDTH; i++) to[i * words + word] = row[RADIUS + i];
}
