// The parity biology: organisms that look for the secret bits of a XOR among samples, some wrong.
//
// A holder holds n equations: samples that it has met, and in the place of those that it has not met yet
// "input j is not in the secret". It keeps them as their dual basis: d[i] has an odd overlap with equation
// i and an even one with every other. Its mask is the one solution of all n. A sample that the mask gets
// wrong is swapped in for an equation i that it overlaps: every other dual that overlaps it takes d[i] in,
// and so does the mask. Without noise n mistakes end in the secret (Gaussian elimination, one sample at a
// time); with noise it is a walk over information sets (Canteaut and Chabaud 1998), and a mask is left
// only while it explains its samples no better than chance would.
//
// A mask organism holds nothing but its mask. It is judged by the samples that it eats, and its children
// have a bit flipped.
//
// Compiled in: WORDS (u64 of a row: n inputs and the label as bit n), LANES (n, rounded up to 8).
// params: n, rows that may be seen, rows there are, rows per tick, income per right answer, sun.
// data[0]: rows u64 [rows][WORDS], a bit is set where the input, or the label, is negative.

enum { P_N, P_SEEN, P_ROWS, P_BITE, P_GRAIN, P_SUN };
enum { HOLDER, MASK };
enum { KIND, TRAITS, SECRET };           // genome; SECRET: 2 * WORDS words, bit n is always set
enum { SCORE, HITS, TRIALS, CURSOR };    // registers; HITS of TRIALS since the mask last changed

#define GENOME (2 + 2 * WORDS)
#define STATE 4
#define SIGNAL (2 * WORDS)
#define FLAGS ((LANES + 63) / 64)
#define ARENA (8 * (WORDS * LANES + FLAGS))
#define CARRY (ARENA / 4)
#include "space.h"

struct Row {
  u64 word[WORDS];
};

struct Draws {                           // words of randomness, one after the other
  u32 used;
  Dice block;
};

DEVICE u32 next(const Here &here, Draws &draws) {
  if (!(draws.used & 3)) draws.block = roll(here, draws.used >> 2);
  return draws.block.word[draws.used++ & 3];
}

DEVICE Row load(const u32 *from) {
  Row row;
  for (i32 w = 0; w < WORDS; w++) row.word[w] = (u64)from[2 * w + 1] << 32 | from[2 * w];
  return row;
}

DEVICE void store(const Row &row, u32 *to) {
  for (i32 w = 0; w < WORDS; w++) to[2 * w] = (u32)row.word[w], to[2 * w + 1] = (u32)(row.word[w] >> 32);
}

DEVICE bool odd(const Row &a, const Row &b) {
  u64 both = 0;
  for (i32 w = 0; w < WORDS; w++) both ^= a.word[w] & b.word[w];
  return POPCOUNT(both) & 1;
}

DEVICE Row unit(u32 bit) {
  Row row;
  for (u32 w = 0; w < WORDS; w++) row.word[w] = bit / 64 == w ? 1ull << bit % 64 : 0;
  return row;
}

// Where a location's stream of samples begins.
DEVICE u32 stream(const Here &here) {
  return below(here.id * 0x9E3779B9u, (u32)here.space->params[P_SEEN]);
}

DEVICE void clear(Here &here) {          // a holder that has met nothing yet
  u64 *dual = (u64 *)here.arena, n = (u64)here.space->params[P_N];
  for (i32 w = 0; w < WORDS; w++)
    for (i32 i = 0; i < LANES; i++)
      dual[w * LANES + i] = (u64)i < n && i / 64 == w ? 1ull << i % 64 : 0;
  for (i32 f = 0; f < FLAGS; f++) dual[WORDS * LANES + f] = ~0ull;
  store(unit((u32)n), here.genome + SECRET);
}

DEVICE void arrive(Here &here, const u32 *carry, u32 carried) {
  if (here.genome[KIND] == HOLDER) {
    if (carried)
      for (i32 i = 0; i < CARRY; i++) ((u32 *)here.arena)[i] = carry[i];
    else
      clear(here);
  }
  here.state[SCORE] = here.state[HITS] = here.state[TRIALS] = 0;
  here.state[CURSOR] = stream(here);
}

// Takes the equation in for one that it overlaps, found from a random place on; unmet ones (bold)
// first. Returns false where it says nothing new. The mask follows.
DEVICE bool swap(Here &here, const Row &row, Row &mask, bool sample, u32 random) {
  u64 *dual = (u64 *)here.arena, *unmet = dual + WORDS * LANES;
  u32 n = (u32)here.space->params[P_N];
  u64 overlaps[LANES];
  for (i32 i = 0; i < LANES; i++) {
    u64 both = 0;
    for (i32 w = 0; w < WORDS; w++) both ^= dual[w * LANES + i] & row.word[w];
    overlaps[i] = 0 - (u64)(POPCOUNT(both) & 1);
  }
  u32 from = below(random << 8, n), found = n;
  if ((random >> 24) <= (here.genome[TRAITS] & 255))
    for (u32 k = 0, i = from; k < n; k++, i = i + 1 == n ? 0 : i + 1)
      if (overlaps[i] & (unmet[i / 64] >> i % 64 & 1)) {
        found = i;
        break;
      }
  if (found == n)
    for (u32 k = 0, i = from; k < n; k++, i = i + 1 == n ? 0 : i + 1)
      if (overlaps[i]) {
        found = i;
        break;
      }
  if (found == n) return false;
  for (i32 w = 0; w < WORDS; w++) {
    u64 taken = dual[w * LANES + found];
    for (i32 i = 0; i < LANES; i++) dual[w * LANES + i] ^= taken & overlaps[i];
    dual[w * LANES + found] = taken;
    mask.word[w] ^= taken;
  }
  u64 flag = 1ull << found % 64;
  unmet[found / 64] = sample ? unmet[found / 64] & ~flag : unmet[found / 64] | flag;
  return true;
}

// One sample's evidence for the mask against chance, in half bits: +2 right, -4 wrong is the likelihood
// ratio of a mask that is right four times out of five.
DEVICE void judge(u32 *state, bool wrong, u32 seen) {
  i32 score = (i32)state[SCORE] + (wrong ? -4 : 2);
  state[SCORE] = (u32)(score > 1000 ? 1000 : score);
  if (state[TRIALS] < seen) state[TRIALS]++, state[HITS] += !wrong;
}

// Swaps are the last word on an equation that a mask without merit gets wrong.
DEVICE bool learn(Here &here, const Row &row, Row &mask, bool sample, Draws &draws) {
  if ((i32)here.state[SCORE] >= 0 || !swap(here, row, mask, sample, next(here, draws))) return false;
  here.state[SCORE] = here.state[HITS] = here.state[TRIALS] = 0;
  return true;
}

DEVICE void live(Here &here) {
  const i64 *params = here.space->params;
  const u64 *rows = (const u64 *)here.space->data[0];
  u32 n = (u32)params[P_N], seen = (u32)params[P_SEEN], bite = (u32)params[P_BITE];
  u32 *state = here.state, traits = here.genome[TRAITS];
  bool holder = here.genome[KIND] == HOLDER;
  u32 doubt = holder ? traits >> 8 & 255 : 0;
  Row mask = load(here.genome + SECRET);
  Draws draws = {};
  u32 right = 0, swaps = 0, cursor = state[CURSOR];
  if (holder && (traits >> 16 & 255) >= 128)
    for (i32 i = 0; i < here.heard; i++) {
      Row row = load(here.signals[i]);
      if (!odd(mask, row)) continue;
      state[SCORE] -= 4;
      swaps += learn(here, row, mask, true, draws);
    }
  for (u32 k = 0; k < bite; k++) {
    if (doubt) {                         // "input j is not in the secret", with probability doubt / 256
      u32 word = next(here, draws);
      if ((word >> 24) < doubt) {
        Row row = unit(below(word << 8, n));
        if (!odd(mask, row)) continue;
        state[SCORE] -= 2;
        swaps += learn(here, row, mask, false, draws);
        continue;
      }
    }
    Row row;
    for (i32 w = 0; w < WORDS; w++) row.word[w] = rows[(u64)cursor * WORDS + w];
    cursor = cursor + 1 < seen ? cursor + 1 : 0;
    bool wrong = odd(mask, row);
    judge(state, wrong, seen);
    right += !wrong;
    if (!wrong || !holder) continue;
    if (learn(here, row, mask, true, draws)) {
      swaps++;
      here.tells = traits >> 16 & 1;
      store(row, here.signal);
    }
  }
  state[CURSOR] = cursor;
  if (swaps) store(mask, here.genome + SECRET);
  here.earned = (2 * right > bite ? (2 * right - bite) * params[P_GRAIN] : 0) +
                (holder ? params[P_SUN] : 0);
  here.spent = (i64)(bite + swaps * LANES) * WORDS >> 6;
}

// A child's kind is a mask with probability caste / 256; traits lose or gain bits like the engine's
// genes do. A holder's mask is what its equations say, so only a mask organism's is mutated.
DEVICE void conceive(Here &here, u32 *genome, u32 *state, u32 rate) {
  Dice d = roll(here, 0x10000);
  for (i32 i = 0; i < STATE; i++) state[i] = 0;
  if (rate == ANEW) {
    genome[KIND] = d.word[0] & 1, genome[TRAITS] = d.word[1];
    for (i32 w = 0; w < WORDS; w++) {
      Dice secret = roll(here, 0x10001 + w);
      for (u32 half = 0; half < 2; half++) {
        i64 bits = here.space->params[P_N] - 64 * w - 32 * half;  // inputs in this word
        u32 kept = bits >= 32 ? ~0u : bits > 0 ? (1u << bits) - 1 : 0;
        u32 label = bits >= 0 && bits < 32 ? 1u << bits : 0;
        genome[SECRET + 2 * w + half] = (secret.word[half] & kept) | label;
      }
    }
    return;
  }
  if (here.genome[KIND] == HOLDER) {
    if ((d.word[0] & 255) < (genome[TRAITS] >> 24)) genome[KIND] = MASK;
    for (i32 i = 0; i < 4; i++) {
      u32 chance = d.word[1 + i / 2] >> 16 * (i & 1);
      if ((chance & 255) < rate) genome[TRAITS] ^= 1u << (8 * i + (chance >> 8 & 7));
    }
  } else if ((d.word[0] & 255) < 2 * rate) {
    u32 bit = below(d.word[1], (u32)here.space->params[P_N]);
    genome[SECRET + bit / 32] ^= 1u << bit % 32;
  }
}

// All of the duals or nothing: a part of them is of no use.
DEVICE u32 pack(Here &here, const u32 *genome, u32 *carry, u32 wanted) {
  if (genome[KIND] != HOLDER || 2 * wanted < CARRY) return 0;
  for (i32 i = 0; i < CARRY; i++) carry[i] = ((const u32 *)here.arena)[i];
  return CARRY;
}

// Sixteenths of a bit of evidence that the mask is no accident: a bit per sample while all are right,
// else Hoeffding's bound. Of a mask that was built from up to n samples as many are not counted. A mask
// that gets all rows right that there are cannot be bettered.
DEVICE i64 merit(const Space &space, const u32 *, const u32 *state) {
  i64 seen = space.params[P_SEEN], trials = state[TRIALS], wrong = trials - state[HITS];
  if (!wrong && trials == space.params[P_ROWS]) return 1 << 30;
  i64 fresh = trials - (space.params[P_N] * trials + seen - 1) / seen;
  if (fresh <= 0) return 0;
  if (!wrong) return 16 * fresh;
  i64 ahead = fresh - 2 * wrong;
  return ahead > 0 ? 16 * ahead * ahead * 739 / (1024 * fresh) : 0;
}

#ifndef __CUDACC__
// Rows `from` to `to` of inputs x [rows][n] of -1 and +1 and labels y [rows] as data[0] wants them.
// A multiplication gathers the signs of eight inputs.
extern "C" void pack_rows(const i64 *y, const u8 *x, i64 n, i64 from, i64 to, u64 *rows) {
  for (i64 r = from; r < to; r++) {
    u64 *row = rows + r * WORDS;
    const u8 *inputs = x + r * n;
    for (i32 w = 0; w < WORDS; w++) row[w] = 0;
    i64 i = 0;
    for (; i + 8 <= n; i += 8) {
      u64 eight;
      __builtin_memcpy(&eight, inputs + i, 8);
      u64 signs = ((eight >> 7 & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56;
      row[i / 64] |= signs << i % 64;
    }
    for (; i < n; i++) row[i / 64] |= (u64)(inputs[i] >> 7) << i % 64;
    row[n / 64] |= (u64)(y[r] < 0) << n % 64;
  }
}
#endif
