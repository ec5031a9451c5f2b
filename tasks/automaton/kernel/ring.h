// Steps of a ring of WIDTH cells, radius RADIUS, of 64 configurations at once, the rule as data.
//
// Compiled in: WIDTH (odd), RADIUS (1 to 3). Bit l of cell i's word is the cell of configuration l. Cells
// lie side by side, RADIUS of them again at both ends, so that a vector of eight cells loads its
// neighbours without asking where the ring ends.
//
// Of a neighbourhood's INPUTS cells the two rightmost have 16 functions, all of which are made once; a
// rule picks one for each of the other cells' combinations, and a tree of multiplexers picks among these.

#ifndef COUNT
#define COUNT(event, many) ((void)0)                   // hypercell's builds may count: see counting.py
#endif
#ifndef LONG
#define LONG                                           // hypercell's prelude.h: how far a GPU unrolls
#endif

enum {
  INPUTS = 2 * RADIUS + 1,
  LEAVES = 1 << (INPUTS - 2),
  TABLE_WORDS = INPUTS < 5 ? 1 : 1 << (INPUTS - 5),
  LANES_CELLS = 8,                                     // cells of a vector
  ROW = (WIDTH + LANES_CELLS - 1) / LANES_CELLS * LANES_CELLS + 2 * RADIUS + LANES_CELLS,
  LOOK_EVERY = 16                                      // steps between two looks at whether all is over
};

#ifdef __CUDACC__
typedef u64 Cells;                                     // a thread is a cell, or loops over them
#define CELLS 1
DEVICE Cells load_cells(const u64 *from) { return *from; }
DEVICE void store_cells(u64 *to, Cells x) { *to = x; }
DEVICE Cells all_ones() { return ~0ull; }
#else
typedef u64 Cells __attribute__((vector_size(64)));
#define CELLS 8
DEVICE Cells load_cells(const u64 *from) {
  Cells x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}
DEVICE void store_cells(u64 *to, Cells x) { __builtin_memcpy(to, &x, sizeof x); }
DEVICE Cells all_ones() { return ~(Cells){}; }
#endif

// A rule made ready: for each combination of all cells but the two rightmost, which of 16 functions.
struct Ready {
  u8 pick[LEAVES];
  bool still;                                          // uniform configurations stay as they are
};

// table: bit i of word i / 32 is the rule's output for neighbourhood i, the leftmost cell its high bit.
DEVICE Ready ready(const u32 *table) {
  Ready rule;
  COUNT(READY, 1);
  for (i32 leaf = 0; leaf < LEAVES; leaf++) rule.pick[leaf] = table[leaf >> 3] >> (leaf & 7) * 4 & 15;
  u32 last = table[TABLE_WORDS - 1] >> ((1 << INPUTS) - 1 & 31) & 1;
  rule.still = !(table[0] & 1) && last;
  return rule;
}

// What the rule makes of the cells x [INPUTS], of which LEVEL are left to pick by.
template <i32 LEVEL> DEVICE Cells picked(const Cells *pairs, const u8 *pick, const Cells *x) {
  if constexpr (LEVEL == 0) {
    return pairs[*pick];
  } else {
    const i32 half = 1 << (LEVEL - 1);
    Cells low = picked<LEVEL - 1>(pairs, pick, x), high = picked<LEVEL - 1>(pairs, pick + half, x);
    Cells by = x[INPUTS - 2 - LEVEL];
    return (high & by) | (low & ~by);
  }
}

// CELLS cells one step on. from: the leftmost neighbour of the first of them.
DEVICE Cells next_cells(const Ready &rule, const u64 *from) {
  Cells x[INPUTS], pairs[16];
  for (i32 i = 0; i < INPUTS; i++) x[i] = load_cells(from + i);
  Cells a = x[INPUTS - 2], b = x[INPUTS - 1], none = a ^ a, all = all_ones();
  // Function f's bit 2a + b is its output.
  pairs[0] = none, pairs[1] = ~(a | b), pairs[2] = ~a & b, pairs[3] = ~a;
  pairs[4] = a & ~b, pairs[5] = ~b, pairs[6] = a ^ b, pairs[7] = ~(a & b);
  for (i32 f = 0; f < 8; f++) pairs[15 - f] = pairs[f] ^ all;
  return picked<INPUTS - 2>(pairs, rule.pick, x);
}

// The cells at both ends again. row: [ROW], its cells from RADIUS on.
DEVICE void close_ring(u64 *row) {
  for (i32 i = 0; i < RADIUS; i++) {
    row[i] = row[WIDTH + i];
    row[RADIUS + WIDTH + i] = row[RADIUS + i];
  }
}

DEVICE void step_ring(const Ready &rule, u64 *from, u64 *to) {
  close_ring(from);
  COUNT(STEP, 1);
  LONG
  for (i32 i = 0; i < WIDTH; i += CELLS) store_cells(to + RADIUS + i, next_cells(rule, from + i));
}

// Bit l is set where configuration l is all ones (by zeros = 0) or all zeros (by zeros = ~0).
DEVICE u64 uniform_at(const u64 *row, u64 zeros) {
  u64 all = ~0ull;
  COUNT(UNIFORM, 1);
  LONG
  for (i32 i = 0; i < WIDTH; i++) all &= row[RADIUS + i] ^ zeros;
  return all;
}

// `steps` steps of row [ROW], with another [ROW] to work in; the result is in row. Ends early where
// nothing can change any more, which is exact. Returns how many steps were done.
DEVICE i32 run_ring(const Ready &rule, u64 *row, u64 *other, i32 steps) {
  i32 done = 0;
  while (done + 2 <= steps) {
    step_ring(rule, row, other), step_ring(rule, other, row);
    done += 2;
    COUNT(STRIDE, 1);
    if (done % LOOK_EVERY || !rule.still) continue;
    COUNT(GLANCE, 1);
    if (!~(uniform_at(row, 0) | uniform_at(row, ~0ull))) return done;
  }
  COUNT(FINISH, 1);
  if (done == steps) return done;
  step_ring(rule, row, other);
  LONG
  for (i32 i = 0; i < WIDTH; i++) row[RADIUS + i] = other[RADIUS + i];
  return steps;
}

// Bit l is set where more than half of configuration l's cells are ones. Counts in bit slices.
DEVICE u64 majority_of(const u64 *row) {
  const i32 digits = 15;                               // WIDTH is below 2^15
  u64 count[digits] = {};
  COUNT(MAJORITY, 1);
  LONG
  for (i32 i = 0; i < WIDTH; i++) {
    u64 carry = row[RADIUS + i];
    for (i32 d = 0; (WIDTH >> d) && carry; d++) {
      COUNT(CARRIED, 1);
      u64 both = count[d] & carry;
      count[d] ^= carry, carry = both;
    }
  }
  u64 more = 0, equal = ~0ull;                         // than WIDTH / 2
  for (i32 d = digits - 1; d >= 0; d--) {
    u64 digit = (WIDTH / 2) >> d & 1 ? ~0ull : 0;
    more |= equal & count[d] & ~digit, equal &= ~(count[d] ^ digit);
  }
  return more;
}

// As run_ring, but only for as long as `brief` steps more (at least one) have made more configurations
// uniform: what goes in circles does so for ever. Now and then a configuration is given up too early.
DEVICE i32 run_while_it_helps(const Ready &rule, u64 *row, u64 *other, i32 steps, i32 brief) {
  i32 done = 0, left = steps, over = 0;
  while (left) {
    i32 part = brief < left ? brief : left;
    done += run_ring(rule, row, other, part);
    left -= part;
    i32 uniform = (i32)POPCOUNT(uniform_at(row, 0) | uniform_at(row, ~0ull));
    COUNT(PAUSE, 1), COUNT(HOPE, uniform > over);
    if (uniform <= over || uniform == 64) break;
    over = uniform;
  }
  return done;
}

// Bit l is set where configuration l has come, after `steps`, to be all what most of its cells began as.
// EARLY: as above, by `brief`; else all steps are run. done: has the steps that were done added to it.
template <bool EARLY>
DEVICE u64 solved_by(const Ready &rule, u64 *row, u64 *other, i32 steps, i32 brief, u64 &done) {
  u64 ones = majority_of(row);
  if constexpr (EARLY)
    done += (u64)run_while_it_helps(rule, row, other, steps, brief);
  else
    done += (u64)run_ring(rule, row, other, steps);
  return (ones & uniform_at(row, 0)) | (~ones & uniform_at(row, ~0ull));
}
