// What the gradient of an automaton counts (see algorithms/counting.py): bytes read and written; additions
// and multiplications of integers, of floats. Arrays are those that Python hands over: the table, the
// rings, the state of the random numbers, neighbourhoods of the past, gradients by cells. Slopes, visits
// and the ring that runs are variables of a function. A double counts as two; slopes are eight wide.
#define EVENTS(_) \
  /* a call: slopes of a table and chances in 65536ths; at the end its mean visits, two shares */ \
  _(CALLED, TABLE * (8 * SEES + 4 + 4 * (LANES + 1)), TABLE * 4 * (LANES + 2) + 8, 0, 0, \
    TABLE * (SEES + 1 + LANES + DIV_ADD) + 3 * DIV_ADD, TABLE * (2 + DIV_MUL) + 3 * DIV_MUL) \
  /* 16 words of random numbers, each by three shifts and three exclusive ors */ \
  _(DRAWN, 8 * WORDS, 4 * WORDS, 6 * WORDS) \
  /* a cell steps: its neighbourhood by shifts and ors, noted and read; its chance against a number */ \
  _(STEPPED, 1, 1, 2 * SEES + 1) \
  /* a ring: its majority, the share that ended as wanted, summed as a double; was it all? */ \
  _(RING, 0, 0, 4, 1, 3 + DIV_ADD, DIV_MUL) \
  /* ... a cell of it: read, counted before and after, its gradient at the end */ \
  _(CELL, 1, 4, 2) \
  /* ... most were zeros: those are counted */ \
  _(FEW, 0, 0, 1) \
  /* ... most were ones: a cell's pull is turned round */ \
  _(PULLED, 0, 0, 0, 0, 1) \
  /* ... no matter which: the pull is by how clear the majority is */ \
  _(AT_WILL, 0, 0, 0, 0, 1, 1) \
  /* a step back of a cell: its neighbourhood; the gradient visits the table and goes on by eight \
     slopes; what is complete is noted, read again, held within two bounds */ \
  _(BACK, 13, 8, 0, 0, 1 + 8 + 3, 8) \
  /* ... below the lower one, which is negated again */ \
  _(LOW, 0, 0, 0, 0, 1) \
  /* ... of a ring: its ends are joined */ \
  _(CLOSED, 16 * RADIUS, 16 * RADIUS, 0, 0, 2 * RADIUS)
