// States [WIDTH, words] by rules as data, word by word: what ring.h does, between arrays.

// Steps of a word of 64 configurations that were done since somebody last asked, by all threads.
static u64 done_;

extern "C" u64 take_steps() { return __atomic_exchange_n(&done_, 0, __ATOMIC_RELAXED); }

// Words first ... last - 1. row: [2 * ROW], to work in.
extern "C" void run_states(const u32 *table, const u64 *from, u64 *to, u64 words, u64 first, u64 last,
                           i32 steps, u64 *row) {
  Ready rule = ready(table);
  u64 done = 0;
  for (u64 at = first; at < last; at++) {
    for (u64 i = 0; i < WIDTH; i++) row[RADIUS + i] = from[i * words + at];
    done += (u64)run_ring(rule, row, row + ROW, steps);
    for (u64 i = 0; i < WIDTH; i++) to[i * words + at] = row[RADIUS + i];
  }
  __atomic_fetch_add(&done_, done, __ATOMIC_RELAXED);
}

// Two functions, not one that asks: with both loops in it, a compiler makes the exact one a tenth slower.
template <bool EARLY>
__attribute__((noinline)) static u64 solve(const u32 *tables, const u64 *from, u64 *solved, u64 words,
                                           u64 first, u64 last, i32 steps, i32 brief, u64 *row) {
  u64 done = 0;
  for (u64 item = first; item < last; item++) {
    Ready rule = ready(tables + item / words * TABLE_WORDS);
    for (u64 i = 0; i < WIDTH; i++) row[RADIUS + i] = from[i * words + item % words];
    solved[item] = solved_by<EARLY>(rule, row, row + ROW, steps, brief, done);
  }
  return done;
}

// Into solved [rules, words], rule i's table being tables + i * TABLE_WORDS, for items first ... last - 1 of
// them in the order of memory. brief: of run_while_it_helps; 0: all steps are run.
extern "C" void solve_states(const u32 *tables, const u64 *from, u64 *solved, u64 words, u64 first,
                             u64 last, i32 steps, i32 brief, u64 *row) {
  u64 done = brief ? solve<true>(tables, from, solved, words, first, last, steps, brief, row)
                   : solve<false>(tables, from, solved, words, first, last, steps, brief, row);
  __atomic_fetch_add(&done_, done, __ATOMIC_RELAXED);
}

extern "C" u64 row_bytes() { return 2 * ROW * sizeof(u64); }
