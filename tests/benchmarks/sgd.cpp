// A plain network: one hidden layer, hinge loss, minibatch SGD with weight decay, in single precision.
// Hidden units are vectors of 16 and their loops the innermost, so compilers need not reorder a sum.

typedef signed char i8;
typedef long long i64;
typedef unsigned long long u64;
typedef float v16 __attribute__((vector_size(64)));

enum { BATCH = 64, BLOCKS = 16 };     // the most rows of a batch, and vectors of hidden units

struct Net {
  i64 rows, n, blocks, batch, cube;
  float lr, shrink;                   // shrink: 1 - lr * weight decay
  float *x, *y;                       // [rows][n + 1], the last is 1; [rows]
  v16 *W, *V;                         // [n + 1][blocks], [blocks]
};

static v16 all(float value) { return v16{} + value; }

// z = x W of `ROWS` rows from `row` on, for COLUMNS vectors of hidden units from `block` on.
template <i64 ROWS, i64 COLUMNS>
static void product(const Net &net, const float *const *rows, i64 block, v16 (*z)[BLOCKS]) {
  v16 sums[ROWS][COLUMNS] = {};
  const v16 *W = net.W + block;
  for (i64 j = 0; j <= net.n; j++, W += net.blocks)
    for (i64 r = 0; r < ROWS; r++)
      for (i64 c = 0; c < COLUMNS; c++) sums[r][c] += all(rows[r][j]) * W[c];
  for (i64 r = 0; r < ROWS; r++)
    for (i64 c = 0; c < COLUMNS; c++) z[r][block + c] = sums[r][c];
}

template <i64 ROWS>
static void products(const Net &net, const float *const *rows, v16 (*z)[BLOCKS]) {
  i64 block = 0;
  for (; block + 4 <= net.blocks; block += 4) product<ROWS, 4>(net, rows, block, z);
  for (; block < net.blocks; block++) product<ROWS, 1>(net, rows, block, z);
}

static v16 hidden(const Net &net, v16 z) { return net.cube ? z * z * z : z > 0 ? z : v16{}; }

// Forward through `many` rows; out[r] is the network's output.
static void forward(const Net &net, const float *const *rows, i64 many, v16 (*z)[BLOCKS], float *out) {
  i64 r = 0;
  for (; r + 4 <= many; r += 4) products<4>(net, rows + r, z + r);
  for (; r < many; r++) products<1>(net, rows + r, z + r);
  for (r = 0; r < many; r++) {
    v16 sum = {};
    for (i64 b = 0; b < net.blocks; b++) sum += hidden(net, z[r][b]) * net.V[b];
    float lane[16];
    __builtin_memcpy(lane, &sum, sizeof lane);
    for (i64 half = 8; half; half /= 2)
      for (i64 i = 0; i < half; i++) lane[i] += lane[i + half];
    out[r] = lane[0];
  }
}

// One input's or more weights: W = W * shrink - lr * gradient, over rows that have one.
template <i64 INPUTS, i64 COLUMNS>
static void descend(const Net &net, const float *const *rows, i64 many, i64 j, i64 block,
                    const v16 (*slope)[BLOCKS]) {
  v16 sums[INPUTS][COLUMNS] = {};
  for (i64 r = 0; r < many; r++)
    for (i64 i = 0; i < INPUTS; i++)
      for (i64 c = 0; c < COLUMNS; c++) sums[i][c] += all(rows[r][j + i]) * slope[r][block + c];
  for (i64 i = 0; i < INPUTS; i++)
    for (i64 c = 0; c < COLUMNS; c++) {
      v16 &weight = net.W[(j + i) * net.blocks + block + c];
      weight = weight * net.shrink + sums[i][c];
    }
}

template <i64 INPUTS>
static void descend(const Net &net, const float *const *rows, i64 many, i64 j,
                    const v16 (*slope)[BLOCKS]) {
  i64 block = 0;
  for (; block + 4 <= net.blocks; block += 4) descend<INPUTS, 4>(net, rows, many, j, block, slope);
  for (; block < net.blocks; block++) descend<INPUTS, 1>(net, rows, many, j, block, slope);
}

static void step(const Net &net, i64 first, i64 many) {
  v16 z[BATCH][BLOCKS], gV[BLOCKS] = {};
  float out[BATCH];
  const float *rows[BATCH];
  for (i64 r = 0; r < many; r++) rows[r] = net.x + (first + r) * (net.n + 1);
  forward(net, rows, many, z, out);
  i64 active = 0;                     // rows within the hinge's margin: only they have a gradient
  for (i64 r = 0; r < many; r++) {
    float y = net.y[first + r];
    if (y * out[r] >= 1) continue;
    v16 g = all(net.lr * y / (float)many);
    for (i64 b = 0; b < net.blocks; b++) {
      v16 at = z[r][b], back = g * net.V[b];
      gV[b] += g * hidden(net, at);
      z[active][b] = net.cube ? back * at * at * 3 : at > 0 ? back : v16{};
    }
    rows[active++] = rows[r];
  }
  for (i64 b = 0; b < net.blocks; b++) net.V[b] = net.V[b] * net.shrink + gV[b];
  i64 j = 0;
  for (; j + 4 <= net.n + 1; j += 4) descend<4>(net, rows, active, j, z);
  for (; j <= net.n; j++) descend<1>(net, rows, active, j, z);
}

// Takes the rows in, and draws weights evenly from -range to range (of V: range_out); what fills the
// last vector up stays zero.
extern "C" void begin(const Net *at, const i8 *x, const i64 *y, i64 units, float range, float range_out,
                      u64 seed) {
  const Net &net = *at;
  for (i64 r = 0; r < net.rows; r++) {
    for (i64 j = 0; j < net.n; j++) net.x[r * (net.n + 1) + j] = x[r * net.n + j];
    net.x[r * (net.n + 1) + net.n] = 1;
    net.y[r] = y[r] < 0 ? -1.0f : 1.0f;
  }
  u64 state = seed << 32;             // of splitmix64
  for (i64 j = 0; j <= net.n + 1; j++) {
    float *row = (float *)(j <= net.n ? net.W + j * net.blocks : net.V);
    for (i64 h = 0; h < 16 * net.blocks; h++) {
      u64 word = state += 0x9E3779B97F4A7C15ull;
      word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9ull;
      word = (word ^ word >> 27) * 0x94D049BB133111EBull;
      float even = (float)(word >> 40) / (1 << 23) - 1;
      row[h] = h < units ? even * (j <= net.n ? range : range_out) : 0;
    }
  }
}

// One pass over the rows but the first `held`; the number of those that come out right after it.
extern "C" i64 epoch(const Net *at, i64 held) {
  const Net &net = *at;
  for (i64 first = held; first < net.rows; first += net.batch)
    step(net, first, net.rows - first < net.batch ? net.rows - first : net.batch);
  i64 right = 0;
  for (i64 first = 0; first < held; first += BATCH) {
    v16 z[BATCH][BLOCKS];
    float out[BATCH];
    const float *rows[BATCH];
    i64 many = held - first < BATCH ? held - first : (i64)BATCH;
    for (i64 r = 0; r < many; r++) rows[r] = net.x + (first + r) * (net.n + 1);
    forward(net, rows, many, z, out);
    for (i64 r = 0; r < many; r++) right += net.y[first + r] * out[r] > 0;
  }
  return right;
}
