// What the density biology counts, as in engine_events.h. Sizes: as in density.h and ring.h. A word of
// cells has 64 bits, so an operation on it counts as two; a vector has eight words, and a ring as many
// vectors as hold its cells. A batch is on the stack: only organisms and messages are arrays. Of `a = b = 0`, b is read
// again, as the language has it. The stretch of chances over lanes divides by a constant: an addition.
#define VECTORS ((WIDTH + 7) / 8)
#define LIFE_EVENTS(_) \
  /* a tick of any organism: its kind */ \
  _(LIVE, 4, 0, 1) \
  /* a neighbourhood's image: which fold? */ \
  _(IMAGE, 0, 0, 2) \
  /* ... mirrored: each input shifted, masked, shifted, or */ \
  _(MIRRORED, 0, 0, 4 * INPUTS) \
  /* ... swapped: not, masked */ \
  _(SWAPPED, 0, 0, 2) \
  /* an entry of the table: the genome's bit, perhaps inverted, put in place */ \
  _(ENTRY, 4, 0, 7) \
  /* ... of an image: is it inverted? */ \
  _(COPIED, 0, 0, 1) \
  /* the first and the last one are set */ \
  _(UNFOLDED, 0, 0, 2) \
  /* four bits of a table for each combination of all inputs but two; do uniform rings stay? */ \
  _(READY, 0, 0, 2 * LEAVES + 3) \
  /* a step of 64 rings: 16 functions of two cells in 21 operations, a tree of multiplexers of 4 */ \
  _(STEP, 0, 0, 16 * VECTORS * (21 + 4 * (LEAVES - 1))) \
  /* two of them: are there two more? */ \
  _(STRIDE, 0, 0, 4) \
  /* the end: no; is there one more? */ \
  _(FINISH, 0, 0, 3) \
  /* is all over? Two looks at whether rings are uniform: or, not */ \
  _(GLANCE, 0, 0, 4) \
  /* ... a look: exclusive or, and */ \
  _(UNIFORM, 0, 0, 4 * WIDTH) \
  /* majorities: 15 digits of the counts are compared with half of the width */ \
  _(MAJORITY, 0, 0, 15 * 14) \
  /* ... a cell is carried into a digit: and, exclusive or */ \
  _(CARRIED, 0, 0, 4) \
  /* 64 configurations: each lane's chance of seven digits; every second one is swapped */ \
  _(DRAWN, 0, 0, BATCH * 58 + 2 * WIDTH, BATCH) \
  /* ... 64 coins put together from halves; compared with a digit: and, exclusive or, and, or */ \
  _(COIN, 0, 0, 17, 2) \
  /* ... the dice are thrown for 128 of them */ \
  _(TOSS, 0, 0, 1) \
  /* a batch is judged: whose coins, who is solved, cells that are right on both sides, does its table treat both states alike? */ \
  _(JUDGED, 0, 0, 30 + 18 * WIDTH, 2) \
  /* ... it is not: the worse side twice */ \
  _(PARTIAL, 0, 0, 0, 1) \
  /* ... so many steps on: how many are uniform? */ \
  _(PAUSE, 0, 0, 8) \
  /* ... more than were: all of them? */ \
  _(HOPE, 0, 0, 1) \
  /* ... of a side with any, the share */ \
  _(SIDE, 0, 0, 1 + DIV_ADD, 1 + DIV_MUL) \
  /* ... and it is the worst so far */ \
  _(WORSE, 0, 0, DIV_ADD, 1 + DIV_MUL) \
  /* a score in doublings: the square of what is beyond guessing, in 64 bits */ \
  _(WORTH, 4, 0, 6 + 2 * DIV_ADD, 6 + 2 * DIV_MUL) \
  /* a power of two by straight lines, in 64 bits */ \
  _(POWER, 0, 0, 12) \
  /* ... is it beyond what can be? */ \
  _(WORTHY, 0, 0, 2) \
  /* a mean takes a value in */ \
  _(AVERAGE, 12, 4, 2 + 1 + DIV_ADD, DIV_MUL) \
  /* ... one more is remembered */ \
  _(MORE, 4, 4, 1) \
  /* what is missing of a worth, earned or burned, in 64 bits */ \
  _(STAND, 0, 0, 8) \
  /* rent and a little are earned */ \
  _(GET_BY, 0, 0, 4) \
  /* a signal is made of what it is and its table */ \
  _(SPEECH, 4 + 4 * TABLE_SIZE) \
  /* a rule is told something: by a kind? */ \
  _(LISTEN, 4, 0, 1) \
  /* ... it is noted as food */ \
  _(OF_KINDS, 8, 12, 1) \
  /* ... by a rule: is it grown? */ \
  _(OF_RULE, 4) \
  /* ... its table is kept */ \
  _(COURTED, 4 * TABLE_SIZE, 4 + 4 * TABLE_SIZE) \
  /* a rule's tick: what it remembers by now */ \
  _(RIPE, 0, 0, 2 + DIV_ADD, DIV_MUL) \
  /* ... is there food? From the menu, */ \
  _(ON_MENU, 4, 8) \
  /* ... or as heard */ \
  _(FORAGE, 8) \
  /* ... which grows older */ \
  _(DIGEST, 4, 4, 2) \
  /* ... too old */ \
  _(FORGET, 0, 4) \
  /* there is: is it grown, judged by enough? */ \
  _(FED, 8, 0, 2) \
  /* ... by enough: is it its turn? */ \
  _(TIRED, 0, 0, 1 + DIV_ADD, DIV_MUL) \
  /* it rests: tells of its last batch */ \
  _(NAP, 8) \
  /* it eats: do kinds fade? */ \
  _(SEASON, 0, 0, 3) \
  /* ... what is left of a spread, in 64 bits */ \
  _(FADING, 0, 0, 2 * DIV_ADD, 2 + 2 * DIV_MUL) \
  /* it eats: its fold; how hard that kind is; points and hits are noted; is it grown now? */ \
  _(MEAL, 20, 8, 8, 6) \
  /* a kind is told something: by a rule? */ \
  _(GUEST, 4, 0, 1) \
  /* ... that ate it? */ \
  _(EATER, 4, 0, 2) \
  /* ... and is grown? */ \
  _(MINE, 4) \
  /* ... its points and how hard that was: two means */ \
  _(EATEN, 20, 8, 5 + DIV_ADD, 3 + DIV_MUL) \
  /* a kind's tick: its age; its spread is told */ \
  _(KINDS_LIFE, 8, 4, 2) \
  /* it was eaten not long ago: often enough? */ \
  _(LIKED, 4, 0, 1) \
  /* ... its worth, in 64 bits */ \
  _(VALUED, 4, 0, 6, 2) \
  /* a child: without heredity? Is its fold allowed? Registers are cleared */ \
  _(CHILD, 20, 20, 7) \
  /* its parent heard a neighbour: is it a rule? */ \
  _(MARRIED, 4, 0, 1) \
  /* a fold that is not: the next one, is that? */ \
  _(UNFIT, 0, 0, 9) \
  /* without heredity: spread and table */ \
  _(STRANGER, 0, 8 + 4 * TABLE_SIZE, 1) \
  /* ... and kind */ \
  _(EITHER, 0, 0, 1) \
  /* with heredity: four bytes of chance against the rate, how many flips, does its spread change? */ \
  _(OWN_CHILD, 0, 0, 23) \
  /* ... a bit of its traits changes */ \
  _(TRAIT, 0, 0, 5) \
  /* it may be crossed: chance against a gene */ \
  _(PAIRED, 0, 0, 4) \
  /* it is: from where on */ \
  _(CROSSED, 0, 0, 2, 2) \
  /* ... an entry that is the neighbour's */ \
  _(TAKEN, 8, 4, 4) \
  /* a flipped entry: which, exclusive or in place */ \
  _(FLIP, 4, 4, 7, 2) \
  /* its spread need not change: is it a kind? */ \
  _(STEADY, 4, 0, 1) \
  /* it does */ \
  _(DRIFT, 4, 4, 4) \
  /* ... from below none */ \
  _(REFLECTED, 0, 0, 1) \
  /* ... not so: too far? */ \
  _(UPPER, 0, 0, 1) \
  /* ... it is */ \
  _(BEYOND, 0, 0, 1) \
  /* chance against its caste */ \
  _(CASTE, 0, 0, 4) \
  /* it is of the other kind */ \
  _(CONVERT, 4, 4, 1) \
  /* a rule's child: and its parent's? */ \
  _(OF_RULES, 4, 0, 1) \
  /* a kind, or a kind's: it knows no food */ \
  _(FASTING, 4, 8) \
  /* merit: is it a rule? */ \
  _(MERIT, 4, 0, 1) \
  /* ... its mean of points, less where it was seldom judged, in 64 bits */ \
  _(SHARE, 12, 0, 3 + 2 * DIV_ADD, 2 + 2 * DIV_MUL)
