// What hashed_mlp counts besides hashed_events.h, columns as there. Bytes are also those of embeddings and their
// visits, of the dense layers, and of a batch's activations and gradients.
#define MLP_EVENTS(_) \
  /* of a product of matrices, a term */ \
  _(PRODUCT, 0, 0, 0, 0, 1, 1) \
  /* ... a factor, read anew for each tile of four rows by up to 80 columns */ \
  _(FACTOR, 4) \
  /* ... an element */ \
  _(OUTCOME, 0, 4) \
  /* a weight of a transposed matrix */ \
  _(TURNED, 4, 4) \
  /* a step of Adam: powers, corrections */ \
  _(STEP, 0, 0, 0, 0, 2 + 2 * DIV_ADD, 24 + 2 * DIV_MUL) \
  /* ... of a weight: gradient, its mean, that of its square and the weight, each read anew for \
     each statement */ \
  _(STEPPED, 32, 12, 0, 0, 5 + RSQRT_ADD, 8 + RSQRT_MUL) \
  /* a unit of the sum of embeddings: bounded on two sides */ \
  _(EMBEDDED, 0, 4, 0, 0, 2) \
  /* an embedding: which */ \
  _(TERM, 0, 0, 4) \
  /* ... a float of it */ \
  _(ADDEND, 4, 0, 0, 0, 1) \
  /* a vector that brings the bias */ \
  _(ONE, 0, 64) \
  /* a unit's gradient where it is within bounds, times the step */ \
  _(PASSED, 8, 0, 0, 0, 2, 1) \
  /* an embedding's rate by its visits, one more */ \
  _(TERM_LEARNED, 8, 4, 3, 0, 0, 2) \
  /* ... a float of it */ \
  _(ADDEND_LEARNED, 4, 4, 0, 0, 1, 1) \
  /* a logit of the last layer */ \
  _(LOGIT, 4) \
  /* a gate, opened */ \
  _(GATED, 4, 0, 0, 0, 1, 1) \
  /* gradients of the gates: cleared, bounded on two sides */ \
  _(GATES_LEARNED, 256, 192, 0, 0, 64) \
  /* a match: its gate's gradient, the gate */ \
  _(MATCH_GATED, 16, 4, 0, 0, 0, 2) \
  /* a class of the error */ \
  _(ERROR_READ, 4) \
  /* a row: its gate's gradient */ \
  _(ROW_GATED, 4, 4, 0, 0, 0, 3) \
  /* a run: its gate's gradient, the error twice */ \
  _(RUN_GATED, 12, 4, 0, 0, 0, 2) \
  /* a float of the embedding that a new row begins with */ \
  _(COPIED, 4, 4) \
  /* a unit of the hidden layer, bounded on two sides */ \
  _(RECTIFIED, 4, 4, 0, 0, 2) \
  /* the gates, bounded on two sides */ \
  _(BOUNDED, 256, 128, 0, 0, 32) \
  /* a hidden unit's gradient where it is within bounds */ \
  _(LET_BACK, 8, 4, 0, 0, 2) \
  /* a class of the error */ \
  _(ERROR, 0, 4, 0, 0, 1) \
  /* ... what came */ \
  _(TRUE_CLASS, 4, 4, 0, 0, 1) \
  /* a unit's gradient, squared, summed */ \
  _(SQUARED, 8, 0, 0, 0, 1, 1) \
  /* the mean square of gradients, and the rate by it */ \
  _(BATCH_DONE, 0, 0, 0, 0, 24 + DIV_ADD + RSQRT_ADD, 8 + DIV_MUL + RSQRT_MUL) \
  /* a random weight to begin with: hashed in 64 bits (two products) */ \
  _(DRAWN, 0, 4, 10, 4, 1, 2)
