// What a reader knows of its segment, and what genes make of it: the contexts of a position.

enum { WINDOW = 1024, CHAINS = 4096, WORDS = 3 };  // WINDOW: bytes that a match can look back over

struct Reader {
  u64 history[2];                        // the last eight bytes, the newest lowest; with small letters only
  u32 word[WORDS];                       // hashes of this word's beginning and of the words before it
  u32 column, position, line, above;     // line: where this one begins; above: where the one before it does
  u32 found[MATCHES], length[MATCHES];
  u8 past[WINDOW];
  u16 last[MATCHES][CHAINS];
};

DEVICE u64 mixed(u64 x) {
  x *= 0xD6E8FEB86659FD93ull;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93ull;
  return x ^ x >> 29;
}

DEVICE void forget(Reader &r) {
  COUNT(FORGOT, 1);
  r.position = r.line = r.above = 0;
  for (i32 m = 0; m < MATCHES; m++) {
    r.found[m] = r.length[m] = 0;
    for (i32 i = 0; i < CHAINS; i++) r.last[m][i] = 0;
  }
}

DEVICE void begin_segment(Reader &r) {
  r.history[0] = r.history[1] = 0;
  r.word[0] = r.word[1] = r.word[2] = 0;
  r.column = 255;
  forget(r);
}

// least: bytes that each match goes by, at the least.
DEVICE void follow(Reader &r, const u32 *least, u8 byte) {
  u8 small = (u8)(byte - 'A') < 26 ? byte | 32 : byte;
  COUNT(FOLLOWED, 1), COUNT(CAPITAL, small != byte), COUNT(OTHER, (u8)(small - 'a') >= 26);
  COUNT(OF_WORD, (u8)(small - 'a') < 26 || byte >= 128), COUNT(INDENTED, r.column < 254);
  r.history[0] = r.history[0] << 8 | byte;
  r.history[1] = r.history[1] << 8 | small;
  if ((u8)(small - 'a') < 26 || byte >= 128) {
    r.word[0] = (r.word[0] + small + 1) * 0x2C9277B5u;
    r.word[0] ^= r.word[0] >> 15;
  } else if (r.word[0]) {
    r.word[2] = r.word[1], r.word[1] = r.word[0], r.word[0] = 0;
  }
  if (r.position == WINDOW) forget(r);
  r.past[r.position++] = byte;
  r.column = r.column < 254 ? r.column + 1 : r.column;
  if (byte == '\n') r.column = 0, r.above = r.line, r.line = r.position;
  for (i32 m = 0; m < MATCHES; m++) {
    COUNT(MATCHING, least[m] != 0);
    if (!least[m] || r.position < least[m]) continue;
    COUNT(CHAINED, 1), COUNT(CONTINUED, r.length[m] != 0);
    if (r.length[m] && r.past[r.found[m]] == byte) {
      r.length[m]++, r.found[m]++;
      COUNT(LONGER, 1);
    } else {
      r.length[m] = 0;
    }
    u32 chain = (u32)(mixed(r.history[0] << (64 - 8 * least[m])) >> 52);
    if (!r.length[m]) {
      u32 at = r.last[m][chain], same = 0;
      while (same < at && same < 32 && r.past[at - 1 - same] == r.past[r.position - 1 - same]) same++;
      COUNT(SOUGHT, 1), COUNT(SAME, same), COUNT(NOT_ALL, same < at), COUNT(DIFFERS, same < at && same < 32);
      if (same >= least[m]) r.length[m] = same, r.found[m] = at;
    }
    r.last[m][chain] = (u16)r.position;
  }
}

// A position's contexts, and what its matches expect.
struct Look {
  u64 hash[MODELS];
  u32 slot[MODELS];
  u32 expected[MATCHES], length[MATCHES];
};

DEVICE void look_at(const Reader &r, const Traits &t, const u8 *class_of, Look &look) {
  u64 words[4], place[4];
  words[0] = 0, words[1] = (r.word[0] + 1) * 0x632BE59BD9B4E019ull;
  words[2] = words[1] + r.word[1] * 0x9E3779B97F4A7C15ull;
  words[3] = words[2] + r.word[2] * 0xC2B2AE3D27D4EB4Full;
  u32 at = r.above + (r.position - r.line);
  u64 column = (r.column + 1) * 0xA24BAED4963EE407ull;
  u64 above = (at < r.line ? r.past[at] + 1 : 0) * 0x8CB92BA72F3D8DD7ull;
  place[0] = 0, place[1] = column, place[2] = above, place[3] = column + above;
  COUNT(POSITION, 1), COUNT(UNDER_ONE, at < r.line);
  for (i32 j = 0; j < t.models; j++) {
    u32 gene = t.gene[j];
    look.hash[j] = mixed((r.history[gene >> FOLD_BIT & 1] & t.mask[j]) + words[gene >> WORD_BITS & 3] +
                         place[gene >> COLUMN_BIT & 3] + (u64)(j + 1) * 0x589965CC75374CC3ull);
  }
  for (i32 m = 0; m < MATCHES; m++) {
    COUNT(EXPECTED, r.length[m] != 0);
    look.length[m] = r.length[m] < BUCKETS - 1 ? r.length[m] : BUCKETS - 1;
    look.expected[m] = r.length[m] ? class_of[r.past[r.found[m]]] : 0;
  }
}
