// The density biology: rules of a ring and configurations of its cells, each the other's living.
//
// A rule organism is a table of 2^INPUTS outputs. It lives on the configurations of its neighbours: it
// draws 64 of the kind that it last heard of, lets them run, and earns by how far it does better than
// others did on that kind. A configuration organism is a kind: how far its cells are from fair coins. It
// lives on what rules tell of it, most where two of three are solved: hard but solvable.
//
// A rule's table can be read folded: what it says of one half of all neighbourhoods is said of their
// images as well. Images under SWAP have ones and zeros swapped, and the opposite output; under MIRROR
// left and right. Which fold is a gene.
//
// Compiled in: WIDTH, RADIUS (ring.h). params: steps of a run; POINTS of advantage that double an income;
// LEAK, a share of 2^-LEAK of all energy is spent per tick; batches that a judgement remembers; every how
// many ticks fair coins are run, for export; what a report feeds a configuration; which folds there may
// be (bit f: fold f); ALONE: there are no configuration organisms, and rules draw kinds at random, up to
// a bias of ALONE - 1.

enum { P_STEPS, P_POINTS, P_LEAK, P_MEMORY, P_FAIR_EVERY, P_FEED, P_FOLDS, P_ALONE, P_GROWN, P_REST };
enum { RULE, KINDS };
enum { SWAP = 1, MIRROR = 2, FOLDS = 4 };
// The genome. TRAITS has four bytes: fold, flips (of table bits per child, in 1/32), cross (chance, in
// 1/256, that a child is crossed with the neighbour last heard), caste (chance that a child is of the
// other kind). BIAS: a configuration's cells are ones with probability 1/2 +- BIAS / 128.
enum { KIND, TRAITS, BIAS, TABLE };
// Registers. SCORE: mean advantage in points, over BATCHES. Of fair coins FAIR_HITS of FAIR_TRIALS.
// FOOD: bias of the kind heard of last, + 1 (0: none), FOOD_ID where from, FOOD_MEAN what it gave to
// others (-1: unknown), FOOD_AGE ticks ago. ATE: points of the last batch, HITS in it. MATE: a
// neighbour's table, MATED: there is one. Of a configuration SCORE is the mean of points that rules told,
// over BATCHES.
enum { SCORE, BATCHES, FAIR_HITS, FAIR_TRIALS, FOOD, FOOD_ID, FOOD_MEAN, FOOD_DEV, FOOD_AGE, ATE, HITS, MATED, MATE };
// A signal: the sender's kind; of a rule the configuration that it ate last (its id + 1, 0: none), its
// points and hits, its table; of a configuration its id, bias, mean.
enum { S_KIND, S_ID, S_POINTS, S_HITS, S_GROWN, S_TABLE };

#define TABLE_SIZE (2 * RADIUS + 1 < 5 ? 1 : 1 << (2 * RADIUS - 4))
#define GENOME (3 + TABLE_SIZE)
#define STATE (12 + TABLE_SIZE)
#define SIGNAL (5 + TABLE_SIZE)
#define CARRY 0
#define ARENA 8
#include "space.h"
#include "ring.h"

enum { BATCH = 64, STALE = 32, BIASES = 64, YOUNG = 4, MEMORY_OF_PEERS = 32, ALL_POINTS = 2 * BATCH * WIDTH, FLOOR = ALL_POINTS / 4 - 400, HARDSHIP = ALL_POINTS / 19 * 3 };

DEVICE void arrive(Here &, const u32 *, u32) {}

DEVICE u32 bit_of(const u32 *table, u32 at) { return table[at >> 5] >> (at & 31) & 1; }

DEVICE u32 image_of(u32 at, u32 fold) {
  u32 image = at;
  if (fold & MIRROR) {
    image = 0;
    for (i32 i = 0; i < INPUTS; i++) image |= (at >> i & 1) << (INPUTS - 1 - i);
  }
  return fold & SWAP ? ~image & ((1u << INPUTS) - 1) : image;
}

// The table as it is lived by.
DEVICE void unfold(const u32 *genes, u32 fold, u32 *table) {
  for (i32 w = 0; w < TABLE_SIZE; w++) table[w] = 0;
  for (u32 at = 0; at < 1u << INPUTS; at++) {
    u32 image = image_of(at, fold), own = image < at ? image : at;
    u32 output = bit_of(genes, own) ^ (image < at && fold & SWAP);
    table[at >> 5] |= output << (at & 31);
  }
  table[0] &= ~1u;                                     // an answer has to stay
  table[TABLE_SIZE - 1] |= 1u << ((1u << INPUTS) - 1 & 31);
}

// 64 configurations, from fair coins to cells that are ones with probability 1/2 + spread / 128, evenly;
// every second one has as many zeros.
DEVICE void draw_cells(const Here &here, u32 spread, u32 from, u64 *row) {
  u64 digits[7] = {};                                  // of the chance of a one, in 1/128, by lane
  for (u32 lane = 0; lane < BATCH; lane++) {
    u64 chance = 64 + spread * (lane / 2) / (BATCH / 2 - 1);
    for (i32 digit = 0; digit < 7; digit++) digits[digit] |= (chance >> digit & 1) << lane;
  }
  u32 used = from;
  Dice block;
  for (i32 i = 0; i < WIDTH; i++) {
    u64 cells = 0;
    for (i32 digit = spread ? 0 : 6; digit < 7; digit++) {
      if (!(used & 1)) block = roll(here, used >> 1);
      u64 coin = (u64)block.word[2 * (used & 1) + 1] << 32 | block.word[2 * (used & 1)];
      cells = (cells & coin) | (digits[digit] & (cells ^ coin));
      used++;
    }
    row[RADIUS + i] = cells ^ 0xAAAAAAAAAAAAAAAAull;
  }
}

// A batch: points for every cell that ends as most cells began, as many again for a whole configuration;
// of those that began with more ones and of those with more zeros the ones that went worse are counted
// twice, so that always saying the same is worth nothing.
DEVICE u32 judge(const Here &here, const Ready &rule, u32 bias, u32 from, u32 &hits) {
  u64 row[ROW], other[ROW];
  draw_cells(here, bias, from, row);
  for (i32 i = WIDTH + RADIUS; i < ROW; i++) row[i] = 0;
  u64 ones = majority_of(row);
  run_ring(rule, row, other, (i32)here.space->params[P_STEPS]);
  u64 solved = (ones & uniform_at(row, 0)) | (~ones & uniform_at(row, ~0ull));
  hits = (u32)POPCOUNT(solved);
  u32 worst = ALL_POINTS / 2;
  for (i32 side = 0; side < 2; side++) {
    u64 lanes = side ? ones : ~ones;
    u32 many = (u32)POPCOUNT(lanes), right = (u32)POPCOUNT(solved & lanes) * WIDTH;
    for (i32 i = 0; i < WIDTH; i++) right += (u32)POPCOUNT(~(row[RADIUS + i] ^ ones) & lanes);
    if (many && right * (BATCH / 2) / many < worst) worst = right * (BATCH / 2) / many;
  }
  return 2 * worst;
}

// 2^(x / 16) for x from 0 to 256, by straight lines between powers.
DEVICE i64 power(i64 x) {
  x = x < 0 ? 0 : x > 448 ? 448 : x;
  return ((16 + (x & 15)) << (x >> 4)) >> 4;
}

// The mean of what was told, and the mean distance from it, after `many` values.
DEVICE void track(u32 &mean, u32 &distance, i32 value, i32 many) {
  i32 off = value - (i32)mean, far = off < 0 ? -off : off;
  if (many == 1) mean = (u32)value, distance = 0;
  if (many == 1) return;
  distance = (u32)((i32)distance + (far - (i32)distance) / (many - 1));
  mean = (u32)((i32)mean + off / many);
}

// How far a batch is above the others', in 1/256 of their mean distance; at most 8 of them.
DEVICE i32 advantage(u32 points, const u32 *state) {
  i32 unit = (i32)state[FOOD_DEV] + 16, most = 2048;
  i32 ahead = ((i32)points - (i32)state[FOOD_MEAN]) * 256 / unit;
  return ahead > most ? most : ahead < -most ? -most : ahead;
}

DEVICE void average(u32 *state, i32 value, u32 memory) {
  if (state[BATCHES] < memory) state[BATCHES]++;
  i32 mean = (i32)state[SCORE];
  state[SCORE] = (u32)(mean + (value - mean) / (i32)state[BATCHES]);
}

// What an organism has follows what it is worth: it earns what is missing, and burns what is too much.
DEVICE void stand(Here &here, i64 worth) {
  i64 missing = worth + here.space->rent - here.energy;
  if (missing > 0)
    here.earned += missing;
  else
    here.spent -= missing;
}

DEVICE void tell(Here &here, u32 kind, u32 id, u32 points, u32 hits) {
  here.tells = 1;
  here.signal[S_KIND] = kind, here.signal[S_ID] = id;
  here.signal[S_POINTS] = points, here.signal[S_HITS] = hits;
  bool grown = here.state[BATCHES] >= (u32)here.space->params[P_GROWN];
  here.signal[S_GROWN] = grown ? 2 : 0;
  for (i32 w = 0; w < TABLE_SIZE; w++) here.signal[S_TABLE + w] = here.genome[TABLE + w];
}

DEVICE void live_rule(Here &here) {
  const i64 *params = here.space->params;
  u32 *state = here.state, table[TABLE_SIZE], hits;
  bool alone = params[P_ALONE];
  for (i32 i = 0; i < here.heard; i++) {
    const u32 *signal = here.signals[i];
    if (signal[S_KIND] == KINDS) {
      state[FOOD] = signal[S_POINTS] + 1, state[FOOD_ID] = signal[S_ID];
      state[FOOD_MEAN] = signal[S_HITS], state[FOOD_DEV] = signal[S_GROWN], state[FOOD_AGE] = 0;
    } else {
      if (alone && signal[S_GROWN]) {                     // peers are the measure where kinds are drawn
        if (state[FOOD_AGE] < MEMORY_OF_PEERS) state[FOOD_AGE]++;
        track(state[FOOD_MEAN], state[FOOD_DEV], (i32)signal[S_POINTS], (i32)state[FOOD_AGE]);
      }
      if (signal[S_GROWN] < 2) continue;               // none mates with what fails
      state[MATED] = 1;
      for (i32 w = 0; w < TABLE_SIZE; w++) state[MATE + w] = signal[S_TABLE + w];
    }
  }
  unfold(here.genome + TABLE, here.genome[TRAITS] & 3, table);
  Ready rule = ready(table);
  if (state[BATCHES] >= (u32)params[P_GROWN] && (here.tick + here.id) % (u32)params[P_FAIR_EVERY] == 0) {
    judge(here, rule, 0, 0x20000, hits);
    if (state[FAIR_TRIALS] >= 128 * BATCH) state[FAIR_TRIALS] >>= 1, state[FAIR_HITS] >>= 1;
    state[FAIR_HITS] += hits, state[FAIR_TRIALS] += BATCH;
  }
  if (state[BATCHES] >= (u32)params[P_MEMORY] && (here.tick + here.id) % (u32)params[P_REST]) {
    here.earned += here.space->rent + YOUNG;             // it knows its worth: it does not eat every day
    tell(here, RULE, 0, state[ATE], state[HITS]);
    return;
  }
  u32 bias = state[FOOD] - 1;
  if (alone) {
    bias = (u32)params[P_ALONE] - 1;
    state[FOOD_ID] = here.id;
  } else if (!state[FOOD] || state[FOOD_AGE]++ > STALE) {
    state[FOOD] = 0;                                   // hungry: it rests, and tells where it is
    tell(here, RULE, 0, 0, 0);
    return;
  }
  u32 easy = BIASES - bias, points = judge(here, rule, bias, 0, hits);
  points += HARDSHIP * easy * easy * easy / (BIASES * BIASES * BIASES);
  state[ATE] = points, state[HITS] = hits;
  average(state, (i32)points, (u32)params[P_MEMORY]);
  bool grown = state[BATCHES] >= (u32)params[P_GROWN];
  if (grown) {                                         // the young live on what they were given
    stand(here, power(16 * ((i64)(i32)state[SCORE] - FLOOR) / params[P_POINTS]));
  } else {
    here.earned += here.space->rent + YOUNG;
  }
  tell(here, RULE, state[FOOD_ID] + 1, points, hits);
}

DEVICE void live_kinds(Here &here) {
  const i64 *params = here.space->params;
  u32 *state = here.state;
  for (i32 i = 0; i < here.heard; i++) {
    const u32 *signal = here.signals[i];
    if (signal[S_KIND] != RULE || signal[S_ID] != here.id + 1 || !signal[S_GROWN]) continue;
    if (state[BATCHES] < params[P_MEMORY]) state[BATCHES]++;
    track(state[FOOD_MEAN], state[FOOD_DEV], (i32)signal[S_POINTS], (i32)state[BATCHES]);
    i32 solved = (i32)signal[S_HITS];                  // 27/4 x^2 (1 - x) is 1 at x = 2/3
    i32 hard = 27 * solved * solved * (BATCH - solved) / (4 * BATCH * BATCH);
    state[HITS] += (u32)((256 * hard / BATCH - (i32)state[HITS]) / (i32)state[BATCHES]);
    state[FOOD_AGE] = 0;
  }
  if (state[BATCHES] >= (u32)params[P_GROWN] && state[FOOD_AGE]++ < STALE) {
    stand(here, power(16 * ((i64)state[FOOD_MEAN] - FLOOR) / params[P_POINTS] - 16 + (i64)state[HITS] * params[P_FEED] / 256));
  } else if (state[FOOD_AGE]++ < STALE) {
    here.earned += here.space->rent + YOUNG;
  } else {
    stand(here, 1);
  }
  tell(here, KINDS, here.id, here.genome[BIAS], state[BATCHES] >= (u32)params[P_GROWN] ? state[FOOD_MEAN] : (u32)-1);
  here.signal[S_GROWN] = state[FOOD_DEV];
}

DEVICE void live(Here &here) {
  if (here.genome[KIND] == RULE)
    live_rule(here);
  else
    live_kinds(here);
}

// A child is crossed with the neighbour that its parent last heard, and flipped here and there; one of
// the other kind keeps what it does not use. It is judged by its parent's score until it has its own.
DEVICE void conceive(Here &here, u32 *genome, u32 *state, u32 rate) {
  const i64 *params = here.space->params;
  Dice d = roll(here, 0x10000), e = roll(here, 0x10001);
  u32 traits = genome[TRAITS];
  bool mated = state[MATED] && genome[KIND] == RULE;
  if (rate == ANEW) {
    genome[KIND] = params[P_ALONE] ? RULE : d.word[0] & 1;
    traits = d.word[1], genome[BIAS] = d.word[2] % BIASES;
    Dice f = roll(here, 0x10002);
    for (i32 w = 0; w < TABLE_SIZE; w++) genome[TABLE + w] = f.word[w & 3];
  } else {
    for (i32 i = 0; i < 4; i++) {
      u32 chance = e.word[i / 2] >> 16 * (i & 1);
      if ((chance & 255) < rate) traits ^= 1u << (8 * i + (chance >> 8 & 7));
    }
    if (mated && (d.word[0] & 255) < (traits >> 16 & 255)) {
      u32 cut = below(d.word[1], 1u << INPUTS);
      for (u32 at = cut; at < 1u << INPUTS; at++) {
        u32 bit = 1u << (at & 31);
        genome[TABLE + (at >> 5)] = (genome[TABLE + (at >> 5)] & ~bit) | (state[MATE + (at >> 5)] & bit);
      }
    }
    u32 flips = traits >> 8 & 255;                     // whole ones, and one more with the rest's chance
    flips = 1 + (flips >> 5) + ((d.word[2] & 31) < (flips & 31));
    for (u32 k = 0; k < flips; k++) {
      u32 at = below(roll(here, 0x10003 + k).word[0], 1u << INPUTS);
      genome[TABLE + (at >> 5)] ^= 1u << (at & 31);
    }
    if ((d.word[0] >> 8 & 255) < rate || genome[KIND] == KINDS) {
      i32 bias = (i32)genome[BIAS] + (i32)(d.word[3] & 15) - 8;
      genome[BIAS] = (u32)(bias < 0 ? -bias : bias >= BIASES ? 2 * BIASES - 2 - bias : bias);
    }
    if (!params[P_ALONE] && (d.word[0] >> 16 & 255) < (traits >> 24)) {
      genome[KIND] ^= 1;
    }
  }
  while (!(params[P_FOLDS] >> (traits & 3) & 1)) traits = (traits & ~3u) | ((traits + 1) & 3);
  genome[TRAITS] = traits;
  state[SCORE] = state[BATCHES] = state[HITS] = 0;
  if (genome[KIND] == KINDS || here.genome[KIND] == KINDS) state[FOOD] = state[FOOD_AGE] = 0;
  state[FAIR_HITS] = state[FAIR_TRIALS] = state[MATED] = 0;
}

DEVICE u32 pack(Here &, const u32 *, u32 *, u32) { return 0; }

// Of a rule the share of fair coins that it solved, in 2^-20, less where it was seldom tried.
DEVICE i64 merit(const Space &, const u32 *genome, const u32 *state) {
  if (genome[KIND] != RULE) return -1;
  return ((i64)state[FAIR_HITS] << 20) / (i64)(state[FAIR_TRIALS] + 4 * BATCH);
}
