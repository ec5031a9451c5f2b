// What kernels over hashed contexts count (see algorithms/counting.py): bytes read and written; additions and
// multiplications of integers, of floats. Bytes are those of slots, rows, text, of the weights that kinds of
// context share, and of the segment's bytes and where its matches were. Lanes that adapt count their sums,
// not their copies.
#define HASHED_EVENTS(_) \
  /* the places of the match models are cleared */ \
  _(CLEARED, 0, sizeof(u16) * MATCHES * WINDOW) \
  /* a byte joins the context: history, column, position; it is noted */ \
  _(FOLLOWED, 0, 1, 13) \
  /* ... a letter: into the word's hash */ \
  _(LETTER, 0, 0, 6, 1) \
  /* a match model's key: hashed in 64 bits (two products); the place is noted */ \
  _(INDEXED, 0, 2, 17, 5) \
  /* a match goes on, or not: the byte expected */ \
  _(CONTINUED, 1, 0, 3) \
  /* no match: where was the key last? */ \
  _(SOUGHT, 2, 0, 1) \
  /* ... two bytes compared */ \
  _(COMPARED, 2, 0, 8) \
  /* a byte of the text is read */ \
  _(TEXT, 1) \
  /* ... and counted */ \
  _(TALLIED, 1, 0, 1) \
  /* a position's keys, of 64 bits: masks, shifts, products; match lengths bounded */ \
  _(POSITION, 0, 0, 30, 4) \
  /* a kind of context: its key and number hashed in 64 bits (three products), its line */ \
  _(HASHED, 0, 0, 16, 6) \
  /* what a match expects */ \
  _(EXPECTED, 1) \
  /* a line of eight slots is read: tags masked and compared, compared with nothing, in 64 bits \
     each; the first one */ \
  _(CLAIMED, 64, 0, 58) \
  /* the slot is written, also where it was known */ \
  _(KEPT, 0, 8) \
  /* ... then with what it had */ \
  _(KNOWN, 8) \
  /* a full line is read twice over: the shortest run */ \
  _(FULL, 128, 0, 48) \
  /* ... is taken */ \
  _(EVICTED, 0, 8) \
  /* a slot looked at in answering: tag, empty? */ \
  _(PROBED, 8, 0, 5) \
  /* a slot's content */ \
  _(SLOT_READ, 8) \
  /* a slot's content: tag, visits, row or class put together in 64 bits */ \
  _(SLOT_WRITTEN, 0, 8, 8) \
  /* what a slot is: row, run or nothing */ \
  _(SORTED, 0, 0, 10) \
  /* softmax of a class: bounded twice, exponential, summed, normalised */ \
  _(CLASS, 0, 0, 0, 0, 3 + EXP_ADD, 1 + EXP_MUL) \
  /* one over the sum */ \
  _(SUMMED, 0, 0, 0, 0, DIV_ADD, DIV_MUL) \
  /* a lane of a vector to which one lane is added: compared, added */ \
  _(PLACED, 0, 0, 1, 0, 1) \
  /* a match's trust */ \
  _(MATCH_USED, 4) \
  /* a run's weight, by its visits */ \
  _(RUN_USED, 4, 0, 3) \
  /* a row's gain, by its visits; where it is */ \
  _(ROW_USED, 4, 0, 5) \
  /* a weight times gain */ \
  _(WEIGHT_USED, 4, 0, 0, 0, 1, 1) \
  /* a class of the error */ \
  _(MISSED, 0, 0, 0, 0, 1) \
  /* a match's trust goes along the error */ \
  _(MATCH_LEARNED, 4, 4, 0, 0, 1, 2) \
  /* a row's rate, the sum of sixteen lanes; its gain read twice and written; a visit more in \
     its slot */ \
  _(ROW_LEARNED, 8, 12, 8, 0, 17, 3) \
  /* a weight: into the gain's gradient, along the error */ \
  _(WEIGHT_LEARNED, 4, 4, 0, 0, 2, 2) \
  /* a run's weight read twice and written; does it go on? */ \
  _(RUN_LEARNED, 8, 4, 6, 0, 1, 1) \
  /* a run becomes a row: its gain; what it stood for goes in */ \
  _(ROW_MADE, 8, 4, 4, 0, 1 + DIV_ADD, 2 + DIV_MUL) \
  /* ... of an error */ \
  _(WEIGHT_MADE, 0, 4, 0, 0, 0, 1) \
  /* a gain as it begins */ \
  _(GAIN_BEGUN, 0, 4) \
  /* the loss is taken */ \
  _(LOSS, 0, 0, 0, 0, 1 + LOG_ADD, LOG_MUL)
