// The GPU's side of flat.h: a thread owns a column of 32 configurations, of states [width, columns].

// The column lies in shared memory: width * blockDim.x words of it.
extern "C" __global__ void near(const Words *from, Words *to, u64 columns, u64 width, u32 steps, u32 whole) {
  extern __shared__ Words rows[];
  u64 column = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  Words *row = rows + threadIdx.x;
  for (u64 i = 0; i < width; i++) row[i * blockDim.x] = from[i * columns + column];
  run_flat(row, blockDim.x, width, steps, whole);
  for (u64 i = 0; i < width; i++) to[i * columns + column] = row[i * blockDim.x];
}

// The column stays where it is to be left: for rings that shared memory has no room for.
extern "C" __global__ void far(const Words *from, Words *to, u64 columns, u64 width, u32 steps, u32 whole) {
  u64 column = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  for (u64 i = 0; i < width; i++) to[i * columns + column] = from[i * columns + column];
  run_flat(to + column, columns, width, steps, whole);
}
