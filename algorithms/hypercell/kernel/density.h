// The density biology: rules of a ring and kinds of configurations, each the other's living.
//
// A rule organism is a table of 2^INPUTS outputs. It lives on the configurations of its neighbours: it
// draws 64 of the kind that it heard of last, lets them run, and what it has follows how many it gets
// right: the better it is, the fewer more points double what it has. In a tick the same coins fall for all
// rules, so that what one has more than another is less by luck. A batch is run on while more and more of
// it come to be uniform: what goes in circles does so for ever. A kind organism is such a kind: from fair
// coins to cells that are ones by a chance as far from 1/2 as its spread says. It has what the rules have
// that live on it, more where they solve two of three, less where they solve all or none: hard but
// solvable. What is hard pays a rule as much more as it costs a good one, so that rules that live on
// different kinds can be compared. As a space ages, all kinds fade into fair coins.
//
// A rule's table can be read folded: what it says of one half of all neighbourhoods is said of their
// images as well. Images under SWAP have ones and zeros swapped, and the opposite output; under MIRROR
// left and right. Which fold is a gene. 0...0 always stays, and so does 1...1: an answer has to stand.
//
// Compiled in: WIDTH, RADIUS (ring.h). params: steps of a run; TOP, points beyond FLOOR that bring the most
// one can have; batches that a judgement remembers; FEED, doublings in 1/16 that lie between a kind
// that is worth nothing and one of the best; which folds there may be (bit f: fold f); MENU: not 0 where
// there are no kind organisms, and all rules live on a spread of MENU - 1; after how many batches a rule is
// grown; every how many ticks one eats that has been judged by all that it remembers; BRIEF: steps, at least
// one, in which more of a batch must have become uniform, or it ends; COINS: whether all throw the same;
// RIPEN: ticks in which a rule's memory, GROWN at first, grows by a batch: rough and quick, then exact; FADE:
// ticks in which all kinds become fair coins, which is what is asked in the end; 0: they never do.

enum { P_STEPS, P_TOP, P_MEMORY, P_FEED, P_FOLDS, P_MENU, P_GROWN, P_REST, P_BRIEF, P_COINS, P_RIPEN, P_FADE };
enum { RULE, KINDS };
enum { SWAP = 1, MIRROR = 2 };
enum { COINS_STREAM = 2 };                             // beside space.h's
// The genome. TRAITS has four bytes: fold, flips (of table bits per child beyond the first, in 1/32),
// cross (chance, in 1/256, that a child is crossed with the neighbour heard last), caste (chance that a
// child is of the other kind).
enum { KIND, TRAITS, SPREAD, TABLE };
// Registers. SCORE: a rule's mean of points over BATCHES; a kind's, of the rules that lived on it. FOOD:
// spread of the kind heard last, + 1 (0: none), FOOD_ID where from, AGE ticks ago; a kind's AGE is since
// it was last eaten. ATE: points of the last batch. HITS in it; of a kind how near they are to two of
// three, in 1/256. MATE: a neighbour's table, MATED: there is one.
enum { SCORE, BATCHES, FOOD, FOOD_ID, AGE, ATE, HITS, MATED, MATE };
// A signal. Of a rule: the kind that it ate (its id + 1, 0: none), its points and hits, whether it is grown,
// its table. Of a kind: its id and spread.
enum { S_KIND, S_ID, S_POINTS, S_HITS, S_GROWN, S_TABLE, S_SPREAD = S_POINTS };

#define TABLE_SIZE (2 * RADIUS + 1 < 5 ? 1 : 1 << (2 * RADIUS - 4))
#define GENOME (3 + TABLE_SIZE)
#define STATE (9 + TABLE_SIZE)
#define SIGNAL (5 + TABLE_SIZE)
#define CARRY 0
#define ARENA 8
#include "space.h"
#include "ring.h"

enum {
  BATCH = 64,                            // configurations: the bits of a word
  STALE = 32,                            // ticks for which a kind is remembered, or lives uneaten
  SPREADS = 64,                          // in 1/128 of chance
  POCKET = 4,                            // what the young live on, so that they can send signals
  LEAST = 32, MOST = 448,                // doublings / 16 that a score is worth
  ALL_POINTS = 2 * BATCH * WIDTH,
  FLOOR = ALL_POINTS / 4 - 400,          // a little less than what guessing each cell brings
  HARDSHIP = ALL_POINTS / 19 * 3         // what GKL loses by fair coins against a spread of 63
};

DEVICE void arrive(Here &, const u32 *, u32) {}

#include "density_batch.h"

// 2^(x / 16) for x from 0 to MOST, by straight lines between powers.
DEVICE i64 power(i64 x) {
  COUNT(POWER, 1), COUNT(WORTHY, x >= 0);
  x = x < 0 ? 0 : x > MOST ? MOST : x;
  return ((16 + (x & 15)) << (x >> 4)) >> 4;
}

// What a score is worth, in doublings / 16: by the square of what is beyond guessing, since points come the
// harder the more of them there are.
DEVICE i64 worth(const Here &here, u32 score) {
  i64 top = here.space->params[P_TOP], beyond = (i64)score - FLOOR;
  COUNT(WORTH, 1);
  if (beyond < 0) beyond = 0;
  return LEAST + (MOST - LEAST) * beyond * beyond / (top * top);
}

// The mean of the last `memory` values, about.
DEVICE void average(u32 *state, i32 value, u32 memory) {
  COUNT(AVERAGE, 1), COUNT(MORE, state[BATCHES] < memory);
  if (state[BATCHES] < memory) state[BATCHES]++;
  i32 mean = (i32)state[SCORE];
  state[SCORE] = (u32)(mean + (value - mean) / (i32)state[BATCHES]);
}

// What an organism has follows what it is worth: it earns what is missing, and burns what is too much.
DEVICE void stand(Here &here, i64 wanted) {
  COUNT(STAND, 1);
  i64 missing = wanted + here.space->rent - here.energy;
  if (missing > 0)
    here.earned += missing;
  else
    here.spent -= missing;
}

DEVICE void get_by(Here &here) {
  COUNT(GET_BY, 1);
  here.earned += here.space->rent + POCKET;
}

DEVICE void tell(Here &here, u32 id, u32 points, u32 hits, bool grown) {
  COUNT(SPEECH, 1);
  here.tells = 1;
  here.signal[S_KIND] = here.genome[KIND], here.signal[S_ID] = id;
  here.signal[S_POINTS] = points, here.signal[S_HITS] = hits, here.signal[S_GROWN] = grown;
  for (i32 w = 0; w < TABLE_SIZE; w++) here.signal[S_TABLE + w] = here.genome[TABLE + w];
}

// None mates with the young: most of them will not grow old.
DEVICE void listen(Here &here) {
  u32 *state = here.state;
  for (i32 i = 0; i < here.heard; i++) {
    const u32 *signal = here.signals[i];
    COUNT(LISTEN, 1), COUNT(OF_KINDS, signal[S_KIND] == KINDS), COUNT(OF_RULE, signal[S_KIND] != KINDS);
    COUNT(COURTED, signal[S_KIND] != KINDS && signal[S_GROWN]);
    if (signal[S_KIND] == KINDS) {
      state[FOOD] = signal[S_SPREAD] + 1, state[FOOD_ID] = signal[S_ID], state[AGE] = 0;
    } else if (signal[S_GROWN]) {
      state[MATED] = 1;
      for (i32 w = 0; w < TABLE_SIZE; w++) state[MATE + w] = signal[S_TABLE + w];
    }
  }
}

// What is left of a kind's spread at this tick.
DEVICE u32 faded(const Here &here, u32 spread) {
  i64 fade = here.space->params[P_FADE], left = fade - here.tick;
  COUNT(SEASON, fade != 0), COUNT(FADING, fade && left > 0);
  return !fade ? spread : left <= 0 ? 0 : (u32)(spread * left / fade);
}

DEVICE void live_rule(Here &here) {
  const i64 *params = here.space->params;
  u32 *state = here.state, table[TABLE_SIZE], hits;
  u32 memory = (u32)params[P_GROWN] + here.tick / (u32)params[P_RIPEN];
  if (memory > (u32)params[P_MEMORY]) memory = (u32)params[P_MEMORY];
  COUNT(RIPE, 1);
  listen(here);
  COUNT(ON_MENU, params[P_MENU] != 0), COUNT(FORAGE, !params[P_MENU]);
  COUNT(DIGEST, !params[P_MENU] && state[FOOD]);
  COUNT(FORGET, !params[P_MENU] && state[FOOD] && state[AGE] > STALE);
  if (params[P_MENU])
    state[FOOD] = (u32)params[P_MENU], state[FOOD_ID] = here.id;
  else if (state[FOOD] && state[AGE]++ > STALE)
    state[FOOD] = 0;
  if (!state[FOOD]) {                                  // hungry: it says where it is, and pays rent
    tell(here, 0, 0, 0, false);
    return;
  }
  COUNT(FED, 1), COUNT(TIRED, state[BATCHES] >= memory);
  bool grown = state[BATCHES] >= (u32)params[P_GROWN];
  if (state[BATCHES] >= memory && (here.tick + here.id) % (u32)params[P_REST]) {
    COUNT(NAP, 1);
    get_by(here);
    tell(here, 0, state[ATE], state[HITS], grown);
    return;
  }
  unfold(here.genome + TABLE, here.genome[TRAITS] & 3, table);
  Ready rule = ready(table);
  COUNT(MEAL, 1);
  u32 spread = faded(here, state[FOOD] - 1), near = SPREADS - spread;
  u32 points = judge(here, rule, spread, here.genome[TRAITS] & SWAP, hits);
  points += (u32)((u64)HARDSHIP * near * near * near / (SPREADS * SPREADS * SPREADS));
  state[ATE] = points, state[HITS] = hits;
  average(state, (i32)points, memory);
  grown = state[BATCHES] >= (u32)params[P_GROWN];
  if (grown)
    stand(here, power(worth(here, state[SCORE])));
  else
    get_by(here);                                      // the young live on what they were given
  tell(here, state[FOOD_ID] + 1, points, hits, grown);
}

DEVICE void live_kinds(Here &here) {
  const i64 *params = here.space->params;
  u32 *state = here.state;
  for (i32 i = 0; i < here.heard; i++) {
    const u32 *signal = here.signals[i];
    COUNT(GUEST, 1), COUNT(EATER, signal[S_KIND] == RULE);
    COUNT(MINE, signal[S_KIND] == RULE && signal[S_ID] == here.id + 1);
    if (signal[S_KIND] != RULE || signal[S_ID] != here.id + 1 || !signal[S_GROWN]) continue;
    COUNT(EATEN, 1);
    average(state, (i32)signal[S_POINTS], (u32)params[P_MEMORY]);
    i32 solved = (i32)signal[S_HITS];                  // 27/4 x^2 (1 - x) is 1 at x = 2/3
    i32 hard = 256 * 27 / 4 * solved * solved / BATCH * (BATCH - solved) / (BATCH * BATCH);
    state[HITS] = (u32)((i32)state[HITS] + (hard - (i32)state[HITS]) / (i32)state[BATCHES]);
    state[AGE] = 0;
  }
  COUNT(KINDS_LIFE, 1), COUNT(LIKED, state[AGE] < STALE);
  COUNT(VALUED, state[AGE] < STALE && state[BATCHES] >= (u32)params[P_GROWN]);
  if (state[AGE]++ >= STALE)
    stand(here, 1);
  else if (state[BATCHES] < (u32)params[P_GROWN])
    get_by(here);
  else
    stand(here, power(worth(here, state[SCORE]) - 16 + (i64)state[HITS] * params[P_FEED] / 256));
  tell(here, here.id, here.genome[SPREAD], 0, false);
}

DEVICE void live(Here &here) {
  COUNT(LIVE, 1);
  if (here.genome[KIND] == RULE)
    live_rule(here);
  else
    live_kinds(here);
}

// A child is crossed with the neighbour that its parent last heard, and flipped here and there; one of
// the other kind keeps what it does not use.
DEVICE void conceive(Here &here, u32 *genome, u32 *state, u32 rate) {
  const i64 *params = here.space->params;
  Dice d = roll(here, 0x10000), e = roll(here, 0x10001);
  u32 traits = genome[TRAITS];
  COUNT(CHILD, 1), COUNT(MARRIED, state[MATED] != 0);
  bool mated = state[MATED] && genome[KIND] == RULE;
  if (rate == ANEW) {
    COUNT(STRANGER, 1), COUNT(EITHER, !params[P_MENU]);
    genome[KIND] = params[P_MENU] ? RULE : d.word[0] & 1;
    traits = d.word[1], genome[SPREAD] = d.word[2] % SPREADS;
    Dice f = roll(here, 0x10002);
    for (i32 w = 0; w < TABLE_SIZE; w++) genome[TABLE + w] = f.word[w & 3];
  } else {
    COUNT(OWN_CHILD, 1), COUNT(PAIRED, mated);
    for (i32 i = 0; i < 4; i++) {
      u32 chance = e.word[i / 2] >> 16 * (i & 1);
      COUNT(TRAIT, (chance & 255) < rate);
      if ((chance & 255) < rate) traits ^= 1u << (8 * i + (chance >> 8 & 7));
    }
    if (mated && (d.word[0] & 255) < (traits >> 16 & 255)) {
      u32 cut = below(d.word[1], 1u << INPUTS);
      COUNT(CROSSED, 1), COUNT(TAKEN, (1u << INPUTS) - cut);
      for (u32 at = cut; at < 1u << INPUTS; at++) {
        u32 bit = 1u << (at & 31);
        genome[TABLE + (at >> 5)] = (genome[TABLE + (at >> 5)] & ~bit) | (state[MATE + (at >> 5)] & bit);
      }
    }
    u32 flips = traits >> 8 & 255;                     // whole ones, and one more with the rest's chance
    flips = 1 + (flips >> 5) + ((d.word[2] & 31) < (flips & 31));
    COUNT(FLIP, flips);
    for (u32 k = 0; k < flips; k++) {
      u32 at = below(roll(here, 0x10003 + k).word[0], 1u << INPUTS);
      genome[TABLE + (at >> 5)] ^= 1u << (at & 31);
    }
    COUNT(STEADY, (d.word[0] >> 8 & 255) >= rate);
    if ((d.word[0] >> 8 & 255) < rate || genome[KIND] == KINDS) {
      i32 spread = (i32)genome[SPREAD] + (i32)(d.word[3] & 15) - 8;
      COUNT(DRIFT, 1), COUNT(REFLECTED, spread < 0), COUNT(UPPER, spread >= 0);
      COUNT(BEYOND, spread >= SPREADS);
      genome[SPREAD] = (u32)(spread < 0 ? -spread : spread < SPREADS ? spread : 2 * SPREADS - 2 - spread);
    }
    COUNT(CASTE, !params[P_MENU]);
    COUNT(CONVERT, !params[P_MENU] && (d.word[0] >> 16 & 255) < (traits >> 24));
    if (!params[P_MENU] && (d.word[0] >> 16 & 255) < (traits >> 24)) genome[KIND] ^= 1;
  }
  while (!(params[P_FOLDS] >> (traits & 3) & 1)) {
    COUNT(UNFIT, 1);
    traits = (traits & ~3u) | ((traits + 1) & 3);
  }
  genome[TRAITS] = traits;
  state[SCORE] = state[BATCHES] = state[HITS] = 0;
  COUNT(OF_RULES, genome[KIND] != KINDS), COUNT(FASTING, genome[KIND] == KINDS || here.genome[KIND] == KINDS);
  if (genome[KIND] == KINDS || here.genome[KIND] == KINDS) state[FOOD] = state[AGE] = 0;
  state[MATED] = 0;
}

DEVICE u32 pack(Here &, const u32 *, u32 *, u32) { return 0; }

// Of a rule its mean of points, less where it was seldom judged.
DEVICE i64 merit(const Space &, const u32 *genome, const u32 *state) {
  COUNT(MERIT, 1), COUNT(SHARE, genome[KIND] == RULE);
  if (genome[KIND] != RULE) return -1;
  return ((i64)state[SCORE] * state[BATCHES] << 8) / (i64)(state[BATCHES] + 2);
}
