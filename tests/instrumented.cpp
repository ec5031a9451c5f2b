// Behind a biology and the engine, instead of cpu.h: every location's ticks, and the best of them, with
// the operations that they take. What belongs to the schedule (open axes, coordinates) is left out.
template <class F> static void aside(F work) {
  unsigned long long a = adds, m = muls;
  work();
  adds = a, muls = m;
}

extern "C" void run(const Space *at, i64 until, i64, i64) {
  const Space &space = *at;
  Tally tally = {};
  for (int tick = (int)space.clocks[0].v; tick < until.v; tick++) {
    Open open[AXES];
    i32 opens = 0, where[AXES];
    aside([&] { opens = open_axes(space, tick, open); });
    for (int loc = 0; loc < space.locations.v; loc++) {
      aside([&] { locate(space, loc, where); });
      tick_location(space, open, opens, where, loc, tick, tally);
    }
  }
  for (int tile = 0; tile < space.tiles.v; tile++) space.clocks[tile].v = (unsigned)until.v;
  for (int i = 0; i < TALLIES; i++) space.tallies[i].v += tally.count[i].v;
}

extern "C" void champion(const Space *at, i64 *out) {
  const Space &space = *at;
  out[0].v = -1, out[1].v = 0;
  for (int loc = 0; loc < space.locations.v; loc++) {
    if (!space.energy[loc]) continue;
    const u32 *own = space.body + loc * BODY + OWN;
    i64 found = merit(space, own, own + GENOME);
    if (out[0] < 0 || found > out[1]) out[0] = loc, out[1] = found;
  }
}

extern "C" void take_operations(unsigned long long *out) {
  out[0] = adds, out[1] = muls;
  adds = muls = 0;
}
