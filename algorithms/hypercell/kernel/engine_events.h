// What the engine counts (see counting.py): each event with what it reads and writes in bytes, and its
// additions and multiplications of 32 bits. What is done once for a tile and not for a location (which axes
// are open, how far light reaches) depends on how the space is cut for threads and is left out.
#define ENGINE_EVENTS(_) \
  /* a location at a tick: its energy is read; its number, and where its body and arena begin */ \
  _(TICK, 4, 0, 2, 4) \
  /* an outbox of an open axis is written, with or without a message */ \
  _(POST, 0, 1) \
  /* in a direction from which a message may have come: is there a neighbour? */ \
  _(LOOK, 0, 0, 2) \
  /* there is: its outbox is read. One of two directions lies behind (a change of sign on 64 \
     bits), so each takes 1 */ \
  _(NEIGHBOUR, 1, 0, 4) \
  /* it has sent something: where, a signal, a migrant? */ \
  _(PARCEL, 0, 0, 4, 2) \
  /* a signal is noted */ \
  _(CALL, 0, 0, 1) \
  /* a migrant: its energy against the strongest so far */ \
  _(COMER, 4, 0, 1) \
  /* the weaker of two is burned: two sums of 64 bits */ \
  _(REPELS, 0, 0, 4) \
  /* the strongest moves in: its body is copied; was the place settled, what does it carry? */ \
  _(SETTLER, 4 * BODY + 5, 4 * BODY, 0, 2) \
  /* the resident is burned */ \
  _(DISPLACES, 0, 0, 4) \
  /* nobody has lived here: energy is minted */ \
  _(PIONEER, 0, 1, 5) \
  /* an organism lives: five sums and comparisons of 64 bits on its energy */ \
  _(LIFE, 0, 0, 10) \
  /* it starves: its energy is burned, its body cleared */ \
  _(DEATH, 0, 4 * BODY + 4, 4) \
  /* it lives on: burns what is due, is below the cap, its energy is written */ \
  _(SURVIVAL, 0, 4, 6) \
  /* ... and what its outboxes say: or */ \
  _(LETTER, 0, 0, 1) \
  /* what is above the cap is burned */ \
  _(CAP, 0, 0, 6) \
  /* is there enough energy for a child? A gene, shifted, masked, times a price of 64 bits */ \
  _(FERTILE, 4, 0, 5, 2) \
  /* an open axis to choose from: its weight is taken from a word and added */ \
  _(OPTION, 0, 0, 3, 1) \
  /* a random word times the sum of weights (64 bits), shifted; the first weight looked at; a \
     direction */ \
  _(CHOSEN, 0, 0, 6, 3) \
  /* an axis that was not it: its weight is taken off, the next is looked at */ \
  _(PASSED, 0, 0, 5, 1) \
  /* the axis is no ring: does the direction lead somewhere? */ \
  _(BOUNDED, 0, 0, 2) \
  /* no: the other one */ \
  _(TURNED, 0, 0, 1) \
  /* reproduction: two words of genes; is there an axis? */ \
  _(TRY, 8, 0, 1) \
  /* the child's share: a gene of a word, times energy, shifted; is it anything? */ \
  _(OFFER, 0, 0, 7, 2) \
  /* it is: does the parent keep something? */ \
  _(GIFT, 0, 0, 6) \
  /* a child: the body is copied into a message with its date and head; two prices of what it \
     carries; sums of 64 bits */ \
  _(BIRTH, 4 * BODY, 4 * BODY + 12, 23, 6) \
  /* with heredity: eight bytes of chance against the rate, words wanted */ \
  _(HEIR, 0, 0, 28, 1) \
  /* without: two words of genes */ \
  _(FOUNDLING, 0, 8) \
  /* a bit of a gene changes: which, and exclusive or in place */ \
  _(MUTATION, 4, 4, 5) \
  /* learned state is wanted: its price against what is left, in 64 bits */ \
  _(BUY, 0, 0, 8, 2) \
  /* a signal is to be sent: the axes' weights; is there an axis? */ \
  _(TELL, 4, 0, 1) \
  /* can its toll be paid? */ \
  _(AFFORD, 0, 0, 2) \
  /* yes: it is burned, the signal written */ \
  _(SIGNALLED, 0, 4 * SIGNAL, 7, 2) \
  /* Philox4x32-10, four words: ten rounds of two products of 64 bits, two shifts of 64 bits, \
     six more; half of a seed */ \
  _(DICE, 0, 0, 102, 40) \
  /* a location is asked for its merit: does anybody live there? */ \
  _(ASKED, 4) \
  /* somebody does: the first one? */ \
  _(CANDIDATE, 0, 0, 2) \
  /* no: against the best so far */ \
  _(RIVAL, 0, 0, 2) \
  /* a byte crosses along row */ \
  _(SENT_0, 0) \
  /* a byte crosses along rack */ \
  _(SENT_1, 0) \
  /* a byte crosses along host */ \
  _(SENT_2, 0) \
  /* a byte crosses along device */ \
  _(SENT_3, 0) \
  /* a byte crosses along cluster */ \
  _(SENT_4, 0) \
  /* a byte crosses along sm */ \
  _(SENT_5, 0) \
  /* a byte crosses along warp */ \
  _(SENT_6, 0, 0)
