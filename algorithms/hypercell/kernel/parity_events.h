// What the parity biology counts, as in engine_events.h. WORDS, LANES: as in parity.h. A word of samples has
// 64 bits, so an operation on it counts as two; folding a parity takes 4 shifts, 4 exclusive ors and a mask on
// 64 bits, a shift and a mask on 32. Of `a = b = 0`, b is read again, as the language has it.
#define LIFE_EVENTS(_) \
  /* a tick of any organism: its kind, its mask put together from halves, trials; what it earned \
     and spent, in 64 bits */ \
  _(LIVE, 8 + 8 * WORDS, 0, 15 + 4 * WORDS, 3) \
  /* more right answers than by chance, times a price of 64 bits */ \
  _(EARN, 0, 0, 1, 2) \
  /* all samples have been tried: merit against a bound */ \
  _(ALL_TRIED, 0, 0, 2) \
  /* it is too small: three registers are set */ \
  _(UNCONVINCED, 4, 12) \
  /* merit: two registers */ \
  _(MERIT, 8) \
  /* any trials: are all rows right? */ \
  _(TRIED, 0, 0, 2) \
  /* no mistake: trials times bits, shifted */ \
  _(FLAWLESS, 0, 0, 4, 2) \
  /* mistakes: how far hits are ahead of luck, in 64 bits */ \
  _(FLAWED, 0, 0, 10, 2) \
  /* they are: squared, divided by trials, scaled */ \
  _(AHEAD, 0, 0, 2 + 2 * DIV_ADD, 4 + 2 * DIV_MUL) \
  /* a holder's tick: its traits, where it stands in the samples, and where it then stands */ \
  _(HOLD, 8, 4, 3) \
  /* a signal: a row put together from halves, its overlap with the mask counted */ \
  _(LISTEN, 8 * WORDS, 0, 8 * WORDS + 3) \
  /* the mask gets it wrong */ \
  _(OBJECTION, 4, 4, 2) \
  /* eight samples: and, exclusive or, a parity folded in 20 steps, a bit put in place; what of \
     it counts; where */ \
  _(BITE, 64 * WORDS, 0, 32 * WORDS + 204, 2) \
  /* the samples end before */ \
  _(LAST_BITE, 0, 0, 1) \
  /* the score: right answers and wrong ones, within bounds */ \
  _(BELIEVE, 4, 4, 4, 2) \
  /* hits and trials, at most as many as there are samples */ \
  _(JUDGE, 12, 8, 8) \
  /* ... trials, read again while there are more samples */ \
  _(UNTRIED, 4) \
  /* ... and no more than there is room for */ \
  _(ENOUGH, 0, 0, 1) \
  /* the first wrong one is found and read */ \
  _(MISTAKE, 8 * WORDS, 0, 1 + WORDS, WORDS) \
  /* is the mask still believed? */ \
  _(LEARN, 4, 0, 1) \
  /* it is not: how likely is doubt? */ \
  _(UNBELIEF, 4, 0, 4) \
  /* a random word */ \
  _(DRAW, 0, 0, 3) \
  /* ... for which the dice are thrown */ \
  _(ROLL, 0, 0, 1) \
  /* a random input to begin with */ \
  _(DOUBT, 0, 0, 3, 2) \
  /* an input: has the mask got it? The next one, or the first */ \
  _(INPUT, 0, 0, 8) \
  /* the next one */ \
  _(INNER, 0, 0, 1) \
  /* it has: the equation that says it is not in the secret */ \
  _(DENIAL, 0, 0, WORDS + 3) \
  /* an equation against all duals: and, exclusive or, parity, a bit put in place; which are \
     unmet; where to begin, and whether with these */ \
  _(COMPARE, 8 * WORDS * LANES + 8 * FLAGS + 4, 0, LANES * (4 * WORDS + 24) + 2 * FLAGS + 8, 2) \
  /* the first set bit: bits before are masked */ \
  _(SEARCH, 0, 0, 6) \
  /* ... once around: bits behind are masked */ \
  _(AROUND, 0, 0, 7) \
  /* ... found in a word */ \
  _(FIND, 0, 0, 3) \
  /* the dual found goes into all that overlap: negated, and, exclusive or; into the mask; a \
     flag and three registers are set */ \
  _(SWAP, WORDS * (8 + 8 * LANES) + 16, WORDS * (8 * LANES + 8) + 20, WORDS * (4 + 6 * LANES) + 7) \
  /* for a sample: was it unmet? */ \
  _(SWAP_IN, 8, 0, 5) \
  /* it was: are all learned? */ \
  _(UNMET, 4, 0, 1) \
  /* one more is learned, and paid */ \
  _(LESSON, 4, 4, 3) \
  /* what was learned is told */ \
  _(TAUGHT, 0, 0, 2 + 2 * WORDS) \
  /* the mask is stored in halves */ \
  _(CHANGED, 0, 8 * WORDS, 2 * WORDS) \
  /* a mask organism's tick: where it stands, trials, score; where it then stands */ \
  _(WEIGH, 12, 4, 3) \
  /* there are untried samples */ \
  _(ROOM, 0, 0, 1) \
  /* samples up to the end of them or of room */ \
  _(MEAL, 0, 0, 5) \
  /* ... that end before */ \
  _(LAST_MEAL, 0, 0, 1) \
  /* ... that count as trials */ \
  _(ROOMY, 0, 0, 3) \
  /* a sample: where, and, exclusive or, a parity folded in 20 steps, a sum */ \
  _(SAMPLE, 8 * WORDS, 0, 7 * WORDS + 22, 2 * WORDS) \
  /* another mask: its weight, one bit of it; stored in halves; three registers are set */ \
  _(GUESS, 8, 12 + 8 * WORDS, 3 * WORDS + 8) \
  /* a random bit of it */ \
  _(BIT, 0, 0, 8, 2) \
  /* a child forgets */ \
  _(CHILD, 12, 16, 1) \
  /* without heredity: its kind and traits */ \
  _(STRANGER, 0, 8, 1) \
  /* ... half a word of its mask */ \
  _(HALF, 0, 4, 10) \
  /* ... within the inputs */ \
  _(WHOLE, 0, 0, 2) \
  /* ... that ends within */ \
  _(PARTIAL, 0, 0, 7) \
  /* ... at its beginning */ \
  _(LABEL, 0, 0, -2) \
  /* ... behind the inputs */ \
  _(EMPTY, 0, 0, 2) \
  /* a holder's child: its caste; four bytes of chance against the rate */ \
  _(OF_HOLDER, 8, 0, 16) \
  /* ... is a mask organism */ \
  _(CASTE, 0, 4) \
  /* a mask organism's child: chance against the rate */ \
  _(OF_MASK, 4, 0, 3, 1) \
  /* ... one bit of the mask changes */ \
  _(FLIP, 4, 4, 7, 2) \
  /* who settles has no trials; a holder? */ \
  _(ARRIVAL, 16, 16, 1) \
  /* it brings its duals: copied */ \
  _(LEGACY, 4 * CARRY, 4 * CARRY + 4) \
  /* it brings none: duals of one input each, the mask of the label alone */ \
  _(CLEAR, 0, ARENA + 8 * WORDS, 2 * WORDS * LANES + 3 * WORDS + 3) \
  /* learned state for a child: a holder's? */ \
  _(ORDER, 4, 0, 1) \
  /* ... and enough of it? */ \
  _(OF_A_HOLDER, 0, 0, 1, 1) \
  /* ... copied */ \
  _(PACK, 4 * CARRY, 4 * CARRY) \
  /* a sample is packed: its label put in place */ \
  _(ROW, 8, 8 * WORDS, 10, 2) \
  /* ... eight inputs' signs gathered by a product of 64 bits, put in place */ \
  _(EIGHT, 8, 0, 16, 2) \
  /* ... the last eight overlap those before: by how many? */ \
  _(REST, 0, 0, 4) \
  /* ... fewer than eight in all: not read at once */ \
  _(FEW, -8, 0, 2) \
  /* ... but one by one: shifted in 64 bits, or */ \
  _(ONE, 1, 0, 4)
