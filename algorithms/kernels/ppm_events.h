// What ppm counts (see algorithms/counting.py): bytes read and written; additions and multiplications of integers,
// of floats. Bytes are those of nodes (16: two links, total, kinds, depth), entries (16: link, child, count,
// symbol), records of escapes (8) and the text, field by field. Lanes that adapt do not count copies.
#define EVENTS(_) \
  /* a byte of the text, its cost */ \
  _(BYTE, 1, 0, 0, 0, 1 + LOG_ADD, LOG_MUL) \
  /* a known context, the longest first: its first entry, the next shorter one, has anything \
     followed? */ \
  _(LEVEL, 10, 0, 4) \
  /* an entry: its symbol */ \
  _(MET, 4, 0, 2) \
  /* ... another one: the next */ \
  _(PASSED, 4) \
  /* ... not the first: counts compared with the one before */ \
  _(BEHIND, 8, 0, 0, 0, 1) \
  /* ... they change places */ \
  _(SWAPPED, 32, 32) \
  /* contexts alike: kinds (read twice), depth, total; their logarithms from bits */ \
  _(RECORD, 10, 0, 8, 0, 1, 1) \
  /* ... and kinds of the next shorter one */ \
  _(UNDER, 4, 0, 6) \
  /* the escape from its record, total and kinds (read twice); probability times it */ \
  _(BLENDED, 16, 0, 0, 0, 1 + DIV_ADD, 1 + DIV_MUL) \
  /* ... and what the context itself says, by count, total and kinds */ \
  _(HIT, 10, 0, 0, 0, 4 + DIV_ADD, 2 + DIV_MUL) \
  /* a context from the longest on, while it may have had the choice */ \
  _(SHARED, 2, 0, 1, 0, 1) \
  /* ... its record: one more visit, perhaps an escape */ \
  _(CREDITED, 8, 8, 0, 0, 2 + DIV_ADD, 3 + DIV_MUL) \
  /* entries that a lane would copy */ \
  _(DEPTH, 2, 0, 2) \
  /* the byte counts one more in the longest context that knows it */ \
  _(COUNTED_UP, 10, 8, 1, 0, 2) \
  /* ... whose child is the next context */ \
  _(CHILD, 4) \
  /* ... of the longest order: that of the next shorter one */ \
  _(LONGEST_ORDER, 8) \
  /* a context's entries are searched */ \
  _(SEARCHED, 4) \
  /* a context gets a new entry, with a count by the shorter one's probability */ \
  _(ENTRY_MADE, 12, 26, 4, 0, 3, 2) \
  /* a new context */ \
  _(NODE_MADE, 2, 16, 1) \
  /* the longest known context is looked for: child or shorter one */ \
  _(FOLLOWED, 4, 0, 2) \
  /* ... where the byte is known: its child */ \
  _(NOTED, 4) \
  /* ... read again and taken, not the next shorter one */ \
  _(LEAD, 0, 0, 1) \
  /* an answer: a context */ \
  _(ANSWERED, 4, 0, 2) \
  /* ... an entry of it */ \
  _(SPREAD, 12, 0, 0, 0, 2, 1)
