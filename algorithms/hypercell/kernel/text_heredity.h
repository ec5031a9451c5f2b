// What a child has of its parents, and what is new.

// One gene of one model, or one byte for the whole.
DEVICE void alter(u32 *genome, u32 what, u32 r) {
  u32 j = r % MODELS, k = (r >> 8) % MODELS, bit = r >> 16 & 7, near = r >> 19 & 7;
  bit = bit < near ? bit : near;                     // the nearer bytes rather
  i32 step = (r >> 22 & 1 ? 1 : -1) * (i32)(1 + (r >> 23 & 15));
  COUNT(ALTERED, 1);
  switch (what & 15) {
    case 0: case 1: COUNT(BIT, 1); genome[j] ^= 1u << bit; break;
    case 2: {                                        // one byte more, or less, of what lies in between
      u32 mask = genome[j] & 255;
      COUNT(STRETCH, 1), COUNT(WIDER, r >> 16 & 1);
      mask = r >> 16 & 1 ? (mask << 1 | 1) & 255 : mask >> 1;
      genome[j] = (genome[j] & ~255u) | mask;
      break;
    }
    case 3: COUNT(FLAG, 1); genome[j] ^= 1u << (WORD_BITS + (r >> 16 & 1)); break;
    case 4: COUNT(FLAG, 1); genome[j] ^= 1u << (COLUMN_BIT + (r >> 16 & 1)); break;
    case 5: COUNT(SWITCHED, 1); genome[j] ^= 1u << FOLD_BIT; break;
    case 6: case 7: COUNT(SWITCHED, 1); genome[j] ^= 1u << ON_BIT; break;
    case 8: COUNT(BIT, 1); genome[j] = genome[k] ^ 1u << bit; break;
    case 9: {
      i32 rate = (i32)(genome[j] >> RATE_BITS & 15) + (step > 0 ? 1 : -1);
      COUNT(RATE, 1), COUNT(NOT_BELOW, rate >= 0);
      genome[j] = (genome[j] & ~(15u << RATE_BITS)) | (u32)(rate < 0 ? 0 : rate > 15 ? 15 : rate) << RATE_BITS;
      break;
    }
    case 10: {
      u32 at = 4 * (r >> 16 & 1), least = genome[HABITS] >> at & 15;
      COUNT(HABIT, 1);
      least = r >> 17 & 1 ? least + 1 : least - 1;
      genome[HABITS] = (genome[HABITS] & ~(15u << at)) | (least & 15) << at;
      break;
    }
    default: {
      u32 &word = genome[RATES + (r >> 16 & 1)], at = 8 * (r >> 17 & 3);
      i32 byte = (i32)(word >> at & 255) + step;
      COUNT(RATE_BYTE, 1), COUNT(NOT_BELOW, byte >= 0);
      word = (word & ~(255u << at)) | (u32)(byte < 0 ? 0 : byte > 255 ? 255 : byte) << at;
    }
  }
}

// rate: ANEW where nothing is inherited. Otherwise how many genes change does not evolve.
DEVICE void conceive(Here &here, u32 *genome, u32 *state, u32 rate) {
  const Mind &mind = *(const Mind *)here.arena;
  Dice d = roll(here, 0);
  COUNT(CHILD, 1), COUNT(OWN_CHILD, rate != ANEW), COUNT(STRANGER, rate == ANEW);
  for (i32 m = 0; m < MARKS; m++) state[PARENT + m] = rate == ANEW ? 0 : here.state[MARK + m];
  for (i32 i = 0; i < PARENT; i++) state[i] = 0;
  if (rate == ANEW) {
    for (i32 w = 0; w < GENES_OF_TEXT; w++) genome[w] = roll(here, 4 + (u32)w / 4).word[w & 3];
    return;
  }
  COUNT(COURTED, mind.mated != 0);
  if (mind.mated && (d.word[0] & 255) < (u32)here.space->params[P_CROSS])
    for (i32 w = 0; w < GENES_OF_TEXT; w++) {
      COUNT(EITHERS, 1), COUNT(TAKEN, d.word[1] >> w & 1);
      if (d.word[1] >> w & 1) genome[w] = mind.mate[w];
    }
  u32 more = d.word[2];
  for (u32 change = 0; change < 4; change++) {
    Dice e = roll(here, 8 + change);
    alter(genome, e.word[0], e.word[1]);
    if ((more >> 8 * change & 255) >= (u32)here.space->params[P_CHANGE]) break;
  }
}
