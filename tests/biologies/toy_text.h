// A text biology of the least size: an organism remembers for each byte what came after it last, and
// earns where that is right. It tells a neighbour its last surprise. For the tests of the engine: it has
// all that the contract knows, an arena, a stream of its own, signals, learned state sold by the word.
//
// params: bytes of the text, bytes per tick, income per byte that was foreseen, price of a byte of the
// arena that is touched. data[0]: the text. A byte of 0 in the arena: nothing is known.

enum { P_LENGTH, P_CHUNK, P_INCOME, P_TOUCH };
enum { EAR };                            // genome: listens with probability EAR's low byte / 256
enum { CURSOR, LAST, RECENT };           // registers; RECENT: a bit per byte of late, set if foreseen

#define GENOME 1
#define STATE 3
#define SIGNAL 1                         // last byte * 256 + the one that came
#define CARRY 64
#define ARENA 256
#include "space.h"

DEVICE void arrive(Here &here, const u32 *carry, u32 carried) {
  for (u32 i = 0; i < ARENA / 4; i++) ((u32 *)here.arena)[i] = i < carried ? carry[i] : 0;
  here.state[CURSOR] = below(here.id * 0x9E3779B9u, (u32)here.space->params[P_LENGTH]);
  here.state[LAST] = here.state[RECENT] = 0;
}

DEVICE void live(Here &here) {
  const i64 *params = here.space->params;
  u32 *state = here.state;
  i64 touched = 0;
  if (here.heard && (roll(here, 0).word[0] & 255) < (here.genome[EAR] & 255))
    for (i32 i = 0; i < here.heard; i++, touched++) {
      u8 *known = here.arena + (*here.signals[i] >> 8);
      if (!*known) *known = (u8)*here.signals[i];
    }
  for (i64 k = 0; k < params[P_CHUNK]; k++, touched++) {
    u8 byte = ((const u8 *)here.space->data[0])[state[CURSOR]], *known = here.arena + state[LAST];
    bool foreseen = *known == byte;
    state[RECENT] = state[RECENT] << 1 | foreseen;
    if (foreseen) {
      here.earned += params[P_INCOME];
    } else {
      *known = byte, touched++;
      here.tells = 1, here.signal[0] = state[LAST] << 8 | byte;
    }
    state[LAST] = byte;
    state[CURSOR] = state[CURSOR] + 1 < params[P_LENGTH] ? state[CURSOR] + 1 : 0;
  }
  here.spent += touched * params[P_TOUCH];
}

DEVICE void conceive(Here &here, u32 *genome, u32 *state, u32 rate) {
  Dice d = roll(here, 1);
  for (i32 i = 0; i < STATE; i++) state[i] = 0;
  if (rate == ANEW)
    genome[EAR] = d.word[0];
  else if ((d.word[0] & 255) < rate)
    genome[EAR] ^= 1u << (d.word[1] & 7);
}

DEVICE u32 pack(Here &here, const u32 *, u32 *carry, u32 wanted) {
  for (u32 i = 0; i < wanted; i++) carry[i] = ((const u32 *)here.arena)[i];
  return wanted;
}

DEVICE i64 merit(const Space &, const u32 *, const u32 *state) { return POPCOUNT((u64)state[RECENT]); }
