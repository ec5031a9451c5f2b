// What the text biology counts, as in engine_events.h. Sizes: as in the kernel. Its arrays are slots, rows, the
// text and its classes, organisms and messages, and of what stands in an arena before its slots the weights
// that contexts share, the seeds of rounding, the segment's bytes and where its matches were. The rest of a
// mind (what its genes mean, its place, hashes of words) is taken to be in registers. Numbers of 16 bits
// count as others; a line's eight tags are compared with two things at once.
#define LIFE_EVENTS(_) \
  /* a migrant settles: registers are cleared */ \
  _(ARRIVED, 0, 4 * PARENT) \
  /* a tick of any organism: what it has read, what it will learn */ \
  _(LIVE, 4, 0, 4) \
  /* ... nothing so far: is it grown? */ \
  _(AT_FIRST, 4) \
  /* it begins: seeds */ \
  _(BEGUN, 0, 2 * WIDEST, 4) \
  /* ... with what it has not bought: a model's weights, those of matches */ \
  _(BLANK, 0, 8 * BUCKETS) \
  _(BLANK_MATCHES, 0, 4 * MATCHES * BUCKETS * WIDEST) \
  /* ... where it could have: has it? */ \
  _(ASKS_WHAT, 4, 4, 2 * MODELS + 2) \
  /* ... a slot is emptied */ \
  _(CLEARED, 0, 8) \
  /* a genome is expressed: which genes are, rates by visits, habits */ \
  _(EXPRESSION, 4 * GENES_OF_TEXT, 0, 1330, 520) \
  /* ... one is: its mask, its rate in octaves */ \
  _(GENE, 0, 0, 40, 18) \
  /* ... not below the least */ \
  _(NOT_LOW, 0, 0, 1) \
  /* ... laziness: from which probability on */ \
  _(LAZY, 0, 0, 4) \
  /* a power of two by sixteenths; not a whole one */ \
  _(GROWTH, 0, 0, 6) \
  _(PARTLY, 0, 0, 2) \
  /* a power of two below one, by a cubic; a logarithm by a quartic */ \
  _(EXP2, 0, 0, 11, 5) \
  _(LOG2, 0, 0, 21, 8) \
  /* a number held within bounds: not above; below */ \
  _(CLAMPED, 0, 0, 1) \
  _(NOT_ABOVE, 0, 0, 2) \
  _(UNDER, 0, 0, 1) \
  /* a signal is heard: a genome, the least cost */ \
  _(HEARD, 4 + 4 * GENES_OF_TEXT) \
  /* a cost is held against the best, twice read */ \
  _(HEARD_BEST, 8, 0, 1) \
  /* ... and is better */ \
  _(OWN_BEST, 4, 4) \
  /* what it has is brought to so much, in 64 bits; less than it had */ \
  _(HELD, 0, 0, 6) \
  _(TOO_MUCH, 0, 0, 2) \
  /* not grown: until where, past the end, past a mark (of 64 bits)? Marks are looked at */ \
  _(YOUTH, 4 * MARKS, 0, 12) \
  /* ... does what it learns end here? */ \
  _(LEARNING, 0, 0, 2) \
  /* ... a mark that it has not come to: is it old enough; does it still learn? */ \
  _(UNMARKED, 0, 0, 4) \
  _(OLD_ENOUGH, 0, 0, 2) \
  /* ... it has: losses per byte, in 64 bits; its parent's */ \
  _(MARKED, 20, 16, 5 + 2 * DIV_ADD, 2 * DIV_MUL) \
  _(SAID_ANY, 4) \
  _(HAS_PARENT, 4, 0, 3) \
  /* ... what it has lost is forgotten, before it is judged */ \
  _(EXAM_BEGINS, 8, 12) \
  /* it is grown: its cost, in 64 bits; none is known, or a better one */ \
  _(GREW_UP, 16, 4, 4 + 2 * DIV_ADD, 2 + 2 * DIV_MUL) \
  /* a tick of a grown one: its age; its genome is told */ \
  _(ADULT, 4 + 4 * GENES_OF_TEXT + 4, 4, 1) \
  /* what it is worth: two exponents, in 64 bits */ \
  _(WORTH_ASKED, 8, 0, 11 + 4 * DIV_ADD, 4 * DIV_MUL) \
  _(BEHIND, 4, 0, 1) \
  /* ... worth a place */ \
  _(STILL, 0, 0, 4) \
  /* a chunk is read: rates by how far it has come, where its table is, losses are noted; loops that run \
     ahead */ \
  _(CHUNK_READ, 20, 16, 126 + 2 * DIV_ADD, 2 + 2 * DIV_MUL) \
  /* ... of what it is judged by */ \
  _(EXAMINED, 0, 0, 2) \
  /* a model's pace after so many visits: rate, scale, gain */ \
  _(PACED, 4, 4, 8 + DIV_ADD, 6 + DIV_MUL) \
  _(NOT_SLOW, 0, 0, 1) \
  /* a byte: read twice, its class; does a segment begin; three loops, in 64 bits */ \
  _(BYTE, 3, 0, 26 + 2 * DIV_ADD, 2 * DIV_MUL) \
  /* ... every eighth: losses and lines are summed */ \
  _(SAMPLED, 0, 0, 11, 3) \
  /* the places of matches are forgotten */ \
  _(FORGOT, 0, 2 * MATCHES * CHAINS) \
  /* a byte joins the context: small, histories, position; it is noted */ \
  _(FOLLOWED, 0, 1, 16) \
  /* ... is a capital; no letter, perhaps another alphabet's */ \
  _(CAPITAL, 0, 0, 1) \
  _(OTHER, 0, 0, 1) \
  /* ... a letter: into the word's hash; its column is counted */ \
  _(OF_WORD, 0, 0, 4, 1) \
  _(INDENTED, 0, 0, 1) \
  /* a match: is there enough to go by? Its key, hashed in 64 bits; its place is noted */ \
  _(MATCHING, 0, 0, 1) \
  _(CHAINED, 0, 2, 13, 5) \
  /* ... does it go on? Yes */ \
  _(CONTINUED, 1, 0, 1) \
  _(LONGER, 0, 0, 2) \
  /* ... where was the key last? How many bytes are the same: all that there are, as many as can be */ \
  _(SOUGHT, 2, 0, 2) \
  _(SAME, 2, 0, 8) \
  _(NOT_ALL, 0, 0, 1) \
  _(DIFFERS, 2, 0, 5) \
  /* a position: words, column, the byte above, in 64 bits; lengths of matches bounded */ \
  _(POSITION, 0, 0, 13, 10) \
  _(UNDER_ONE, 1, 0, 1) \
  /* ... what a match expects */ \
  _(EXPECTED, 2) \
  /* a model: its context, hashed in 64 bits (two products); what its slot is */ \
  _(CONTEXT, 0, 0, 37, 8) \
  _(PRESENT, 16) \
  _(ROW_SOON, 0, 0, 1) \
  /* a line of eight slots is read: tags masked and compared, compared with nothing, in 64 bits each */ \
  _(CLAIM_MADE, 64, 0, 88) \
  /* ... the slot is written, also where it was known; then with what it had */ \
  _(KEPT, 0, 8, 2) \
  _(KNOWN, 8) \
  /* ... a full line is read twice over for the shortest run, which is taken */ \
  _(FULL, 16 * PROBES, 0, 5 * PROBES + 1) \
  _(RIVAL_RUN, 0, 0, 1) \
  _(SHORTER, 0, 0, 1) \
  _(EVICTED, 0, 8) \
  /* a slot is looked for, and nothing taken: tag, is it empty? */ \
  _(SEARCHED, 0, 0, 7) \
  _(PROBED, 8, 0, 5) \
  _(ANOTHER, 8) \
  _(IN_VAIN, 0, 0, 1) \
  /* logits: rows in pairs */ \
  _(FORWARD, 0, 0, 3) \
  _(PAIR, 0, 0, 5) \
  /* ... a match's weight */ \
  _(MATCH_USED, 4, 0, 2) \
  /* ... a run's weight, by its visits */ \
  _(RUN_USED, 4, 0, 6) \
  /* ... a row's gain, by its visits; where it is */ \
  _(ROW_USED, 4, 0, 5, 2) \
  /* ... a class of it, added within bounds */ \
  _(ADDED, 2, 0, 4, 1) \
  /* softmax: one over the sum */ \
  _(SOFTMAX, 0, 0, 1 + DIV_ADD, DIV_MUL) \
  /* ... a class: the largest, bounded twice, a power of two by a cubic, summed, normalised */ \
  _(CLASS, 0, 0, 23, 5) \
  /* ... halved by a bit of its exponent */ \
  _(HALVED, 0, 0, 1) \
  /* a byte is learned: three rates in 64 bits; was it foreseen? */ \
  _(UPDATE, 0, 0, 7, 6) \
  /* ... a class: its error, a random number of its own */ \
  _(WRONG, 4, 2, 4, 1) \
  /* ... a match's weight */ \
  _(MATCH_LEARNED, 4, 4, 3, 2) \
  /* ... a row: its pace, its gain in 64 bits, its visits */ \
  _(ROW_LEARNED, 8, 12, 15, 4) \
  _(NOT_LEAST, 0, 0, 2) \
  /* ... a class of it: times its error, a step rounded at random, within bounds */ \
  _(ROW_CLASS, 4, 2, 7, 3) \
  /* ... a run: its weight; is it the same class? */ \
  _(RUN_LEARNED, 8, 4, 10, 2) \
  _(AS_BEFORE, 0, 0, 1) \
  /* ... it goes on */ \
  _(RUN_ON, 0, 8, 8) \
  /* ... it is over: is there room? */ \
  _(BROKEN, 0, 0, 1) \
  /* ... a row that leaves what it says as it was */ \
  _(NEW_ROW, 8, 10, 15 + DIV_ADD, 2 + DIV_MUL) \
  _(TRUSTED, 0, 0, 1) \
  _(FILLED, 0, 2, 1, 1) \
  /* ... no room: it begins again */ \
  _(NO_ROOM, 0, 8, 6) \
  /* ... a first visit */ \
  _(FIRST, 0, 8, 6) \
  /* a child: without heredity? Registers are cleared */ \
  _(CHILD, 0, 4 * (MARKS + PARENT), 5) \
  /* ... with: its parent's marks */ \
  _(OWN_CHILD, 4 * MARKS) \
  /* ... without: a random genome */ \
  _(STRANGER, 0, 4 * GENES_OF_TEXT, 2 * GENES_OF_TEXT) \
  /* ... its parent has heard a genome: chance against that of crossing; a gene: whose? */ \
  _(COURTED, 0, 0, 2) \
  _(EITHERS, 0, 0, 2) \
  _(TAKEN, 0, 4) \
  /* ... a change: which model, which bit, how far; is it the last? */ \
  _(ALTERED, 0, 0, 17, 1) \
  /* ... a bit of its mask, or another's gene; a kind of context; a gene as a whole */ \
  _(BIT, 4, 4, 2) \
  _(FLAG, 4, 4, 5) \
  _(SWITCHED, 4, 4, 1) \
  /* ... a longer or shorter stretch */ \
  _(STRETCH, 8, 4, 6) \
  _(WIDER, 0, 0, 2) \
  /* ... its rate; a habit; a rate of the whole: not below the least */ \
  _(RATE, 8, 4, 8) \
  _(HABIT, 8, 4, 13, 1) \
  _(RATE_BYTE, 8, 4, 14, 1) \
  _(NOT_BELOW, 0, 0, 1) \
  /* what it may buy of its parent: each gene's ON, which parts are sold; do matches go by as many bytes? */ \
  _(SALE, 8 + 4 * MODELS, 4, 2 * MODELS + 2) \
  /* ... a model of its parent's: does it listen to the same; is as much wanted? */ \
  _(WARE, 4, 0, 3) \
  _(WANTED, 0, 0, 2) \
  /* ... yes: a gain and a weight in each word */ \
  _(SOLD, 8 * BUCKETS, 4 * BUCKETS, 5 * BUCKETS + 2) \
  /* ... matches: is as much wanted? Yes: two means in each word */ \
  _(ALIKE, 0, 0, 2) \
  _(MATCHES_SOLD, 0, 4 * BUCKETS, 4 * BUCKETS + 2) \
  /* ... of one's weights: a class has been met; any */ \
  _(WEIGHED, 4, 0, 4) \
  _(MET_ANY, 0, 0, DIV_ADD, DIV_MUL) \
  /* a migrant has bought something: which parts, each gene's ON; it is noted */ \
  _(LEGACY, 4 + 4 * MODELS, 4, 2 * MODELS + 2) \
  /* ... a model: has it been bought? Yes: 16 bits are widened, and noted */ \
  _(OWN_GENE, 0, 0, 3) \
  _(BOUGHT, 4 * BUCKETS, 8 * BUCKETS, 3 * BUCKETS + 2, BUCKETS) \
  /* ... matches: a weight for all classes */ \
  _(MATCHES_BOUGHT, 4 * BUCKETS, 4 * MATCHES * BUCKETS * WIDEST, BUCKETS + 1, 2 * BUCKETS) \
  /* merit: is it grown? Its cost, in 64 bits */ \
  _(MERIT, 4) \
  _(HAS_COST, 4, 0, 2)
