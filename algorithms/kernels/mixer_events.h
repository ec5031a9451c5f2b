// What mixer counts (see algorithms/counting.py): bytes read and written; additions and multiplications of integers,
// of floats. Bytes are those of the table of slots, of maps, mixers and what is learned beside it, of match
// models' places, of the tree, the text, and of what the tree is grown from; not those of a lane's few words.
// Vectors count all their lanes, also those that are not used.
#define EVENTS(_) \
  /* a byte of the text is read */ \
  _(TEXT, 1) \
  /* a byte: its leaf; what is remembered of it; the rate */ \
  _(BYTE, 4, 0, 20, 0, 1, DIV_MUL + 1) \
  /* two words hashed to one, in 64 bits: two products, two sums, two shifts, two exclusive ors */ \
  _(COMBINED, 0, 0, 12, 4) \
  /* a group's key: the same */ \
  _(KEY, 0, 0, 12, 4) \
  /* a match goes on, or not */ \
  _(CONTINUED, 1, 0, 3) \
  /* no match: where was the key last? */ \
  _(SOUGHT, 4, 0, 1) \
  /* ... somewhere */ \
  _(KNOWN, 4) \
  /* ... a byte of the text compared */ \
  _(COMPARED, 1, 0, 8) \
  /* the place is noted */ \
  _(INDEXED, 0, 4, 2) \
  /* a match expects: a byte, its leaf */ \
  _(EXPECTED, 5, 0, 6) \
  /* a byte's way through the tree: its end is seen */ \
  _(WAY, 4, 0, 1) \
  /* ... a node that a match expects, in which direction */ \
  _(STEP, 6, 0, 1) \
  /* ... and no longer */ \
  _(STEP_BACK, 5, 0, 1) \
  /* a byte to come: its leaf */ \
  _(FETCH, 4, 0, 0) \
  /* ... a node of its way: its group */ \
  _(FETCH_STEP, 9, 0, 1) \
  /* ... a new group, read again */ \
  _(FETCH_GROUP, 5, 0, 1) \
  /* a node of the byte's way: direction and group; what it cost */ \
  _(CODED, 10, 0, 1, 0, 1 + LOG_ADD, LOG_MUL) \
  /* ... a new group, read again */ \
  _(GROUP_CODED, 4, 0, 1) \
  /* a context's line is looked for: its check */ \
  _(LOOKED_UP, 2, 0, 6) \
  /* ... the one beside it */ \
  _(OTHER, 2, 0, 3) \
  /* ... none: the one with less seen is cleared */ \
  _(BLANKED, 4, 32, 3) \
  /* ... how often it was */ \
  _(OLD, 2, 0, 1) \
  /* in how many of eleven contexts has anything come? */ \
  _(SEEN, 22, 0, 35) \
  /* a bit is guessed: 16 slots, 16 probabilities of the maps, two matches, the node's own; \
     logits of them (two divisions and logarithms of 16 lanes); four mixers of 48 weights, and \
     their mixer of 4; their probabilities (an exponential, a division of 16 lanes) */ \
  _(GUESS, 896, 0, 4 * LANES + 16, 2, LANES * (8 + 2 * LOG_ADD + 3 * DIV_ADD + EXP_ADD) + 4 * 48 + 50, LANES * (6 + 2 * LOG_MUL + 3 * DIV_MUL + EXP_MUL) + 4 * 48 + 20) \
  /* and learned: 16 slots moved (to a probability and back), 16 of the maps, the node's own; \
     the mixers' weights along the error, each read and written */ \
  _(LEARN, 808, 892, 16 * LANES + 20, 4, LANES * (11 + EXP_ADD + LOG_ADD + 3 * DIV_ADD) + 4 * 48 + 20, LANES * (5 + EXP_MUL + LOG_MUL + 3 * DIV_MUL) + 4 * 48 + 12) \
  /* a match's trust */ \
  _(MATCH_LEARNED, 4, 4, 5, 0, 3 + DIV_ADD, 2 + DIV_MUL) \
  /* maps, trust and weights as they begin */ \
  _(START, 0, 4 * (CONTEXTS * KINDS * STEPS + MATCHES * LENGTHS + CHOICES + CHOICES * SETS + SETS * CHOICES * INPUTS), 3 * CONTEXTS * KINDS * STEPS, 0, CONTEXTS * KINDS * STEPS * (3 + EXP_ADD + DIV_ADD), CONTEXTS * KINDS * STEPS * (1 + EXP_MUL + DIV_MUL)) \
  /* the tree is grown: which bytes there are */ \
  _(GROW, 4 * 256 + 12, 4 * 256 + 24, 512) \
  /* ... in the text, byte by byte */ \
  _(TALLIED, 1, 4) \
  /* ... what stands one and two before each */ \
  _(PAIRED, 23, 8, 2, 2, 2) \
  /* ... a symbol */ \
  _(LEAF, 0, 5, 1) \
  /* the entropy of what stands before one or two joined groups */ \
  _(ENTROPY, 0, 0, 10, 0, 20 + LOG_ADD, 10 + LOG_MUL) \
  /* ... a count of it */ \
  _(ENTROPY_TERM, 8, 0, 1, 0, 4 + LOG_ADD, 1 + LOG_MUL) \
  /* what joining two would cost, noted */ \
  _(PRICED, 0, 4, 2, 0, 8, 2) \
  /* a pair's cost against the least */ \
  _(CHEAPER, 8, 0, 2, 0, 1) \
  /* a count joins another */ \
  _(JOINED, 8, 4, 0, 0, 1) \
  /* a node is numbered: group, slot, children */ \
  _(NODE, 12, 24, 10) \
  /* ... its group */ \
  _(GROUP, 4, 4, 2) \
  /* a leaf's way: a node, a direction */ \
  _(TURN, 0, 2, 4)
