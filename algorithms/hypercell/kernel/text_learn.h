// One byte learned, by the delta rule: its contexts' rows, runs, gains and what matches are trusted.
//
//   z = sum over rows  gain[model][visits] * row  +  sum over runs  run[model][visits] at the run's class
//     + sum over matches  match[m][length][class] at the class that the match expects

struct Learned {                         // besides rows
  i32 gain[MODELS][BUCKETS];             // 2^-24
  i32 run[MODELS][BUCKETS];              // 2^-18 nats
  i32 match[MATCHES][BUCKETS][WIDEST];   // 2^-18 nats
  Pace pace[MODELS][BUCKETS];            // of rows, as of the last `set_pace`
};

enum { WEIGHT_LIMIT = 8 << 18, LEAST_GAIN = 1 << 18, MOST_GAIN = (1 << 26) - 1 };

// Which contexts have rows, which runs, and which nothing yet: sorted out without a branch.
struct Kinds {
  i32 rows, runs, fresh;
  u8 row[MODELS + 1], run[MODELS + 1], none[MODELS + 1];
};

DEVICE void sort_out(const u64 *value, i32 models, Kinds &is) {
  i32 rows = 0, runs = 0, fresh = 0;
  for (i32 j = 0; j < models; j++) {
    bool has_row = (value[j] & ROW) != 0, known = visits_of(value[j]) != 0;
    is.row[rows] = is.run[runs] = is.none[fresh] = (u8)j;
    rows += has_row, runs += known & !has_row, fresh += !known;
  }
  is.rows = rows, is.runs = runs, is.fresh = fresh;
}

// has: what is there already; bit j: model j, bit MODELS: the matches.
DEVICE void begin_learning(Learned &w, const Traits &t, u32 has) {
  for (i32 j = 0; j < MODELS; j++) {
    if (INHERIT && (has >> j & 1)) continue;
    COUNT(BLANK, 1);
    for (i32 b = 0; b < BUCKETS; b++) w.gain[j][b] = t.gain, w.run[j][b] = 0;
  }
  if (INHERIT && (has >> MODELS & 1)) return;
  COUNT(BLANK_MATCHES, 1);
  for (i32 i = 0; i < MATCHES * BUCKETS * WIDEST; i++) (&w.match[0][0][0])[i] = 0;
}

// The logits z [width]. value: what stands in the slots, 0 for none; base: whose rows they mean.
DEVICE void forward(const Traits &t, const Learned &w, const i16 *const *base, const u64 *value,
                    const Kinds &is, const Look &look, i32 width, i16 *z) {
  for (i32 i = 0; i < width; i++) z[i] = 0;
  for (i32 m = 0; m < MATCHES; m++) {
    u32 at = look.expected[m];
    COUNT(MATCH_USED, look.length[m] != 0);
    if (look.length[m]) z[at] = bounded(z[at] + (w.match[m][look.length[m]][at] >> 9));
  }
  for (i32 r = 0; r < is.runs; r++) {
    i32 j = is.run[r];
    u32 at = payload_of(value[j]);
    z[at] = bounded(z[at] + (w.run[j][t.bucket[visits_of(value[j])]] >> 9));
  }
  COUNT(FORWARD, 1), COUNT(RUN_USED, is.runs), COUNT(ROW_USED, is.rows), COUNT(PAIR, is.rows / 2);
  COUNT(ADDED, is.rows * width);
  const i16 *row[MODELS];
  i16 gain[MODELS];
  for (i32 r = 0; r < is.rows; r++) {
    i32 j = is.row[r];
    row[r] = base[j] + (u64)payload_of(value[j]) * width;
    gain[r] = (i16)(w.gain[j][t.bucket[visits_of(value[j])]] >> 11);
  }
  i32 r = 0;
  for (; r + 1 < is.rows; r += 2) {
    add_rows(z, row[r], gain[r], row[r + 1], gain[r + 1], width);
    APART;
  }
  if (r < is.rows) add_row(z, row[r], width, gain[r]);
}

// How far rows go from now on. scale: of all rates, 2^-16.
DEVICE void set_pace(const Traits &t, Learned &w, u32 scale) {
  COUNT(PACED, t.models * BUCKETS);
  for (i32 j = 0; j < t.models; j++)
    for (i32 b = 0; b < BUCKETS; b++) {
      u64 step = ((u64)t.step[j] * t.rate[b] >> 16) * scale >> 16;
      w.pace[j][b] = pace_of((u32)(step * (u32)(w.gain[j][b] >> 11) >> 14));
    }
}

// After class y. slots: where what was read stands, null: nowhere. scale: of all rates, 2^-16. used: rows
// that have an owner. seeds [width]: of the rounding.
DEVICE void update(const Traits &t, Learned &w, const Table &table, u32 &used, u64 *const *slots,
                   const u64 *value, const Kinds &is, const Look &look, const i16 *p, u32 y, u32 scale,
                   u16 *seeds, i32 width) {
  i16 error[WIDEST], random[WIDEST];
  bool sure = p[y] >= t.sure;
  COUNT(UPDATE, 1), COUNT(WRONG, width);
  for (i32 i = 0; i < width; i++) {
    error[i] = (i16)(((i16)i == (i16)y ? (i16)ONE : 0) - p[i]);
    seeds[i] = (u16)(seeds[i] * (u16)25173 + (u16)13849);
    random[i] = (i16)(seeds[i] >> 1);
  }
  i64 of_gains = (i64)t.rate_of_gains * scale >> 16, of_runs = (i64)t.rate_of_runs * scale >> 16;
  i64 of_matches = (i64)t.rate_of_matches * scale >> 16;
  for (i32 m = 0; m < MATCHES; m++)
    if (look.length[m]) {
      COUNT(MATCH_LEARNED, 1);
      i32 &weight = w.match[m][look.length[m]][look.expected[m]];
      weight = clamped(weight + (i32)(of_matches * error[look.expected[m]] >> 12), WEIGHT_LIMIT);
    }
  for (i32 r = 0; r < is.rows && !sure; r++) {
    i32 j = is.row[r];
    if (!slots[j]) continue;
    u32 visits = visits_of(value[j]);
    i32 bucket = t.bucket[visits], &gain = w.gain[j][bucket];
    i16 *row = table.rows + (u64)payload_of(value[j]) * width;
    i32 dot = learn_row(row, error, random, width, w.pace[j][bucket]);
    i64 now = gain + (dot * of_gains >> 18);
    COUNT(ROW_LEARNED, 1), COUNT(ROW_CLASS, width), COUNT(NOT_LEAST, now >= LEAST_GAIN);
    gain = now < LEAST_GAIN ? LEAST_GAIN : now > MOST_GAIN ? MOST_GAIN : (i32)now;
    *slots[j] = value[j] + ((u64)(visits < 255) << 32);
  }
  for (i32 r = 0; r < is.runs; r++) {
    i32 j = is.run[r];
    if (!slots[j]) continue;
    u64 slot = value[j];
    u32 visits = visits_of(slot), more = visits + (visits < 255), was = payload_of(slot);
    i32 &run = w.run[j][t.bucket[visits]];
    i32 trust = run;
    COUNT(RUN_LEARNED, 1), COUNT(AS_BEFORE, was == y), COUNT(RUN_ON, was == y && (i32)more <= t.runs);
    COUNT(BROKEN, was != y || (i32)more > t.runs);
    run = clamped(run + (i32)(of_runs * error[was] >> 12), WEIGHT_LIMIT);
    if (was == y && (i32)more <= t.runs) {
      *slots[j] = (slot & TAGS) | (u64)more << 32 | y;
    } else if (used < table.capacity) {  // the row that leaves what it says as it was
      u32 index = used++;
      i32 gain = w.gain[j][t.bucket[more]];
      COUNT(NEW_ROW, 1), COUNT(FILLED, width), COUNT(TRUSTED, gain >= 1 << 20);
      i16 step = w.pace[j][t.bucket[visits]].step, *row = table.rows + (u64)index * width;
      PREFETCH(row + 16 * width);
      for (i32 i = 0; i < width; i++) row[i] = upper(error[i], step);
      row[was] = (i16)clamped(row[was] + (trust << 7) / ((gain >> 11) < 512 ? 512 : gain >> 11), ROW_LIMIT);
      *slots[j] = (slot & TAGS) | (u64)more << 32 | ROW | index;
    } else {
      COUNT(NO_ROOM, 1);
      *slots[j] = (slot & TAGS) | 1ull << 32 | y;  // no room: it begins again
    }
  }
  for (i32 r = 0; r < is.fresh; r++) {
    i32 j = is.none[r];
    COUNT(FIRST, slots[j] != 0);
    if (slots[j]) *slots[j] = (value[j] & TAGS) | 1ull << 32 | y;
  }
}
