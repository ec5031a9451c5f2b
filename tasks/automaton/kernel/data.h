// States [WIDTH, words] by rules as data, word by word: what ring.h does, between arrays.

// Words first ... last - 1. row: [2 * ROW], to work in.
extern "C" void run_states(const u32 *table, const u64 *from, u64 *to, u64 words, u64 first, u64 last,
                           i32 steps, u64 *row) {
  Ready rule = ready(table);
  for (u64 at = first; at < last; at++) {
    for (u64 i = 0; i < WIDTH; i++) row[RADIUS + i] = from[i * words + at];
    run_ring(rule, row, row + ROW, steps);
    for (u64 i = 0; i < WIDTH; i++) to[i * words + at] = row[RADIUS + i];
  }
}

// Into solved [rules, words], rule i's table being tables + i * TABLE_WORDS, for items first ... last - 1 of them in the order of memory.
extern "C" void solve_states(const u32 *tables, const u64 *from, u64 *solved, u64 words, u64 first,
                             u64 last, i32 steps, u64 *row) {
  for (u64 item = first; item < last; item++) {
    Ready rule = ready(tables + item / words * TABLE_WORDS);
    for (u64 i = 0; i < WIDTH; i++) row[RADIUS + i] = from[i * words + item % words];
    solved[item] = solved_by(rule, row, row + ROW, steps);
  }
}

extern "C" u64 row_bytes() { return 2 * ROW * sizeof(u64); }
