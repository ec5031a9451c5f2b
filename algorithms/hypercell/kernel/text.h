// The text biology: an organism reads a text byte by byte, through contexts that its genome chooses.
//
// It begins with an empty memory and reads SPAN bytes, so many per tick: it predicts each, then learns it
// by the delta rule (text_learn.h). Of the last JUDGED of them, which may lie elsewhere in the text, it
// learns nothing: what it loses there is what it is judged by. At MARKS of its life it looks back: who
// has done worse than its parent had at that age, by more than GRACE, starves. Who has read all is grown:
// it has what it is worth, half as much for every DOUBLE by which it costs more than the best that it has
// heard of. Its cost is what it loses per byte and, at PRICE, the lines of memory that it touches. What it
// is worth falls by half every so many ticks, unless it has heard of none better, and with a 2^AGED-th it
// dies. The grown tell neighbours their genomes, and the least cost that they have heard of, and send
// children, which are crossed with the genome that was heard last and, where the space allows it, begin with
// some of what their parents have learned (text_legacy.h).
//
// data[0]: the text; data[1]: the class of each byte, u8 [256]. Where P_SPAN is the whole text and nobody
// has children, this is how the exported predictor is trained.

enum {
  P_BEGIN, P_SPAN, P_CHUNK, P_SEGMENT,   // of the text, in bytes
  P_WIDTH, P_BITS, P_ROWS,               // classes; of the table: 2^BITS slots, so many rows
  P_JUDGED, P_EXAM,                      // bytes that are judged; where they begin
  P_PRICE, P_DOUBLE, P_GRACE,            // 2^-13 nats: of a line per byte; of a doubling; see above
  P_HALF, P_CROSS, P_CHANGE,             // ticks; chances in 1/256: crossed; one more gene changed
  P_ARENA = 15                           // bytes of an arena
};
enum { MARKS = 4 };                      // at 1/16, 1/8, 1/4 and 1/2 of a life
// Registers. READ: bytes so far. LOST, LINES: losses in 2^-9 nats, and lines touched, of every eighth byte
// read (SAID of them) since the last mark, or since judging began. COST: of a grown one, 2^-13 nats per
// byte; BEST: the least that it has heard of. GROWN: ticks ago, + 1. MARK: losses per byte at each, 2^-13
// nats, 0: not there yet. PARENT: its parent's.
enum { READ, LOST, LINES, SAID, COST, BEST, GROWN, MARK, PARENT = MARK + MARKS };
enum { S_BEST = 15 };                    // a signal: the genome, the least cost heard of

#include "text_sizes.h"
#include "space.h"
#include "text_softmax.h"
#include "text_traits.h"
#include "text_reader.h"
#include "text_table.h"
#include "text_learn.h"

struct Mind {
  u32 mated, mate[GENES_OF_TEXT];        // a genome was heard; the genome
  u32 used;                              // rows
  u16 seeds[WIDEST];
  Traits traits;
  Learned learned;
  Reader reader;
};

enum { HEAD = (sizeof(Mind) + 63) / 64 * 64, SAMPLE = 8 };
enum { WORTH = 20, AGED = 4 };           // log2 of what the best are worth, and of what is too little for them
enum { YOUNG = 1 << WORTH };             // nobody takes a place from a child

DEVICE Table table_of(const Here &here) {
  const i64 *params = here.space->params;
  u64 *slots = (u64 *)(here.arena + HEAD);
  Table table = {slots, (i16 *)(slots + (1ull << params[P_BITS])), (u32)params[P_BITS], (u32)params[P_ROWS]};
  return table;
}

#include "text_legacy.h"

// The memory of one that has read nothing.
DEVICE void begin(Here &here, Mind &mind) {
  Table table = table_of(here);
  i64 slots = 1ll << table.bits;
  COUNT(BEGUN, 1), COUNT(CLEARED, slots);
  for (i64 i = 0; i < slots; i++) table.slots[i] = 0;
  express(here.genome, mind.traits);
  begin_learning(mind.learned, mind.traits, bought(here));
  begin_segment(mind.reader);
  mind.used = mind.mated = 0;
  for (u32 i = 0; i < WIDEST; i++) mind.seeds[i] = (u16)(i * 40503u + 1);
}

// Reads `many` bytes of a stretch, from byte `from` of it on; `learned`: all that it will learn. `width` is
// known to the compiler. Lookups run AHEAD of learning, so that memory is there when it is needed.
enum { CLAIM = 8, AHEAD = 16, RING = 32 };
DEVICE void read_some(Here &here, Mind &mind, const Table &table, const u8 *text, i64 from, i64 many,
                      i64 learned, bool learns, i32 width) {
  const i64 *params = here.space->params;
  const u8 *class_of = (const u8 *)here.space->data[1];
  const Traits &t = mind.traits;
  Look ring[RING];
  i16 z[WIDEST], p[WIDEST];
  u32 lost = 0, lines = 0, said = 0;
  u32 scale = 65536 - (u32)((u64)(65536 - t.end) * (u64)from / (u64)learned);
  COUNT(CHUNK_READ, 1), COUNT(EXAMINED, !learns), COUNT(BYTE, many), COUNT(CONTEXT, many * t.models);
  if (learns) set_pace(t, mind.learned, scale);
  for (i64 i = 0; i < many + AHEAD; i++) {
    if (i < many) {
      if ((from + i) % params[P_SEGMENT] == 0) begin_segment(mind.reader);
      Look &look = ring[i % RING];
      look_at(mind.reader, t, class_of, look);
      for (i32 j = 0; j < t.models; j++) PREFETCH(table.slots + line_of(table, look.hash[j]));
      follow(mind.reader, t.least, text[from + i]);
    }
    i64 at = i - CLAIM;
    if (at >= 0 && at < many) {
      Look &look = ring[at % RING];
      for (i32 j = 0; j < t.models; j++) {
        u32 s = look.slot[j] = learns ? claim(table, look.hash[j]) : find(table, look.hash[j]);
        u64 slot = s == NONE ? 0 : table.slots[s];
        COUNT(PRESENT, s != NONE), COUNT(ROW_SOON, (slot & ROW) != 0);
        u64 index = slot & ROW ? payload_of(slot) : 0;  // no branch: it could not be foreseen
        const u8 *row = (const u8 *)(table.rows + index * width);
        for (i32 line = 0; line < width; line += LANES) PREFETCH(row + 2 * line);
      }
    }
    at = i - AHEAD;
    if (at < 0) continue;
    const Look &look = ring[at % RING];
    u64 value[MODELS], *slots[MODELS];
    const i16 *base[MODELS];
    for (i32 j = 0; j < t.models; j++) {
      slots[j] = look.slot[j] == NONE ? 0 : table.slots + look.slot[j];
      value[j] = slots[j] ? *slots[j] : 0, base[j] = table.rows;
    }
    Kinds is;
    sort_out(value, t.models, is);
    u32 y = class_of[text[from + at]], total;
    forward(t, mind.learned, base, value, is, look, width, z);
    i32 top = softmax(z, width, p, &total);
    if ((from + at) % SAMPLE == 0) {
      total = total > 1u << 15 ? total : 1u << 15;  // rounded down where one is all
      lost += (u32)(top - z[y]) + (u32)((log2_of(total) - (15u << 16)) * 355ull >> 16);  // 2^-9 nats
      COUNT(SAMPLED, 1);
      lines += (u32)(t.models + is.rows * (width / LANES)), said++;
    }
    if (learns)
      update(t, mind.learned, table, mind.used, slots, value, is, look, p, y, scale, mind.seeds, width);
  }
  here.state[LOST] += lost, here.state[LINES] += lines, here.state[SAID] += said;
}

DEVICE void read_text(Here &here, Mind &mind, i64 many) {
  const i64 *params = here.space->params;
  const u8 *text = (const u8 *)here.space->data[0];
  Table table = table_of(here);
  i64 from = here.state[READ], learned = params[P_SPAN] - params[P_JUDGED];
  bool learns = from < learned;
  text += params[learns ? P_BEGIN : P_EXAM];
  if (!learns) from -= learned;
  if (ALONE) {                           // no vectors to be made: once is enough
    read_some(here, mind, table, text, from, many, learned, learns, (i32)params[P_WIDTH]);
  } else {
    switch (params[P_WIDTH]) {
      case 64: read_some(here, mind, table, text, from, many, learned, learns, 64); break;
      case 128: read_some(here, mind, table, text, from, many, learned, learns, 128); break;
      default: read_some(here, mind, table, text, from, many, learned, learns, 256);
    }
  }
  here.state[READ] += (u32)many;
}

// Twice as much for every DOUBLE less and every HALF ticks less; 0: its place is needed.
DEVICE i64 worth_of(const Here &here) {
  const i64 *params = here.space->params;
  u64 behind = here.state[COST] - here.state[BEST], since = behind ? here.state[GROWN] - 1 : 0;
  COUNT(WORTH_ASKED, 1), COUNT(BEHIND, behind != 0);
  u64 down = (behind << 16) / (u64)params[P_DOUBLE] + (since << 16) / (u64)params[P_HALF];
  COUNT(STILL, down >> 16 < AGED);
  return down >> 16 < AGED ? (i64)exp2_down((u32)down) << WORTH >> 16 : 0;
}

// At a mark: what it lost per byte since the last one. False: its parent had done better.
DEVICE bool passes(Here &here, i32 mark) {
  u32 *state = here.state;
  COUNT(MARKED, 1), COUNT(SAID_ANY, state[SAID] != 0), COUNT(HAS_PARENT, state[PARENT + mark] != 0);
  state[MARK + mark] = (u32)(((u64)state[LOST] << 4) / (state[SAID] ? state[SAID] : 1)) + 1;
  state[LOST] = state[LINES] = state[SAID] = 0;
  u32 parent = state[PARENT + mark];
  return !parent || state[MARK + mark] <= parent + (u32)here.space->params[P_GRACE];
}

DEVICE void grow_up(Here &here) {
  u32 *state = here.state, said = state[SAID] ? state[SAID] : 1;
  u64 lines = (u64)state[LINES] * (u64)here.space->params[P_PRICE];
  COUNT(GREW_UP, 1), COUNT(SAID_ANY, state[SAID] != 0), COUNT(HEARD_BEST, state[BEST] != 0);
  state[COST] = (u32)((((u64)state[LOST] << 4) + lines) / said);
  COUNT(OWN_BEST, !state[BEST] || state[COST] < state[BEST]);
  if (!state[BEST] || state[COST] < state[BEST]) state[BEST] = state[COST];
}

DEVICE void hear(Here &here, Mind &mind) {
  u32 *state = here.state;
  for (i32 i = 0; i < here.heard; i++) {
    const u32 *signal = here.signals[i];
    mind.mated = 1;
    COUNT(HEARD, 1), COUNT(HEARD_BEST, state[BEST] != 0);
    COUNT(OWN_BEST, !state[BEST] || signal[S_BEST] < state[BEST]);
    for (i32 w = 0; w < GENES_OF_TEXT; w++) mind.mate[w] = signal[w];
    if (!state[BEST] || signal[S_BEST] < state[BEST]) state[BEST] = signal[S_BEST];
  }
}

// Brings what it has to so much.
DEVICE void hold(Here &here, i64 energy) {
  i64 due = energy - here.energy;
  COUNT(HELD, 1), COUNT(TOO_MUCH, due < 0);
  here.earned = due > 0 ? due : 0, here.spent = due < 0 ? -due : 0;
}

DEVICE void live(Here &here) {
  const i64 *params = here.space->params;
  u32 *state = here.state;
  Mind &mind = *(Mind *)here.arena;
  i64 span = params[P_SPAN], judged = span - params[P_JUDGED], from = state[READ];
  COUNT(LIVE, 1), COUNT(AT_FIRST, !from);
  if (!from && !state[GROWN]) begin(here, mind), hold(here, YOUNG);
  hear(here, mind);
  if (from < span) {
    here.barren = 1;
    COUNT(YOUTH, 1), COUNT(LEARNING, from < judged);
    i64 until = from + params[P_CHUNK];
    if (until > span) until = span;
    if (from < judged && until > judged) until = judged;
    read_text(here, mind, until - from);
    for (i32 mark = 0; mark < MARKS; mark++) {
      COUNT(UNMARKED, !state[MARK + mark]);
      COUNT(OLD_ENOUGH, !state[MARK + mark] && until >= span >> (MARKS - mark));
      if (!state[MARK + mark] && until >= span >> (MARKS - mark) && until < judged && !passes(here, mark))
        hold(here, 0);
    }
    COUNT(EXAM_BEGINS, until == judged);
    if (until == judged) state[LOST] = state[LINES] = state[SAID] = 0;
    if (until < span) return;
    grow_up(here);
  }
  COUNT(ADULT, 1);
  state[GROWN]++;
  hold(here, worth_of(here));
  here.tells = 1;
  for (i32 w = 0; w < GENES_OF_TEXT; w++) here.signal[w] = here.genome[w];
  here.signal[S_BEST] = state[BEST];
}

#include "text_heredity.h"

DEVICE i64 merit(const Space &, const u32 *, const u32 *state) {
  COUNT(MERIT, 1), COUNT(HAS_COST, state[GROWN] != 0);
  return state[GROWN] ? (1ll << 30) - state[COST] : -1;
}
