// What a text organism's genome says. MODELS words, one for each model:
//
//   bits 0-7    which of the last eight bytes it listens to
//   bits 8-9    words: none, the beginning of this one, with the one before it, with two before it
//   bit 10      the column;  bit 11  the byte above;  bit 12  capitals are read as small letters
//   bit 13      the gene is expressed
//   bits 16-19  its rate, in quarters of an octave, 8 for that of the whole
//
// and three for the whole, of bytes, where an octave has 16 steps and 0 stands for the unit named:
//
//   RATES     rate of rows, 2^-15;  decay of it by visits, exponent in 1/256;  its floor, 2^-16;  where all
//             rates end, 1/256
//   TRUST     rate of gains, 2^-16;  of runs, 2^-16;  of matches, 2^-15;  first gain, 2^-12
//   HABITS    fewest bytes a match goes by, long and short (4 bits each, 0: none); visits before a row (3
//             bits, + 1); laziness (3 bits): what was foreseen with 1 - 2^-it or more changes no row, 0: all
//             bytes do

enum { MODELS = 12, MATCHES = 2, BUCKETS = 16 };
enum { RATES = MODELS, TRUST, HABITS, GENES_OF_TEXT };
enum { WORD_BITS = 8, COLUMN_BIT = 10, ABOVE_BIT, FOLD_BIT, ON_BIT, RATE_BITS = 16 };
enum { LONGEST = 8 };                    // bytes of a context, of a match

struct Traits {
  i32 models, runs;
  u32 gene[MODELS], least[MATCHES];
  u64 mask[MODELS];                      // of the last eight bytes
  u32 step[MODELS];                      // of rows, 2^-15
  u32 rate[BUCKETS];                     // of steps, by visits before, 2^-16
  u8 bucket[256];                        // of visits
  i32 rate_of_gains, rate_of_runs, rate_of_matches;  // 2^-16
  u32 end;                               // 2^-16
  i32 gain;                              // 2^-24
  i32 sure;                              // from which probability on no row is changed, 2^-14
};

DEVICE u64 bytes_of(u32 gene) {
  u64 mask = 0;
  for (i32 i = 0; i < 8; i++) mask |= (gene >> i & 1) * (255ull << 8 * i);
  return mask;
}

DEVICE u32 byte_of(u32 word, i32 which) { return word >> 8 * which & 255; }

DEVICE void express(const u32 *genome, Traits &t) {
  u32 rates = genome[RATES], trust = genome[TRUST], habits = genome[HABITS];
  t.models = 0;
  COUNT(EXPRESSION, 1);
  for (i32 j = 0; j < MODELS; j++) {
    u32 gene = genome[j];
    if (!(gene >> ON_BIT & 1)) continue;
    i32 octaves = (i32)byte_of(rates, 0) + 4 * ((i32)(gene >> RATE_BITS & 15) - 8);
    COUNT(GENE, 1), COUNT(NOT_LOW, octaves >= 0);
    u32 step = growth((u32)(octaves < 0 ? 0 : octaves > 239 ? 239 : octaves));
    t.gene[t.models] = gene, t.mask[t.models] = bytes_of(gene), t.step[t.models++] = step;
  }
  u32 decay = byte_of(rates, 1), lowest = growth(byte_of(rates, 2));
  for (u32 visits = 0; visits < 256; visits++) {
    u32 bucket = visits < 2 ? 0 : log2_of(visits) >> 15;           // two to an octave
    bucket = bucket < BUCKETS ? bucket : BUCKETS - 1;
    t.bucket[visits] = (u8)bucket;
    u32 down = (u32)((u64)log2_of(1 + visits) * decay >> 8), rate = exp2_down(down);
    t.rate[bucket] = rate > lowest ? rate : lowest;                // of the most visits in it
  }
  t.end = byte_of(rates, 3) << 8;
  t.rate_of_gains = (i32)growth(byte_of(trust, 0)), t.rate_of_runs = (i32)growth(byte_of(trust, 1));
  t.rate_of_matches = 2 * (i32)growth(byte_of(trust, 2));
  u32 gain = growth(byte_of(trust, 3));
  t.gain = (i32)(gain < 16383 ? gain : 16383) << 12;
  for (i32 m = 0; m < MATCHES; m++) {
    u32 least = habits >> 4 * m & 15;
    t.least[m] = least < LONGEST ? least : LONGEST;
  }
  t.runs = 1 + (i32)(habits >> 8 & 7);
  COUNT(LAZY, (habits >> 11 & 7) != 0);
  t.sure = habits >> 11 & 7 ? ONE - (ONE >> (habits >> 11 & 7)) : ONE + 1;
}
