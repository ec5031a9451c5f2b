// The least that can live: it has nothing, is told nothing and learns nothing, it earns and it breeds.
// params: income per tick.

#define GENOME 0
#define STATE 0
#define SIGNAL 0
#define CARRY 0
#define ARENA 0
#include "space.h"

DEVICE void arrive(Here &, const u32 *, u32) {}
DEVICE void live(Here &here) { here.earned += here.space->params[0]; }
DEVICE void conceive(Here &, u32 *, u32 *, u32) {}
DEVICE u32 pack(Here &, const u32 *, u32 *, u32) { return 0; }
DEVICE i64 merit(const Space &, const u32 *, const u32 *) { return 0; }
