// Slots of contexts: eight to a line, each with a tag. A slot is empty, or a run (one class alone has
// followed so far, so often), or has a row of weights.

enum { PROBES = 8 };
enum { NONE = 0xFFFFFFFFu };

// tag 24 bits | visits 8 | has a row 1 | row or class 31
#define TAGS (~0ull << 40)
#define ROW (1ull << 31)

DEVICE u32 visits_of(u64 slot) { return (u32)(slot >> 32) & 255; }
DEVICE u32 payload_of(u64 slot) { return (u32)slot & 0x7FFFFFFF; }

struct Table {
  u64 *slots;
  i16 *rows;
  u32 bits, capacity;
};

DEVICE u32 line_of(const Table &t, u64 hash) {
  return (u32)(hash >> (64 - t.bits)) & ~(u32)(PROBES - 1);
}
DEVICE u64 tag_of(u64 hash) {
  u64 tag = hash << 40;
  return tag ? tag : 1ull << 40;
}

DEVICE u32 find(const Table &t, u64 hash) {
  u32 line = line_of(t, hash);
  u64 tag = tag_of(hash);
  COUNT(SEARCHED, 1);
  for (u32 i = line; i < line + PROBES; i++) {
    COUNT(PROBED, 1), COUNT(ANOTHER, (t.slots[i] & TAGS) != tag);
    if ((t.slots[i] & TAGS) == tag) return i;
    if (!t.slots[i]) return NONE;
  }
  COUNT(IN_VAIN, 1);
  return NONE;
}

// Finds a slot or takes one: an empty one, or else that of the line's shortest run; NONE: all have rows.
DEVICE u32 claim(const Table &t, u64 hash) {
  u32 line = line_of(t, hash);
  u64 tag = tag_of(hash);
  u64 *slots = t.slots + line;
  u32 known = 0, empty = 0;
  COUNT(CLAIM_MADE, 1);
#ifdef __AVX512F__
  typedef long long v8q __attribute__((vector_size(64)));
  v8q all = *(const v8q *)slots, wanted = v8q{} + (long long)tag;
  known = (u8)__builtin_ia32_cmpq512_mask(all & (long long)TAGS, wanted, 0, 255);
  empty = (u8)__builtin_ia32_cmpq512_mask(all, v8q{}, 0, 255);
#else
  for (u32 i = 0; i < PROBES; i++) {
    u64 slot = slots[i];
    known |= (u32)((slot & TAGS) == tag) << i;
    empty |= (u32)(slot == 0) << i;
  }
#endif
  u32 either = known ? known : empty;
  if (__builtin_expect(either != 0, 1)) {
    u32 i = (u32)LOWEST(either);
    COUNT(KEPT, 1), COUNT(KNOWN, known != 0);
    slots[i] = known ? slots[i] : tag;
    return line + i;
  }
  u32 least = 256, found = NONE;
  COUNT(FULL, 1);
  for (u32 i = 0; i < PROBES; i++) {
    u32 visits = visits_of(slots[i]);
    COUNT(RIVAL_RUN, !(slots[i] & ROW) && visits);
    COUNT(SHORTER, !(slots[i] & ROW) && visits && visits < least);
    if (!(slots[i] & ROW) && visits && visits < least) least = visits, found = line + i;
  }
  COUNT(EVICTED, found != NONE);
  if (found != NONE) t.slots[found] = tag;
  return found;
}
