// The space as the kernel sees it: flat arrays and seven axes. `layout.py` mirrors `Axis` and `Space`
// field by field; every field has eight bytes, so there is no padding to agree about.
//
// The biology that is compiled in has defined, before this text:
//   GENOME, STATE   words of an organism's genome (beyond the engine's own two) and of its registers
//   SIGNAL          words of a signal (0: none)
//   CARRY           words of learned state that a child can buy (0: none)
//   ARENA           bytes of a location's arena (a multiple of 8); where they are a space's own affair,
//                   FIXED_ARENA is 0

#ifndef FIXED_ARENA
#define FIXED_ARENA ARENA
#endif

enum { AXES = 7 };

// An organism's words: which founder it descends from, the tick of its birth, the engine's genes, the
// biology's genes, its registers.
enum { LINEAGE, BORN, GENES, WEIGHTS, OWN, BODY = OWN + GENOME + STATE };

// A message's words: the migrant's energy, how many words it carries, its body, a signal, the carried.
enum { M_ENERGY, M_CARRIED, M_BODY, M_SIGNAL = M_BODY + BODY, M_CARRY = M_SIGNAL + SIGNAL,
       MESSAGE = M_CARRY + CARRY };

// What a tile counts. MINTED and BURNED are energy, the others are events.
enum { MINTED, BURNED, BIRTHS, STARVED, DISPLACED, REPELLED, SETTLED, CAPPED, LIVED, TOLD, TALLIES };

enum { UP, DOWN };                       // directions: to the next higher coordinate, to the next lower
enum { MIGRANT = 1, SPOKEN = 4 };        // bits of an outbox, shifted by the direction

struct Axis {
  i64 length, ring, stretch, toll, stride, slot;  // slot: its number among axes longer than 1, or -1
};

struct Space {
  Axis axes[AXES];
  i64 locations, tile, tiles, outer;     // axes before `outer` lie between tiles, the others inside
  i64 begin_tile, end_tile;              // the tiles that are computed here; others are ghosts
  i64 first_id;                          // the number of location 0 in the whole space
  i64 seed;
  i64 cap, settle, rent, breed, price;   // `Economy` in biology.py says what they mean
  i64 fertile, neighbours, heredity;     // 0: an ablation without it
  i64 params[16];                        // the biology's
  i32 *energy;                           // [locations], 0 where nobody lives
  u32 *body;                             // [locations][BODY]
  u8 *arena;                             // [locations][ARENA]
  u8 *settled;                           // [locations]
  u8 *outbox;                            // [slots][2 openings][locations]
  u32 *messages;                         // [slots][2 directions][2 openings][locations][MESSAGE]
  u32 *clocks;                           // [tiles], the tick that a tile will do next
  u32 *locks;                            // [tiles]
  i64 *tallies;                          // [tiles][TALLIES]
  const void *data[8];                   // the biology's: what there is to learn from
};

// One location during one tick, as a biology sees it.
struct Here {
  const Space *space;
  u32 tick, id;                          // id: the location's number in the whole space
  i32 energy;
  u32 *genome, *state;                   // [GENOME], [STATE]
  u8 *arena;                             // [ARENA]
  i32 heard;                             // signals that have arrived, at most 14
  const u32 *signals[2 * AXES];
  i64 earned, spent;                     // the biology adds what this tick, and arriving, bring and cost
  i32 tells;                             // ... and whether `signal` is to be sent
  i32 barren;                            // ... and whether it has no children yet
  u32 signal[SIGNAL + 1];
};

DEVICE Dice dice(const Space &space, u32 tick, u32 id, u32 draw, u32 stream) {
  COUNT(DICE, 1);
  return philox(tick, id, draw, stream, (u32)space.seed, (u32)((u64)space.seed >> 32));
}

enum { ENGINE_STREAM, BIOLOGY_STREAM };
enum { ANEW = 256 };                     // a mutation rate above all: nothing is inherited

DEVICE Dice roll(const Here &here, u32 draw) {
  return dice(*here.space, here.tick, here.id, draw, BIOLOGY_STREAM);
}
