// The CPU's side: who runs which tile when, and what is true of the space at a cut. Threads are the
// caller's: each calls `run` on the same space.

// Runs one tile as far as its light cone allows, at most to `until`. False: not a tick was possible.
static bool advance(const Space &space, i64 tile, u32 until) {
  u32 from = space.clocks[tile], limit = light_cone(space, tile, until);
  if (limit <= from) return false;
  Tally tally = {};
  for (u32 tick = from; tick < limit; tick++) tick_tile(space, tile, tick, 0, 1, tally);
  i64 *sums = space.tallies + tile * TALLIES;
  for (i32 i = 0; i < TALLIES; i++) sums[i] += tally.count[i];
  release(space.clocks + tile, limit);
  COUNTED();
  return true;
}

// Brings every tile of this space to `until`; thread `thread` of `threads` begins at its own part and
// helps out wherever a tile is free. No barrier: a tile waits for its neighbours alone.
extern "C" void run(const Space *at, i64 until, i64 thread, i64 threads) {
  const Space &space = *at;
  i64 tiles = space.end_tile - space.begin_tile;
  if (threads == 1) {
    for (bool all = false; !all;) {
      all = true;
      for (i64 tile = space.begin_tile; tile < space.end_tile; tile++) {
        if (space.clocks[tile] < until) advance(space, tile, (u32)until);
        all &= space.clocks[tile] >= until;
      }
    }
    return;
  }
  i64 offset = tiles * thread / threads;
  for (i64 done = 0; done < tiles;) {
    done = 0;
    for (i64 i = 0; i < tiles; i++) {
      i64 tile = space.begin_tile + (i + offset) % tiles;
      if (acquire(space.clocks + tile) >= until) {
        done++;
        continue;
      }
      if (__atomic_exchange_n(space.locks + tile, 1, __ATOMIC_ACQUIRE)) continue;
      if (space.clocks[tile] < until) advance(space, tile, (u32)until);
      release(space.locks + tile, 0);
    }
  }
}

// The same with a barrier of all threads after every tick: what the light cone spares. For comparison.
// arrived: two words of the caller's, zero at first.
extern "C" void run_lockstep(const Space *at, i64 until, i64 thread, i64 threads, u32 *arrived) {
  const Space &space = *at;
  i64 tiles = space.end_tile - space.begin_tile;
  if (threads > tiles) threads = tiles;  // a thread without a tile of its own has no clock to go by
  if (thread >= threads) return;
  i64 first = space.begin_tile + tiles * thread / threads;
  i64 last = space.begin_tile + tiles * (thread + 1) / threads;
  u32 from = space.clocks[first];
  for (u32 tick = from; tick < until; tick++) {
    for (i64 tile = first; tile < last; tile++) advance(space, tile, tick + 1);
    if (__atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL) == (tick - from + 1) * (u32)threads)
      release(arrived + 1, tick + 1);
    while (acquire(arrived + 1) < tick + 1) {
    }
  }
}

// `steps` times: any tile, any number of ticks that its light cone allows. A schedule that no machine
// would choose, for the proof that schedules do not matter. Tiles may end at different ticks.
extern "C" void run_at_random(const Space *at, i64 until, i64 steps, i64 seed) {
  const Space &space = *at;
  for (i64 step = 0; step < steps; step++) {
    Dice d = philox((u32)step, (u32)(step >> 32), 0, 0, (u32)seed, (u32)((u64)seed >> 32));
    i64 tile = space.begin_tile + below(d.word[0], (u32)(space.end_tile - space.begin_tile));
    u32 from = space.clocks[tile], limit = light_cone(space, tile, (u32)until);
    if (limit > from) advance(space, tile, from + 1 + below(d.word[1], limit - from));
  }
}

// Energy on its way: `count` gets what has been sent from this space's tiles and not yet received. The
// clocks of the two locations decide it, so the cut may be ragged, as long as light could have made it.
extern "C" i64 in_flight(const Space *at) {
  const Space &space = *at;
  i64 sum = 0;
  i32 where[AXES];
  for (i64 loc = space.begin_tile * space.tile; loc < space.end_tile * space.tile; loc++) {
    locate(space, loc, where);
    i64 clock = space.clocks[loc / space.tile];
    for (i32 a = 0; a < AXES; a++) {
      const Axis &axis = space.axes[a];
      if (axis.length == 1) continue;
      for (i64 back = 0; back < 2 && clock; back++) {
        i64 opening = (clock - 1) / axis.stretch - back;
        if (opening < 0) break;
        u8 bits = space.outbox[(axis.slot * 2 + (opening & 1)) * space.locations + loc];
        for (i32 direction = 0; direction < 2; direction++) {
          if (!(bits >> direction & MIGRANT)) continue;
          bool end = where[a] == (direction == UP ? axis.length - 1 : 0);
          i64 step = direction == UP ? axis.stride : -axis.stride;
          i64 target = loc + (end ? -step * (axis.length - 1) : step);
          if (space.clocks[target / space.tile] > (opening + 1) * axis.stretch) continue;
          sum += (i32)(messages(space, axis, direction, opening & 1) + loc * MESSAGE)[M_ENERGY];
        }
      }
    }
  }
  return sum;
}

// The biology's share of so many ticks and nothing of the engine's: everybody lives, nobody pays, tile
// after tile, so that memory is as near as it can be. For benchmarks; the space is of no use afterwards.
extern "C" void live_only(const Space *at, i64 ticks) {
  const Space &space = *at;
  for (i64 tile = space.begin_tile; tile < space.end_tile; tile++)
    for (i64 tick = 0; tick < ticks; tick++)
      for (i64 loc = tile * space.tile; loc < (tile + 1) * space.tile; loc++) {
        if (!space.energy[loc]) continue;
        Here here;
        here.space = &space, here.tick = (u32)tick, here.id = (u32)(space.first_id + loc);
        here.genome = space.body + loc * BODY + OWN, here.state = here.genome + GENOME;
        here.arena = space.arena + loc * ARENA;
        here.heard = 0, here.energy = space.energy[loc];
        here.earned = 0, here.spent = 0, here.tells = 0, here.barren = 0;
        live(here);
        add64(space.tallies, here.earned - here.spent);  // so that no compiler finds it idle
      }
}

// The strength of a hash is not needed, only that it depends on every word and its place: a sum of
// mixed words, so that parts of a space can be hashed apart and added.
static u64 mixed(u64 word, u64 place) {
  if (!word) return 0;
  u64 x = word + place * 0x9E3779B97F4A7C15ull;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ x >> 27) * 0x94D049BB133111EBull;
  return x ^ x >> 31;
}

// A message's salt is SALT_MESSAGE + 2 * axis + direction: 19 in all, so five bits.
enum { SALT_ENERGY, SALT_SETTLED, SALT_BODY, SALT_ARENA, SALT_MESSAGE };

static u64 place(u64 salt, u64 id, u64 word) { return (salt << 59) + (id << 27) + word + 1; }

// Hash of the owned tiles when all of them stand at `clock`, messages on their way included.
extern "C" u64 hash(const Space *at, i64 clock) {
  const Space &space = *at;
  u64 sum = 0;
  for (i64 loc = space.begin_tile * space.tile; loc < space.end_tile * space.tile; loc++) {
    u64 id = (u64)(space.first_id + loc);
    sum += mixed((u32)space.energy[loc], place(SALT_ENERGY, id, 0));
    sum += mixed(space.settled[loc], place(SALT_SETTLED, id, 0));
    for (i32 i = 0; i < BODY; i++)
      sum += mixed(space.body[loc * BODY + i], place(SALT_BODY, id, i));
    const u64 *arena = (const u64 *)(space.arena + loc * ARENA);
    for (i32 i = 0; i < ARENA / 8; i++) sum += mixed(arena[i], place(SALT_ARENA, id, i));
    for (i32 a = 0; a < AXES && clock; a++) {
      const Axis &axis = space.axes[a];
      if (axis.length == 1) continue;
      i32 opening = (clock - 1) / axis.stretch & 1;  // the last before `clock`: alone on its way
      u8 bits = space.outbox[(axis.slot * 2 + opening) * space.locations + loc];
      for (i32 direction = 0; direction < 2; direction++) {
        const u32 *message = messages(space, axis, direction, opening) + loc * MESSAGE;
        u64 salt = SALT_MESSAGE + 2 * a + direction;
        u32 carried = message[M_CARRIED];
        for (i32 i = 0; i < MESSAGE; i++) {
          bool signal = i >= M_SIGNAL && i < M_CARRY, sent = bits >> direction & MIGRANT;
          bool counts = signal ? bits >> direction & SPOKEN : sent && i < M_CARRY + (i32)carried;
          if (counts) sum += mixed(message[i], place(salt, id, i));
        }
      }
    }
  }
  return sum;
}

// The owned location of highest merit, and that merit; -1 where nobody lives. The first of equals.
extern "C" void champion(const Space *at, i64 *out) {
  const Space &space = *at;
  out[0] = -1, out[1] = 0;
  for (i64 loc = space.begin_tile * space.tile; loc < space.end_tile * space.tile; loc++) {
    COUNT(ASKED, 1);
    if (!space.energy[loc]) continue;
    COUNT(CANDIDATE, 1), COUNT(RIVAL, out[0] >= 0);
    const u32 *own = space.body + loc * BODY + OWN;
    i64 found = merit(space, own, own + GENOME);
    if (out[0] < 0 || found > out[1]) out[0] = loc, out[1] = found;
  }
}

// What this library was compiled with; layout.py compares.
extern "C" void sizes(i64 *out) {
  out[0] = GENOME, out[1] = STATE, out[2] = SIGNAL, out[3] = CARRY, out[4] = FIXED_ARENA;
  out[5] = sizeof(Space), out[6] = BODY, out[7] = MESSAGE, out[8] = TALLIES;
}

extern "C" void random_block(const u32 *counter, const u32 *key, u32 *out) {
  Dice d = philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  for (i32 i = 0; i < 4; i++) out[i] = d.word[i];
}
