// An integer softmax over sums of rows, and its gradient, 16 bits wide. Units: logits 2^-9 nats, weights
// of rows 2^-12 nats, probabilities and errors 2^-14, gains 2^-13. Every loop does one thing, over a
// number of classes that the caller knows when it compiles: vector units then do it 32 at a time.

typedef signed short i16;
typedef unsigned short u16;

enum { LANES = 32, WIDEST = 256 };       // classes that are worked on together; most classes
enum { ONE = 1 << 14 };                  // a probability of one
enum { ROW_LIMIT = 24000 };              // 5.9 nats; a step of 2^13 more does not overflow
enum { LOGIT_LIMIT = 16000 };            // nor does a row, at four times its weight
enum { DEEPEST = 5631 };                 // exp(-11) is less than can be said

// The upper half of a product: what vector units have for 16 bits.
DEVICE i16 upper(i16 a, i16 b) { return (i16)((i32)a * (i32)b >> 16); }

DEVICE i32 clamped(i32 x, i32 limit) {
  COUNT(CLAMPED, 1), COUNT(NOT_ABOVE, x <= limit), COUNT(UNDER, x < -limit);
  return x > limit ? limit : x < -limit ? -limit : x;
}

// exp(-x / 2^9) in units of 2^-15, in place, for 0 <= x <= DEEPEST: a cubic for the part of an octave.
DEVICE void exp_down(i16 *x, i32 width) {
  i16 octaves[WIDEST], y[WIDEST];
  for (i32 i = 0; i < width; i++) x[i] = (i16)(x[i] << 2);
  for (i32 i = 0; i < width; i++) octaves[i] = upper(x[i], 23637);        // 2^-9 of one
  for (i32 i = 0; i < width; i++) x[i] = (i16)((octaves[i] & 511) << 6);  // 2^-15
  for (i32 i = 0; i < width; i++) y[i] = upper(x[i], 2593);
  for (i32 i = 0; i < width; i++) y[i] = (i16)(15150 - (y[i] << 1));
  for (i32 i = 0; i < width; i++) y[i] = upper(x[i], y[i]);
  for (i32 i = 0; i < width; i++) y[i] = (i16)(22662 - y[i]);
  for (i32 i = 0; i < width; i++) y[i] = upper(x[i], y[i]);
  for (i32 i = 0; i < width; i++) {
    i16 cubic = (i16)(32767 - (y[i] << 1)), whole = (i16)(octaves[i] >> 9);
    COUNT(HALVED, POPCOUNT(whole & 15));
    cubic = whole & 8 ? (i16)(cubic >> 8) : cubic;                        // shifts that vectors have
    cubic = whole & 4 ? (i16)(cubic >> 4) : cubic;
    cubic = whole & 2 ? (i16)(cubic >> 2) : cubic;
    x[i] = whole & 1 ? (i16)(cubic >> 1) : cubic;
  }
}

// log2(x) in units of 2^-16, x > 0: a quartic for the part of an octave, off by at most 2^-12.
DEVICE u32 log2_of(u32 x) {
  COUNT(LOG2, 1);
  u32 octave = 31 - LEADING(x), f = (u32)(((u64)x << (31 - octave)) & 0x7FFFFFFF) >> 15;
  u32 y = 20775 - (u32)((u64)f * 5263 >> 16);
  y = 44222 - (u32)((u64)f * y >> 16);
  y = 94246 - (u32)((u64)f * y >> 16);
  return (octave << 16) + (u32)((u64)f * y >> 16);
}

// 2^-(x / 2^16) in units of 2^-16, for x < 16 octaves: the cubic of exp_down, finer.
DEVICE u32 exp2_down(u32 x) {
  COUNT(EXP2, 1);
  u32 f = x & 0xFFFF;
  u32 y = 15149 - (f * 2593 >> 16);
  y = 45325 - (u32)((u64)f * y >> 16);
  return (65536 - (u32)((u64)f * y >> 16)) >> (x >> 16);
}

// 2^(x / 16), off by at most a 2^-13th of it and then rounded down: what a byte of a genome says where it
// spans octaves.
DEVICE u32 growth(u32 x) {
  COUNT(GROWTH, 1), COUNT(PARTLY, (x & 15) != 0);
  u32 up = exp2_down((16 - (x & 15)) << 12);        // 2^15 .. 2^16, but 2^15 for 0
  return x & 15 ? up << 1 >> (16 - (x >> 4)) : 1u << (x >> 4);
}

DEVICE i16 bounded(i32 z) { return (i16)clamped(z, LOGIT_LIMIT); }

DEVICE void add_row(i16 *RESTRICT z, const i16 *RESTRICT row, i32 width, i16 gain) {
  for (i32 i = 0; i < width; i++) {
    i16 now = (i16)(z[i] + upper(row[i], gain));
    now = now > LOGIT_LIMIT ? (i16)LOGIT_LIMIT : now;
    z[i] = now < -LOGIT_LIMIT ? (i16)-LOGIT_LIMIT : now;
  }
}

// One row and then another, in one pass.
DEVICE void add_rows(i16 *RESTRICT z, const i16 *RESTRICT row, i16 gain, const i16 *RESTRICT next, i16 its,
                     i32 width) {
  for (i32 i = 0; i < width; i++) {
    i16 now = (i16)(z[i] + upper(row[i], gain));
    now = now > LOGIT_LIMIT ? (i16)LOGIT_LIMIT : now;
    now = now < -LOGIT_LIMIT ? (i16)-LOGIT_LIMIT : now;
    now = (i16)(now + upper(next[i], its));
    now = now > LOGIT_LIMIT ? (i16)LOGIT_LIMIT : now;
    z[i] = now < -LOGIT_LIMIT ? (i16)-LOGIT_LIMIT : now;
  }
}

// Probabilities p [width] of logits z. Returns the largest logit; total: sum of exp(z - largest), 2^-15.
DEVICE i32 softmax(const i16 *RESTRICT z, i32 width, i16 *RESTRICT p, u32 *total) {
  i16 top = -32768;
  COUNT(SOFTMAX, 1), COUNT(CLASS, width);
  for (i32 i = 0; i < width; i++) top = z[i] > top ? z[i] : top;
  for (i32 i = 0; i < width; i++) {
    i16 down = (i16)(top - z[i]);
    p[i] = down < 0 || down > DEEPEST ? (i16)DEEPEST : down;
  }
  exp_down(p, width);
  u32 sum = 0;
  for (i32 i = 0; i < width; i++) sum += (u32)p[i];
  u32 inverse = 0x3FFFFFFFu / sum;
  i16 share = (i16)(inverse < 32767 ? inverse : 32767);
  for (i32 i = 0; i < width; i++) p[i] = upper(p[i], share);
  *total = sum;
  return top;
}

// How far a row goes: step, 2^-14, and the greatest nudge that rounds it at random, 2^17 / step.
struct Pace {
  i16 step, fine;
};

DEVICE Pace pace_of(u32 step) {
  COUNT(NOT_SLOW, step >= 5);
  step = step < 5 ? 5 : step > 32000 ? 32000 : step;
  Pace pace = {(i16)step, (i16)(131071 / step)};
  return pace;
}

// The row one step along the gradient, rounded at random: `random` [width] is uniform over 15 bits.
// Returns sum row * error before, in units of 2^-26 nats.
DEVICE i32 learn_row(i16 *RESTRICT row, const i16 *RESTRICT error, const i16 *RESTRICT random, i32 width,
                     Pace pace) {
  i16 fine = pace.fine, by = pace.step, x[WIDEST];
  i32 dot = 0;
  for (i32 i = 0; i < width; i++) dot += (i32)row[i] * (i32)error[i];
  for (i32 i = 0; i < width; i++) x[i] = upper(random[i], fine);
  for (i32 i = 0; i < width; i++) x[i] = (i16)(x[i] + error[i]);
  for (i32 i = 0; i < width; i++) x[i] = upper(x[i], by);
  for (i32 i = 0; i < width; i++) {
    i16 now = (i16)(row[i] + x[i]);
    now = now > ROW_LIMIT ? (i16)ROW_LIMIT : now;
    row[i] = now < -ROW_LIMIT ? (i16)-ROW_LIMIT : now;
  }
  return dot;
}
