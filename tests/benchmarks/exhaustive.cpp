// All masks from the lightest up, each against the first rows and, where those agree, against more.
//
// Rows are kept as columns: bit i of a word is set where row i is negative. A mask is three parts: its
// high inputs one by one (nested XOR), then input c, then a pair a < b < c from a table in which all
// pairs below c stand next to each other, so that the innermost loop is one XOR per mask in full vectors.
// Every weight is tried for a mask without a mistake first (the first 16 rows, 32 masks in a vector),
// then for one with few (64 rows, 8 masks in a vector).

typedef signed char i8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
typedef i8 v8b __attribute__((vector_size(8)));
typedef i64 v8 __attribute__((vector_size(64)));
typedef u16 v32h __attribute__((vector_size(64)));

enum { HEAVIEST = 62, EXACT = -1 };
static const i64 SIGN = (i64)(1ull << 63);

struct State {
  i64 rows, n, enough, check;         // enough: errors in all rows that prove a mask; check: rows
  i64 most, slice;                    // masks to try in all, and in one call
  u64 *columns, *pairs;               // [words][stride], [n (n - 1) / 2 + 64]
  u16 *narrow;                        // the low 16 bits of the pairs
  i64 weight, sweep, tried;           // what comes next, and what has been done
  i64 packed, stride, paired, looked;
  i64 best_errors, best_weight, best[HEAVIEST + 2];
};

struct Search {
  State &s;
  const i8 *x;
  const i64 *y;
  i64 tolerance;                      // wrong ones of the first 64 rows, or EXACT
  i64 high[HEAVIEST + 2], depth;      // inputs chosen so far

  i64 rows_of(i64 word) { return s.rows - 64 * word < 64 ? s.rows - 64 * word : 64; }

  u64 *word(i64 w) {
    for (; s.packed <= w; s.packed++) pack(s.packed);
    return s.columns + w * s.stride;
  }

  void pack(i64 w) {
    u64 *out = s.columns + w * s.stride;
    const i8 *from = x + 64 * w * s.n;
    const i64 *labels = y + 64 * w;
    i64 many = rows_of(w), n = s.n;
    // Eight columns at a time, beyond the row's end too where there are further rows to read.
    bool room = (64 * w + many - 1) * n + s.stride - 8 <= s.rows * n;
    i64 j = 0;
    for (; j < (room ? n : n & ~7ll); j += 8) {
      v8 bits = {};
      for (i64 i = 0; i < many; i++) {
        v8b bytes;
        __builtin_memcpy(&bytes, from + i * n + j, 8);
        v8 wide = __builtin_convertvector(bytes, v8);
        bits = (bits >> 1 & ~SIGN) | (wide & SIGN);
      }
      for (i64 k = 0; k < 8; k++) out[j + k] = (u64)bits[k] >> (64 - many);
    }
    for (; j < n; j++) {
      out[j] = 0;
      for (i64 i = 0; i < many; i++) out[j] |= (u64)(from[i * n + j] < 0) << i;
    }
    u64 bits = 0;
    for (i64 i = 0; i < many; i++) bits = bits >> 1 | ((u64)labels[i] & 1ull << 63);
    out[n] = bits >> (64 - many);     // after the columns, which may have written here
  }

  void pair() {
    const u64 *column = word(0);
    for (i64 b = 1, i = 0; b < s.n; i += b++) {
      for (i64 a = 0; a < b; a++) s.pairs[i + a] = column[a] ^ column[b];
      for (i64 a = 0; a < b; a++) s.narrow[i + a] = (u16)(column[a] ^ column[b]);
    }
    s.paired = 1;
  }

  // A mask that the first rows do not refute: the inputs in `high`, and those given.
  bool candidate(const i64 *more, i64 count) {
    i64 inputs[HEAVIEST + 2], weight = depth + count, errors = 0;
    for (i64 i = 0; i < depth; i++) inputs[i] = high[i];
    for (i64 i = 0; i < count; i++) inputs[depth + i] = more[i];
    i64 rows = tolerance == EXACT ? s.check : s.rows, limit = tolerance == EXACT ? 0 : s.best_errors - 1;
    for (i64 from = 0; from < rows && errors <= limit; from += 64) {
      i64 many = rows - from < 64 ? rows - from : 64;
      // Few candidates are looked up in the rows as they are: that is cheaper than to turn all rows.
      if (from >= 64 * s.packed && s.looked++ < 256) {
        for (i64 row = from; row < from + many; row++) {
          i64 sign = y[row];
          for (i64 i = 0; i < weight; i++) sign ^= x[row * s.n + inputs[i]];
          errors += sign < 0;
        }
        continue;
      }
      const u64 *column = word(from / 64);
      u64 wrong = column[s.n];
      for (i64 i = 0; i < weight; i++) wrong ^= column[inputs[i]];
      errors += __builtin_popcountll(wrong << (64 - many));
    }
    if (errors > limit) return false;
    s.best_errors = errors, s.best_weight = weight;
    for (i64 i = 0; i < weight; i++) s.best[i] = inputs[i];
    return tolerance == EXACT || errors <= s.enough;
  }

  bool passes(u64 wrong) {
    return tolerance == EXACT ? !(u16)wrong : __builtin_popcountll(wrong) <= tolerance;
  }

  // The least value of `narrow ^ goal` in each lane. It may look at up to 31 pairs beyond `count`, which
  // costs a second look now and then and no more: what is found is looked at one by one.
  v32h least(u64 goal, i64 count, v32h so_far) {
    v32h goals = so_far * 0 + (u16)goal;
    for (i64 i = 0; i < count; i += 32) {
      v32h some;
      __builtin_memcpy(&some, s.narrow + i, 64);
      some ^= goals;
      so_far = some < so_far ? some : so_far;
    }
    return so_far;
  }

  u64 fewest(u64 goal, i64 count) {
    u64 least = 64;
    count = (count + 7) & ~7ll;       // up to 7 pairs too many, as above
    for (i64 i = 0; i < count; i++) {
      u64 wrong = (u64)__builtin_popcountll(s.pairs[i] ^ goal);
      least = wrong < least ? wrong : least;
    }
    return least;
  }

  static bool any_zero(v32h lanes) {
    bool found = false;
    for (i64 i = 0; i < 32; i++) found |= lanes[i] == 0;
    return found;
  }

  bool look(u64 goal, i64 count) {    // at one pair after the other
    for (i64 b = 1, i = 0; i < count; i += b++)
      for (i64 a = 0; a < b && i + a < count; a++) {
        i64 more[2] = {a, b};
        if (passes(s.pairs[i + a] ^ goal) && candidate(more, 2)) return true;
      }
    return false;
  }

  bool pairs_below(i64 c, u64 goal) {
    i64 count = c * (c - 1) / 2;
    v32h none = {};
    bool found = tolerance == EXACT ? any_zero(least(goal, count, none - 1))
                                    : (i64)fewest(goal, count) <= tolerance;
    return found && look(goal, count);
  }

  bool triples_below(i64 d, u64 goal) {
    const u64 *column = s.columns;
    if (tolerance == EXACT) {         // no mistake is no mistake: one look at the end for all c
      v32h so_far = {};
      so_far -= 1;
      for (i64 c = 2; c < d; c++) so_far = least(goal ^ column[c], c * (c - 1) / 2, so_far);
      if (!any_zero(so_far)) return false;
    }
    for (i64 c = 2; c < d; c++) {
      high[depth++] = c;
      bool found = pairs_below(c, goal ^ column[c]);
      depth--;
      if (found) return true;
    }
    return false;
  }

  bool below(i64 end, i64 left, u64 goal) {  // masks of `left` inputs below `end`
    if (left == 3) return triples_below(end, goal);
    for (i64 j = left - 1; j < end; j++) {
      high[depth++] = j;
      bool found = below(j, left - 1, goal ^ s.columns[j]);
      depth--;
      if (found) return true;
    }
    return false;
  }

  bool masks_of(i64 weight) {
    const u64 *column = word(0);
    u64 label = column[s.n];
    depth = 0;
    if (weight == 0) return passes(label) && candidate(nullptr, 0);
    if (weight == 1) {
      for (i64 j = 0; j < s.n; j++)
        if (passes(column[j] ^ label) && candidate(&j, 1)) return true;
      return false;
    }
    if (!s.paired) pair();
    return weight == 2 ? pairs_below(s.n, label) : below(s.n, weight, label);
  }
};

// Goes on until it has an answer (1), has run out of masks that it may try (2), or has tried `slice` of them
// in this call (0). The first sweep passes over masks that get more than a quarter of the first 64 rows
// wrong, the second, if it comes to that, those with more than three eighths; the third, a hundred times
// shorter, none.
extern "C" i64 search(State *at, const i8 *x, const i64 *y, i64 fresh) {
  State &s = *at;
  if (fresh) {
    s.weight = s.sweep = s.tried = s.packed = s.paired = s.looked = s.best_weight = 0;
    s.best_errors = s.rows + 1;
  }
  const i64 eighths[] = {2, 3, 8};
  i64 first = s.rows < 64 ? s.rows : 64, done = 0;
  for (; s.sweep < 3; s.sweep++, s.weight = s.tried = 0) {
    i64 most = s.sweep < 2 ? s.most : s.most / 100;
    for (;; s.weight++) {
      if (s.weight > s.n || s.weight > HEAVIEST) break;
      i64 masks = 1;                  // of this weight
      for (i64 i = 0; i < s.weight && masks <= most; i++) masks = masks * (s.n - i) / (i + 1);
      if (masks > most - s.tried) break;
      if (done && done + masks > s.slice) return 0;
      Search search = {s, x, y, EXACT, {}, 0};
      if (s.sweep == 0 && search.masks_of(s.weight)) return 1;
      search.tolerance = first * eighths[s.sweep] / 8;
      if (search.masks_of(s.weight)) return 1;
      s.tried += masks, done += masks;
    }
  }
  return 2;
}
