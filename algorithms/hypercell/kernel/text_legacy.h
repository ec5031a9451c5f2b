// What a child may buy of what its parent has learned: what holds of kinds of contexts. Of each model whose
// gene listens to what its parent's at the same place does: gains and weights of runs by visits, a word for
// both, as fine as `forward` reads them. And where matches go by as many bytes: one weight for each match and
// length, the mean over the classes that it has met. Rows are not for sale: they are megabytes, at places
// that the parent's table gave them, and who had them would be judged by what its parent has read.
//
// The parent pays by the word, as in every biology, and is brought up again at its next tick (`hold`): at the
// usual price at most 52 of the 2^20 that the best are worth. That is little, as it should be: some thirty
// lines are touched once, where a life touches millions. What a child gains is not charged: it is judged by a
// cost that one without a parent does not reach. The predictor that is exported has no parent.
//
// carry: which (bit k: of the gene at place k; bit MODELS: matches), then BUCKETS words for each of them.

enum { LISTENS = (2 << ON_BIT) - 1 };    // bits of a gene: all but its rate
enum { GAIN_BITS = 11, WEIGHT_BITS = 9 };  // what is finer is not sold

// The mean of a match's weights at one length, 2^-9 nats.
DEVICE i32 mean_of(const i32 *weight, i32 width) {
  i32 sum = 0, met = 0;
  for (i32 i = 0; i < width; i++) {
    i32 one = weight[i];
    sum += one >> WEIGHT_BITS, met += one != 0;
  }
  COUNT(WEIGHED, width), COUNT(MET_ANY, met != 0);
  return met ? sum / met : 0;
}

DEVICE u32 pack(Here &here, const u32 *genome, u32 *carry, u32 wanted) {
  const Learned &w = ((const Mind *)here.arena)->learned;
  i32 width = (i32)here.space->params[P_WIDTH];
  u32 parts = 0, words = 1, model = 0;
  if (!INHERIT) return 0;
  COUNT(SALE, 1);
  for (i32 k = 0; k < MODELS; k++) {
    u32 gene = here.genome[k];
    if (!(gene >> ON_BIT & 1)) continue;
    u32 j = model++;
    COUNT(WARE, 1);
    if ((gene ^ genome[k]) & LISTENS) continue;
    COUNT(WANTED, 1);
    if (words + BUCKETS > wanted) continue;
    COUNT(SOLD, 1);
    for (i32 b = 0; b < BUCKETS; b++)
      carry[words + b] = (u32)(w.gain[j][b] >> GAIN_BITS) | (u32)(w.run[j][b] >> WEIGHT_BITS) << 16;
    parts |= 1u << k, words += BUCKETS;
  }
  bool alike = !((here.genome[HABITS] ^ genome[HABITS]) & 255);
  COUNT(ALIKE, alike);
  if (alike && words + BUCKETS <= wanted) {
    COUNT(MATCHES_SOLD, 1);
    for (i32 b = 0; b < BUCKETS; b++) {
      i32 first = mean_of(w.match[0][b], width), second = mean_of(w.match[1][b], width);
      carry[words + b] = ((u32)first & 0xFFFF) | (u32)second << 16;
    }
    parts |= 1u << MODELS, words += BUCKETS;
  }
  carry[0] = parts;
  return parts ? words : 0;
}

// A migrant settles. What it has bought goes where its models are, and LOST says until it begins, at once,
// which of them.
DEVICE void arrive(Here &here, const u32 *carry, u32 carried) {
  COUNT(ARRIVED, 1);
  for (i32 i = 0; i < PARENT; i++) here.state[i] = 0;
  if (!INHERIT || !carried) return;
  Learned &w = ((Mind *)here.arena)->learned;
  u32 parts = carry[0], has = 0, model = 0;
  const u32 *from = carry + 1;
  COUNT(LEGACY, 1);
  for (i32 k = 0; k < MODELS; k++) {
    if (!(here.genome[k] >> ON_BIT & 1)) continue;
    u32 j = model++;
    COUNT(OWN_GENE, 1);
    if (!(parts >> k & 1)) continue;
    COUNT(BOUGHT, 1);
    for (i32 b = 0; b < BUCKETS; b++) {
      u32 word = from[b];
      w.gain[j][b] = (i32)((word & 0xFFFF) << GAIN_BITS);
      w.run[j][b] = ((i32)word >> 16) * (1 << WEIGHT_BITS);
    }
    has |= 1u << j, from += BUCKETS;
  }
  if (parts >> MODELS & 1) {
    COUNT(MATCHES_BOUGHT, 1);
    for (i32 b = 0; b < BUCKETS; b++) {
      i32 word = (i32)from[b];
      i32 first = (i16)word * (1 << WEIGHT_BITS), second = (word >> 16) * (1 << WEIGHT_BITS);
      for (i32 i = 0; i < WIDEST; i++) w.match[0][b][i] = first, w.match[1][b][i] = second;
    }
    has |= 1u << MODELS;
  }
  here.state[LOST] = has;
}

// What one that begins has bought, as `arrive` noted it.
DEVICE u32 bought(Here &here) {
  if (!INHERIT) return 0;
  u32 has = here.state[LOST];
  COUNT(ASKS_WHAT, 1);
  here.state[LOST] = 0;
  return has;
}
