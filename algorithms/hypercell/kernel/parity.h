// The parity biology: organisms that look for the secret bits of a XOR among samples, some wrong.
//
// A holder holds n equations: samples that it has met, and in the place of those that it has not met yet
// "input j is not in the secret". It keeps them as their dual basis: d[i] has an odd overlap with equation
// i and an even one with every other. Its mask is the one solution of all n. A sample that the mask gets
// wrong is swapped in for an equation i that it overlaps: every other dual that overlaps it takes d[i] in,
// and so does the mask. Without noise n mistakes end in the secret (Gaussian elimination, one sample at a
// time); with noise it is a walk over information sets (Canteaut and Chabaud 1998), and a mask is given
// up only while it explains its samples no better than chance would.
//
// A mask organism holds nothing but its mask. It is judged by the samples that it eats; one that explains
// them no better than chance would tries another mask at random, light ones more often. Children may have
// a bit flipped.
//
// Compiled in: WORDS (u64 of a row: n inputs and the label as bit n), LANES (n, rounded up to 8).
// params: n, rows that may be seen, rows there are, rows per tick; income per right answer beyond chance,
// per equation learned for the first time, and of a holder per tick; LUCK (of 65536) and BITS (of 65536,
// see merit); DOUBT: a mask of less merit than that, by all samples, is given up.
// data[0]: rows u64 [rows + 8][WORDS], a bit is set where the input, or the label, is negative.

enum { P_N, P_SEEN, P_ROWS, P_BITE, P_GRAIN, P_LESSON, P_SUN, P_LUCK, P_BITS, P_DOUBT };
enum { HOLDER, MASK };
// The genome. TRAITS has four bytes: bold (prefers to swap out what it has not met yet), doubt (swaps in
// "input j is not in the secret"), talk (listens from 128 on, speaks if odd), caste (of its children).
// SECRET is the mask, 2 * WORDS words, bit n always set.
enum { KIND, TRAITS, SECRET };
// Registers. HITS of TRIALS since the mask last changed; LEARNED: equations that a sample stands for.
enum { SCORE, HITS, TRIALS, CURSOR, LEARNED };

#define GENOME (2 + 2 * WORDS)
#define STATE 5
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
  COUNT(DRAW, 1), COUNT(ROLL, !(draws.used & 3));
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

DEVICE void clear(Here &here) {          // a holder that has met nothing yet
  u64 *dual = (u64 *)here.arena, n = (u64)here.space->params[P_N];
  COUNT(CLEAR, 1);
  for (i32 w = 0; w < WORDS; w++)
    LONG for (i32 i = 0; i < LANES; i++)
      dual[w * LANES + i] = (u64)i < n && i / 64 == w ? 1ull << i % 64 : 0;
  for (i32 f = 0; f < FLAGS; f++) dual[WORDS * LANES + f] = ~0ull;
  store(unit((u32)n), here.genome + SECRET);
}

DEVICE void arrive(Here &here, const u32 *carry, u32 carried) {
  COUNT(ARRIVAL, 1);
  here.state[SCORE] = here.state[HITS] = here.state[TRIALS] = here.state[LEARNED] = 0;
  if (here.genome[KIND] == HOLDER) {
    if (carried) {
      COUNT(LEGACY, 1);
      LONG for (i32 i = 0; i < CARRY; i++) ((u32 *)here.arena)[i] = carry[i];
      here.state[LEARNED] = (u32)here.space->params[P_N];
    } else {
      clear(here);
    }
  }
}

// The parity of a word, folded so that compilers make vectors of it.
DEVICE u64 parity(u64 x) {
  x ^= x >> 32, x ^= x >> 16, x ^= x >> 8, x ^= x >> 4;
  return 0x6996u >> (x & 15) & 1;
}

// The first set bit at `from` or after it, around the end; `many` (at most LANES) where none is set.
DEVICE u32 first(const u64 *bits, u32 from, u32 many) {
  COUNT(SEARCH, 1);
  for (u32 k = 0, f = from / 64; k <= FLAGS; k++, f = f + 1 == FLAGS ? 0 : f + 1) {
    u64 word = bits[f];
    if (k == 0) word &= ~0ull << from % 64;
    if (k == FLAGS) word &= ~(~0ull << from % 64);
    COUNT(AROUND, k == FLAGS), COUNT(FIND, word != 0);
    if (word) return f * 64 + LOWEST(word);
  }
  return many;
}

// Takes the equation in for one that it overlaps, found from a random place on; unmet ones (bold)
// first. Returns false where it says nothing new. The mask follows.
DEVICE bool swap(Here &here, const Row &row, Row &mask, bool sample, u32 random) {
  u64 *dual = (u64 *)here.arena, *unmet = dual + WORDS * LANES;
  u32 n = (u32)here.space->params[P_N];
  u64 overlaps[LANES], bits[FLAGS], fresh[FLAGS];
  COUNT(COMPARE, 1);
  LONG for (i32 i = 0; i < LANES; i++) {
    u64 both = 0;
    for (i32 w = 0; w < WORDS; w++) both ^= dual[w * LANES + i] & row.word[w];
    overlaps[i] = parity(both);
  }
  for (i32 f = 0; f < FLAGS; f++) {
    i32 here_many = LANES - 64 * f < 64 ? LANES - 64 * f : 64;
    bits[f] = 0;
    LONG for (i32 i = 0; i < here_many; i++) bits[f] |= overlaps[64 * f + i] << i;
    fresh[f] = bits[f] & unmet[f];
  }
  u32 from = below(random << 8, n), found = n;
  if ((random >> 24) <= (here.genome[TRAITS] & 255)) found = first(fresh, from, n);
  if (found == n) found = first(bits, from, n);
  if (found == n) return false;
  COUNT(SWAP, 1), COUNT(SWAP_IN, sample);
  for (i32 w = 0; w < WORDS; w++) {
    u64 taken = dual[w * LANES + found];
    LONG for (i32 i = 0; i < LANES; i++) dual[w * LANES + i] ^= taken & (0 - overlaps[i]);
    dual[w * LANES + found] = taken;
    mask.word[w] ^= taken;
  }
  u64 flag = 1ull << found % 64;
  COUNT(UNMET, sample && unmet[found / 64] & flag);
  COUNT(LESSON, sample && unmet[found / 64] & flag && here.state[LEARNED] < n);
  if (sample && unmet[found / 64] & flag && here.state[LEARNED] < n)
    here.state[LEARNED]++, here.earned += here.space->params[P_LESSON];
  unmet[found / 64] = sample ? unmet[found / 64] & ~flag : unmet[found / 64] | flag;
  return true;
}

// Of the next `many` (at most 8) samples, bit i is set where the mask gets sample i wrong.
DEVICE u32 mistakes(const u64 *rows, const Row &mask, u32 many) {
  u64 wrong = 0;
  for (u32 i = 0; i < 8; i++) {            // all eight lanes; `rows` has room for them at its end
    u64 both = 0;
    for (i32 w = 0; w < WORDS; w++) both ^= rows[i * WORDS + w] & mask.word[w];
    wrong |= parity(both) << i;
  }
  return (u32)wrong & ((1u << many) - 1);
}

// Evidence for the mask against chance, in half bits: +2 for a sample that it gets right, -4 for one
// that it gets wrong, the likelihood ratio of a mask that is right four times out of five. A mask is
// believed while the sum is not negative, so labels may be wrong up to one time in three.
DEVICE void believe(u32 *state, u32 right, u32 wrong) {
  COUNT(BELIEVE, 1);
  i32 score = (i32)state[SCORE] + 2 * (i32)right;
  score = (score > 1000 ? 1000 : score) - 4 * (i32)wrong;
  state[SCORE] = (u32)(score < -1000 ? -1000 : score);
}

// Trials, of which there are at most as many as samples: first the right ones, then the wrong.
DEVICE void count(u32 *state, u32 right, u32 wrong, u32 seen) {
  u32 room = seen - (state[TRIALS] < seen ? state[TRIALS] : seen);
  u32 hits = right < room ? right : room, misses = wrong < room - hits ? wrong : room - hits;
  COUNT(JUDGE, 1), COUNT(UNTRIED, state[TRIALS] < seen), COUNT(ENOUGH, wrong >= room - hits);
  state[HITS] += hits, state[TRIALS] += hits + misses;
}

// A mask that gets a sample wrong and has no merit to show is given up: the sample is swapped in, or,
// with probability doubt / 256, "input j is not in the secret" for some j that the mask has.
DEVICE bool learn(Here &here, Row row, Row &mask, Draws &draws) {
  COUNT(LEARN, 1);
  if ((i32)here.state[SCORE] >= 0) return false;
  bool sample = true;
  COUNT(UNBELIEF, 1);
  u32 doubt = here.genome[TRAITS] >> 8 & 255, word = doubt ? next(here, draws) : 0;
  if ((word >> 24) < doubt) {
    u32 n = (u32)here.space->params[P_N], j = below(word << 8, n);
    COUNT(DOUBT, 1);
    for (u32 k = 0; k < n && sample; k++, j = j + 1 == n ? 0 : j + 1) {
      COUNT(INPUT, 1), COUNT(INNER, j + 1 < n);
      if (mask.word[j / 64] >> j % 64 & 1) row = unit(j), sample = false;
    }
    COUNT(DENIAL, !sample);
  }
  if (!swap(here, row, mask, sample, next(here, draws))) return false;
  here.state[SCORE] = here.state[HITS] = here.state[TRIALS] = 0;
  return true;
}

// A tick of a holder: what its neighbours tell, then its own samples, one mistake after the other.
DEVICE u32 hold(Here &here, Row &mask, u32 bite, u32 seen, u32 &right) {
  const u64 *rows = (const u64 *)here.space->data[0];
  u32 *state = here.state, talk = here.genome[TRAITS] >> 16 & 255, cursor = state[CURSOR], swaps = 0;
  Draws draws = {};
  COUNT(HOLD, 1);
  if (talk >= 128)
    for (i32 i = 0; i < here.heard; i++) {
      COUNT(LISTEN, 1);
      Row row = load(here.signals[i]);
      if (!odd(mask, row)) continue;
      COUNT(OBJECTION, 1);
      state[SCORE] -= 4;
      swaps += learn(here, row, mask, draws);
    }
  for (u32 left = bite; left;) {
    if (cursor >= seen) cursor = 0;      // not before: there may be new samples by now
    u32 many = left < 8 ? left : 8;
    COUNT(BITE, 1), COUNT(LAST_BITE, many > seen - cursor);
    if (many > seen - cursor) many = seen - cursor;
    const u64 *from = rows + (u64)cursor * WORDS;
    u32 wrong = mistakes(from, mask, many), good = wrong ? LOWEST(wrong) : many;
    believe(state, good, wrong != 0);
    count(state, good, wrong != 0, seen);
    right += good;
    u32 eaten = good + (wrong != 0);
    left -= eaten, cursor += eaten;
    if (!wrong) continue;
    COUNT(MISTAKE, 1);
    Row row;
    for (i32 w = 0; w < WORDS; w++) row.word[w] = from[good * WORDS + w];
    if (!learn(here, row, mask, draws)) continue;
    swaps++;
    COUNT(TAUGHT, 1);
    here.tells = talk & 1;
    store(row, here.signal);
  }
  state[CURSOR] = cursor;
  COUNT(CHANGED, swaps != 0);
  if (swaps) store(mask, here.genome + SECRET);
  return swaps;
}

// A mask of weight w with probability 2^-w, but for bits that are drawn twice.
DEVICE Row guess(const Here &here) {
  u32 n = (u32)here.space->params[P_N];
  Draws draws = {};
  u32 weight = 1 + LOWEST((u64)next(here, draws) | 1ull << 32);
  Row mask = unit(n);
  COUNT(GUESS, 1), COUNT(BIT, weight);
  for (u32 i = 0; i < weight; i++) {
    u32 bit = below(next(here, draws), n);
    mask.word[bit / 64] |= 1ull << bit % 64;
  }
  return mask;
}

// A tick of a mask organism: it eats, and thinks again where it has to.
DEVICE void weigh(Here &here, Row &mask, u32 bite, u32 seen, u32 &right) {
  const u64 *rows = (const u64 *)here.space->data[0];
  u32 cursor = here.state[CURSOR], trials = here.state[TRIALS];
  u32 room = trials < seen ? seen - trials : 0;
  COUNT(WEIGH, 1), COUNT(ROOM, trials < seen);
  for (u32 left = bite; left;) {
    if (cursor >= seen) cursor = 0;
    u32 many = left < seen - cursor ? left : seen - cursor;
    COUNT(MEAL, 1), COUNT(LAST_MEAL, left >= seen - cursor), COUNT(ROOMY, room != 0);
    if (room && many > room) many = room;  // those that count as trials apart from those that do not
    u64 wrong = 0;
    COUNT(SAMPLE, many);
    for (u32 i = 0; i < many; i++) {
      u64 both = 0;
      for (i32 w = 0; w < WORDS; w++) both ^= rows[(u64)(cursor + i) * WORDS + w] & mask.word[w];
      wrong += parity(both);
    }
    right += many - (u32)wrong;
    left -= many, cursor += many;
    if (room) count(here.state, many - (u32)wrong, (u32)wrong, seen), room -= many;
  }
  believe(here.state, right, bite - right);
  here.state[CURSOR] = cursor;
  if ((i32)here.state[SCORE] >= 0) return;
  mask = guess(here);
  here.state[SCORE] = here.state[HITS] = here.state[TRIALS] = 0;
  store(mask, here.genome + SECRET);
}

// Sixteenths of a bit of evidence that the mask is no accident. A wrong one gets a row right with
// probability LUCK: a half, and the rows that it was built from. While it makes no mistake a row is worth
// -log2(LUCK) = BITS, else Hoeffding's bound says what all of them are worth. A mask that gets all rows
// right that there are cannot be bettered.
DEVICE i64 merit(const Space &space, const u32 *, const u32 *state) {
  const i64 *params = space.params;
  i64 trials = state[TRIALS], hits = state[HITS];
  COUNT(MERIT, 1), COUNT(TRIED, trials != 0);
  if (trials && hits == params[P_ROWS]) return 1 << 30;
  COUNT(FLAWLESS, hits == trials), COUNT(FLAWED, hits != trials);
  if (hits == trials) return trials * params[P_BITS] >> 12;
  i64 ahead = ((hits << 16) - trials * params[P_LUCK]) >> 8;  // in 1/256, so that its square fits
  COUNT(AHEAD, ahead > 0);
  return ahead > 0 ? ahead * ahead / trials * 46 >> 16 : 0;  // 46 = 16 * 2 / ln 2
}

DEVICE void live(Here &here) {
  const i64 *params = here.space->params;
  u32 seen = (u32)params[P_SEEN], bite = (u32)params[P_BITE], right = 0, swaps = 0;
  bool holder = here.genome[KIND] == HOLDER;
  Row mask = load(here.genome + SECRET);
  COUNT(LIVE, 1);
  if (holder)
    swaps = hold(here, mask, bite, seen, right);
  else
    weigh(here, mask, bite, seen, right);
  u32 *state = here.state;
  COUNT(ALL_TRIED, state[TRIALS] >= seen);
  if (state[TRIALS] >= seen && merit(*here.space, here.genome, state) < params[P_DOUBT]) {
    COUNT(UNCONVINCED, 1);
    state[SCORE] = (u32)-1, state[HITS] = state[TRIALS] = 0;  // all there is has not convinced
  }
  u32 chance = bite / 2 + bite / 8;      // right answers count from there on; luck brings little
  COUNT(EARN, right > chance);
  here.earned += (right > chance ? (right - chance) * params[P_GRAIN] : 0) +
                (holder ? params[P_SUN] : here.space->rent);  // masks live on nothing
  here.spent += (i64)(bite + swaps * LANES) * WORDS >> 8;
}

// A child goes on in the stream of samples where its parent stands, so that it is not judged by samples
// that made its parent's mask. A holder's child is a mask with probability caste / 256; traits lose or
// gain bits like the engine's genes do. A holder's mask is what its equations say, so only a mask
// organism's is mutated.
DEVICE void conceive(Here &here, u32 *genome, u32 *state, u32 rate) {
  Dice d = roll(here, 0x10000);
  COUNT(CHILD, 1);
  state[SCORE] = state[HITS] = state[TRIALS] = state[LEARNED] = 0;
  if (rate == ANEW) {
    COUNT(STRANGER, 1);
    genome[KIND] = d.word[0] & 1, genome[TRAITS] = d.word[1];
    for (i32 w = 0; w < WORDS; w++) {
      Dice secret = roll(here, 0x10001 + w);
      for (u32 half = 0; half < 2; half++) {
        i64 bits = here.space->params[P_N] - 64 * w - 32 * half;  // inputs in this word
        u32 kept = bits >= 32 ? ~0u : bits > 0 ? (1u << bits) - 1 : 0;
        u32 label = bits >= 0 && bits < 32 ? 1u << bits : 0;
        COUNT(HALF, 1), COUNT(WHOLE, bits >= 32), COUNT(PARTIAL, bits >= 0 && bits < 32);
        COUNT(EMPTY, bits < 0), COUNT(LABEL, bits == 0);
        genome[SECRET + 2 * w + half] = (secret.word[half] & kept) | label;
      }
    }
    return;
  }
  if (here.genome[KIND] == HOLDER) {
    COUNT(OF_HOLDER, 1), COUNT(CASTE, (d.word[0] & 255) < (genome[TRAITS] >> 24));
    if ((d.word[0] & 255) < (genome[TRAITS] >> 24)) genome[KIND] = MASK;
    for (i32 i = 0; i < 4; i++) {
      u32 chance = d.word[1 + i / 2] >> 16 * (i & 1);
      COUNT(MUTATION, (chance & 255) < rate);
      if ((chance & 255) < rate) genome[TRAITS] ^= 1u << (8 * i + (chance >> 8 & 7));
    }
  } else {
    COUNT(OF_MASK, 1), COUNT(FLIP, (d.word[0] & 255) < 2 * rate);
    if ((d.word[0] & 255) < 2 * rate) {
      u32 bit = below(d.word[1], (u32)here.space->params[P_N]);
      genome[SECRET + bit / 32] ^= 1u << bit % 32;
    }
  }
}

// All of the duals or nothing: a part of them is of no use.
DEVICE u32 pack(Here &here, const u32 *genome, u32 *carry, u32 wanted) {
  COUNT(ORDER, 1), COUNT(OF_A_HOLDER, genome[KIND] == HOLDER);
  if (genome[KIND] != HOLDER || 2 * wanted < CARRY) return 0;
  COUNT(PACK, 1);
  LONG for (i32 i = 0; i < CARRY; i++) carry[i] = ((const u32 *)here.arena)[i];
  return CARRY;
}

#ifndef __CUDACC__
// Rows `from` to `to` of inputs x [rows][n] of -1 and +1 and labels y [rows] as data[0] wants them.
// A multiplication gathers the signs of eight inputs.
extern "C" void pack_rows(const i64 *y, const u8 *x, i64 n, i64 from, i64 to, u64 *rows) {
  for (i64 r = from; r < to; r++) {
    u64 row[WORDS] = {};
    const u8 *inputs = x + r * n;
    COUNT(ROW, 1), COUNT(EIGHT, (n + 7) / 8), COUNT(REST, n >= 8 && n % 8);
    COUNT(FEW, n < 8), COUNT(ONE, n < 8 ? n : 0);
    for (i64 i = 0; i < n; i += 8) {
      u64 eight = 0;
      i64 shift = 0;
      if (i + 8 > n && n >= 8) shift = i + 8 - n;  // the last eight overlap those before
      if (n >= 8)
        __builtin_memcpy(&eight, inputs + i - shift, 8);
      else
        for (i64 b = 0; b < n; b++) eight |= (u64)inputs[b] << 8 * b;
      u64 signs = ((eight >> 7 & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56;
      row[i / 64] |= signs >> shift << i % 64;
    }
    row[n / 64] |= (u64)(y[r] < 0) << n % 64;
    for (i32 w = 0; w < WORDS; w++) rows[r * WORDS + w] = row[w];
  }
}

// A training's first epoch in one call: the space as it was kept, the rows that are seen first, the run,
// the champion. At small sizes six calls from Python would cost more than the search.
extern "C" void run(const Space *, i64, i64, i64);
extern "C" void champion(const Space *, i64 *);
extern "C" void first_epoch(const Space *at, const u8 *image, i64 bytes, const i64 *y, const u8 *x,
                            i64 until, i64 *best) {
  __builtin_memcpy(at->energy, image, bytes);  // energy is where the buffer begins
  pack_rows(y, x, at->params[P_N], 0, at->params[P_SEEN], (u64 *)at->data[0]);
  run(at, until, 0, 1);
  champion(at, best);
}
#endif
