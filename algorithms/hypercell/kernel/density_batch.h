// A batch of the density biology: a table as it is lived by, 64 configurations drawn, run and judged. What
// it means stands in density.h, which has the sizes.

DEVICE u32 bit_of(const u32 *table, u32 at) { return table[at >> 5] >> (at & 31) & 1; }

DEVICE u32 image_of(u32 at, u32 fold) {
  u32 image = at;
  COUNT(IMAGE, 1), COUNT(MIRRORED, fold >> 1 & 1), COUNT(SWAPPED, fold & 1);
  if (fold & MIRROR) {
    image = 0;
    for (i32 i = 0; i < INPUTS; i++) image |= (at >> i & 1) << (INPUTS - 1 - i);
  }
  return fold & SWAP ? ~image & ((1u << INPUTS) - 1) : image;
}

// The table as it is lived by.
DEVICE void unfold(const u32 *genes, u32 fold, u32 *table) {
  for (i32 w = 0; w < TABLE_SIZE; w++) table[w] = 0;
  LONG
  for (u32 at = 0; at < 1u << INPUTS; at++) {
    u32 image = image_of(at, fold), own = image < at ? image : at;
    COUNT(ENTRY, 1), COUNT(COPIED, image < at);
    u32 output = bit_of(genes, own) ^ (image < at && fold & SWAP);
    table[at >> 5] |= output << (at & 31);
  }
  COUNT(UNFOLDED, 1);
  table[0] &= ~1u;                                     // an answer has to stay
  table[TABLE_SIZE - 1] |= 1u << ((1u << INPUTS) - 1 & 31);
}

// 64 configurations, from fair coins to cells that are ones with probability 1/2 + spread / 128, evenly;
// every second one has as many zeros.
DEVICE void draw_cells(const Here &here, u32 spread, u64 *row) {
  u64 digits[7] = {};                                  // of the chance of a one, in 1/128, by lane
  LONG
  for (u32 lane = 0; lane < BATCH; lane++) {
    u64 chance = 64 + spread * (lane / 2) / (BATCH / 2 - 1);
    for (i32 digit = 0; digit < 7; digit++) digits[digit] |= (chance >> digit & 1) << lane;
  }
  COUNT(DRAWN, 1), COUNT(COIN, WIDTH * (spread ? 7 : 1));
  COUNT(TOSS, (WIDTH * (spread ? 7 : 1) + 1) / 2);
  u32 used = 0, tick = here.tick;
  bool common = here.space->params[P_COINS] != 0;
  Dice block;
  LONG
  for (i32 i = 0; i < WIDTH; i++) {
    u64 cells = 0;
    for (i32 digit = spread ? 0 : 6; digit < 7; digit++) {
      if (!(used & 1))
        block = common ? dice(*here.space, tick, 0, used >> 1, COINS_STREAM) : roll(here, used >> 1);
      u64 coin = (u64)block.word[2 * (used & 1) + 1] << 32 | block.word[2 * (used & 1)];
      cells = (cells & coin) | (digits[digit] & (cells ^ coin));
      used++;
    }
    row[RADIUS + i] = cells ^ 0xAAAAAAAAAAAAAAAAull;
  }
}

// A batch: points for every cell that ends as most cells began, as many again for a whole configuration. Of
// a table that does not treat ones as it does zeros, of those that began with more ones and of those with
// more zeros the ones that went worse are counted twice, so that always saying the same is worth nothing.
DEVICE u32 judge(const Here &here, const Ready &rule, u32 spread, bool alike, u32 &hits) {
  u64 row[ROW], other[ROW];
  draw_cells(here, spread, row);
  LONG
  for (i32 i = WIDTH + RADIUS; i < ROW; i++) row[i] = 0;
  u64 ones = majority_of(row);
  const i64 *params = here.space->params;
  run_while_it_helps(rule, row, other, (i32)params[P_STEPS], (i32)params[P_BRIEF]);
  u64 solved = (ones & uniform_at(row, 0)) | (~ones & uniform_at(row, ~0ull));
  hits = (u32)POPCOUNT(solved);
  u32 worst = ALL_POINTS / 2, sum = 0;
  COUNT(JUDGED, 1), COUNT(PARTIAL, !alike);
  for (i32 side = 0; side < 2; side++) {
    u64 lanes = side ? ones : ~ones;
    u32 many = (u32)POPCOUNT(lanes), right = (u32)POPCOUNT(solved & lanes) * WIDTH;
    LONG
    for (i32 i = 0; i < WIDTH; i++) right += (u32)POPCOUNT(~(row[RADIUS + i] ^ ones) & lanes);
    sum += right;
    COUNT(SIDE, many != 0), COUNT(WORSE, many && right * (BATCH / 2) / many < worst);
    if (many && right * (BATCH / 2) / many < worst) worst = right * (BATCH / 2) / many;
  }
  return alike ? sum : 2 * worst;
}
