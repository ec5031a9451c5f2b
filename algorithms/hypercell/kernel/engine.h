// One tick of one location: receive, learn, earn and pay, reproduce, tell. oracle.py does the same in
// slow Python and is the judge.

// An axis that opens at this tick: where its messages are read and written.
struct Open {
  i32 axis, last, ring;                  // last: the highest coordinate
  i64 toll, stride, wrap;                // wrap: from one end of a ring to the other
  const u8 *in;                          // what was sent one stretch ago; null at the first opening
  u8 *out;
  const u32 *in_messages[2];
  u32 *out_messages[2];
};

struct Tally {
  i64 count[TALLIES];
};

DEVICE u32 *messages(const Space &space, const Axis &axis, i32 direction, i32 opening) {
  return space.messages +
         ((axis.slot * 2 + direction) * 2 + opening) * space.locations * (i64)MESSAGE;
}

// Axis a opens at multiples of its stretch T; what is sent at t arrives at t + T.
DEVICE i32 open_axes(const Space &space, u32 tick, Open *open) {
  i32 opens = 0;
  if (!space.neighbours) return 0;
  for (i32 a = 0; a < AXES; a++) {
    const Axis &axis = space.axes[a];
    u32 stretch = (u32)axis.stretch;
    if (axis.length == 1 || tick % stretch) continue;
    i32 now = (tick / stretch) & 1;
    Open &o = open[opens++];
    o.axis = a, o.last = (i32)axis.length - 1, o.ring = (i32)axis.ring, o.toll = axis.toll;
    o.stride = axis.stride, o.wrap = axis.stride * (axis.length - 1);
    u8 *boxes = space.outbox + axis.slot * 2 * space.locations;
    o.in = tick ? boxes + (now ^ 1) * space.locations : 0;
    o.out = boxes + now * space.locations;
    for (i32 direction = 0; direction < 2; direction++) {
      o.in_messages[direction] = messages(space, axis, direction, now ^ 1);
      o.out_messages[direction] = messages(space, axis, direction, now);
    }
  }
  return opens;
}

// How far the neighbour lies whose messages came in `direction`, i.e. against it; 0: there is none.
DEVICE i64 behind(const Open &o, i32 at, i32 direction) {
  if (direction == UP) return at > 0 ? -o.stride : o.ring ? o.wrap : 0;
  return at < o.last ? o.stride : o.ring ? -o.wrap : 0;
}

// An open axis by the genome's weights and a direction that leads somewhere; -1: no axis is wanted.
DEVICE i32 choose(const Open *open, i32 opens, const i32 *at, u32 weights, u32 r0, u32 r1,
                  i32 &direction) {
  u32 sum = 0;
  COUNT(OPTION, opens);
  for (i32 i = 0; i < opens; i++) sum += weights >> 4 * open[i].axis & 15;
  if (!sum) return -1;
  u32 left = below(r0, sum);
  i32 chosen = 0;
  for (;; chosen++) {
    u32 weight = weights >> 4 * open[chosen].axis & 15;
    if (left < weight) break;
    left -= weight;
  }
  const Open &o = open[chosen];
  direction = r1 & 1;
  COUNT(CHOSEN, 1), COUNT(PASSED, chosen), COUNT(BOUNDED, !o.ring);
  if (!o.ring && at[o.axis] == (direction == UP ? o.last : 0)) {
    direction ^= 1;
    COUNT(TURNED, 1);
  }
  return chosen;
}

// The stronger arrival displaces; at a tie the earlier axis and direction, before all the resident.
DEVICE i32 receive(const Space &space, const Open *open, i32 opens, const i32 *at, i64 loc, Here &here,
                   i32 energy, Tally &tally) {
  i32 best = energy;
  const u32 *winner = 0;
  for (i32 i = 0; i < opens; i++) {
    const Open &o = open[i];
    if (!o.in) continue;
    for (i32 direction = 0; direction < 2; direction++) {
      i64 offset = behind(o, at[o.axis], direction);
      COUNT(LOOK, 1), COUNT(NEIGHBOUR, offset != 0);
      if (!offset) continue;
      u32 bits = o.in[loc + offset] >> direction;
      if (!(bits & (MIGRANT | SPOKEN))) continue;
      const u32 *message = o.in_messages[direction] + (loc + offset) * MESSAGE;
      COUNT(PARCEL, 1), COUNT(CALL, (bits & SPOKEN) != 0);
      if (bits & SPOKEN) here.signals[here.heard++] = message + M_SIGNAL;
      if (!(bits & MIGRANT)) continue;
      COUNT(COMER, 1);
      i32 coming = (i32)message[M_ENERGY];
      if (coming > best) {
        COUNT(REPELS, winner != 0);
        if (winner) tally.count[BURNED] += best, tally.count[REPELLED]++;
        winner = message, best = coming;
      } else {
        COUNT(REPELS, 1);
        tally.count[BURNED] += coming, tally.count[REPELLED]++;
      }
    }
  }
  if (!winner) return energy;
  COUNT(SETTLER, 1), COUNT(DISPLACES, energy != 0);
  if (energy) tally.count[BURNED] += energy, tally.count[DISPLACED]++;
  u32 *body = space.body + loc * BODY;
  for (i32 i = 0; i < BODY; i++) body[i] = winner[M_BODY + i];
  if (!space.settled[loc]) {
    COUNT(PIONEER, 1);
    space.settled[loc] = 1;
    best += (i32)space.settle;
    tally.count[MINTED] += space.settle, tally.count[SETTLED]++;
  }
  here.energy = best;
  arrive(here, winner + M_CARRY, winner[M_CARRIED]);
  return best;
}

// The engine's genes of a child: each byte of rate, threshold, share, purchase and the axes' weights
// loses or gains one bit with probability rate / 256; the rate itself is one of them. Without heredity
// (rate ANEW) all of them are drawn anew.
DEVICE void mutate(u32 *genes, u32 rate, const Dice &d) {
  if (rate == ANEW) {
    genes[0] = d.word[0], genes[1] = d.word[1];
    return;
  }
  for (i32 i = 0; i < 8; i++) {
    u32 chance = d.word[i / 2] >> 16 * (i & 1);
    COUNT(MUTATION, (chance & 255) < rate);
    if ((chance & 255) < rate) genes[i / 4] ^= 1u << (8 * (i & 3) + (chance >> 8 & 7));
  }
}

// A child and its way: returns what is left of the parent's energy. Sets `sent` to the open axis.
DEVICE i64 reproduce(const Space &space, const Open *open, i32 opens, const i32 *at, i64 loc,
                     Here &here, i64 energy, const Dice &d, i32 &sent, i32 &direction, Tally &tally) {
  const u32 *body = here.genome - OWN;
  u32 genes = body[GENES];
  COUNT(TRY, 1);
  i32 chosen = choose(open, opens, at, body[WEIGHTS], d.word[0], d.word[1], direction);
  if (chosen < 0) return energy;
  const Open &o = open[chosen];
  i64 gift = energy * (i64)((genes >> 16 & 255) + 1) >> 9;  // at most half
  i64 cost = o.toll;
  COUNT(OFFER, 1), COUNT(GIFT, gift > 0);
  if (gift <= 0 || energy - gift - cost <= 0) return energy;
  u32 *message = o.out_messages[direction] + loc * MESSAGE, *child = message + M_BODY;
  for (i32 i = 0; i < BODY; i++) child[i] = body[i];
  child[BORN] = here.tick;
  u32 rate = space.heredity ? genes & 255 : (u32)ANEW;
  COUNT(BIRTH, 1), COUNT(HEIR, rate != ANEW), COUNT(FOUNDLING, rate == ANEW);
  mutate(child + GENES, rate, dice(space, here.tick, here.id, 1, ENGINE_STREAM));
  conceive(here, child + OWN, child + OWN + GENOME, rate);
  u32 wanted = rate == ANEW ? 0 : (u32)CARRY * ((genes >> 24) + 1) >> 8, carried = 0;
  COUNT(BUY, wanted != 0);
  if (wanted && ((i64)wanted * space.price >> 4) < energy - gift - cost)
    carried = pack(here, child + OWN, message + M_CARRY, wanted);
  if (((i64)carried * space.price >> 4) >= energy - gift - cost) carried = 0;  // more than was wanted
  cost += (i64)carried * space.price >> 4;
  message[M_ENERGY] = (u32)gift, message[M_CARRIED] = carried;
  sent = chosen;
  COUNT(SENT_0 + o.axis, 4 * (M_SIGNAL + carried));
  tally.count[BURNED] += cost, tally.count[BIRTHS]++;
  return energy - gift - cost;
}

// at: the location's coordinate on each axis.
DEVICE void tick_location(const Space &space, const Open *open, i32 opens, const i32 *at, i64 loc,
                          u32 tick, Tally &tally) {
  u32 *body = space.body + loc * BODY;
  Here here;
  here.space = &space, here.tick = tick, here.id = (u32)(space.first_id + loc);
  here.genome = body + OWN, here.state = body + OWN + GENOME;
  here.arena = space.arena + loc * ARENA;
  here.heard = 0, here.energy = 0, here.earned = 0, here.spent = 0, here.tells = 0, here.barren = 0;
  COUNT(TICK, 1), COUNT(POST, opens);
  i64 energy = receive(space, open, opens, at, loc, here, space.energy[loc], tally);
  if (!energy) {
    for (i32 i = 0; i < opens; i++) open[i].out[loc] = 0;
    return;
  }
  tally.count[LIVED]++;
  COUNT(LIFE, 1);
  here.energy = (i32)energy;
  live(here);
  tally.count[MINTED] += here.earned;
  energy += here.earned;
  i64 due = here.spent + space.rent;
  if (due >= energy) {
    COUNT(DEATH, 1);
    tally.count[BURNED] += energy, tally.count[STARVED]++;
    space.energy[loc] = 0;
    for (i32 i = 0; i < BODY; i++) body[i] = 0;
    for (i32 i = 0; i < opens; i++) open[i].out[loc] = 0;
    return;
  }
  tally.count[BURNED] += due;
  energy -= due;
  COUNT(SURVIVAL, 1), COUNT(LETTER, opens), COUNT(FERTILE, opens && space.fertile && !here.barren);
  if (energy > space.cap) {
    COUNT(CAP, 1);
    tally.count[BURNED] += energy - space.cap, tally.count[CAPPED]++;
    energy = space.cap;
  }
  i32 sent = -1, told = -1, direction = 0, towards = 0;
  bool fertile = opens && space.fertile && !here.barren && energy >= (i64)((body[GENES] >> 8 & 255) + 1) * space.breed;
  if (fertile || (opens && here.tells)) {
    Dice d = dice(space, tick, here.id, 0, ENGINE_STREAM);
    if (fertile)
      energy = reproduce(space, open, opens, at, loc, here, energy, d, sent, direction, tally);
    if (SIGNAL > 0 && here.tells) {
      told = choose(open, opens, at, body[WEIGHTS], d.word[2], d.word[3], towards);
      COUNT(TELL, 1), COUNT(AFFORD, told >= 0);
      if (told >= 0 && open[told].toll < energy) {
        energy -= open[told].toll;
        tally.count[BURNED] += open[told].toll, tally.count[TOLD]++;
        u32 *message = open[told].out_messages[towards] + loc * MESSAGE + M_SIGNAL;
        COUNT(SIGNALLED, 1), COUNT(SENT_0 + open[told].axis, 4 * SIGNAL);
        for (i32 i = 0; i < SIGNAL; i++) message[i] = here.signal[i];
      } else {
        told = -1;
      }
    }
  }
  space.energy[loc] = (i32)energy;
  for (i32 i = 0; i < opens; i++)
    open[i].out[loc] = (u8)((i == sent ? MIGRANT << direction : 0) |
                            (i == told ? SPOKEN << towards : 0));
}

// The coordinates of a location. 32 bits, as for `id`: a GPU divides 64 in a hundred instructions.
DEVICE void locate(const Space &space, i64 loc, i32 *at) {
  u32 rest = (u32)loc;
  for (i32 a = 0; a < AXES; a++) {
    at[a] = 0;
    if (space.axes[a].length == 1) continue;
    u32 stride = (u32)space.axes[a].stride;
    at[a] = (i32)(rest / stride);
    rest %= stride;
  }
}

// One tick of a whole tile, whose open axes are known; `lane` of `lanes` threads does every lanes-th
// location.
DEVICE void tick_lane(const Space &space, const Open *open, i32 opens, i64 tile, u32 tick, i64 lane,
                      i64 lanes, Tally &tally) {
  i32 at[AXES];
  i64 loc = tile * space.tile + lane, end = (tile + 1) * space.tile;
  locate(space, loc, at);
  while (loc < end) {
    tick_location(space, open, opens, at, loc, tick, tally);
    loc += lanes;
    if (lanes > 1) {
      if (loc < end) locate(space, loc, at);
      continue;
    }
    for (i32 a = AXES - 1; a >= 0; a--) {  // an odometer, where lanes is 1: division is dear
      if (++at[a] < space.axes[a].length) break;
      at[a] = 0;
    }
  }
}

DEVICE void tick_tile(const Space &space, i64 tile, u32 tick, i64 lane, i64 lanes, Tally &tally) {
  Open open[AXES];
  i32 opens = open_axes(space, tick, open);
  tick_lane(space, open, opens, tile, tick, lane, lanes, tally);
}

// What the neighbour in `direction` along axis a allows a tile: the tick before which it may run. A
// neighbour across an axis of stretch T must have done tick t - T before a tile may do tick t, where t is
// a multiple of T. Two openings of slots are then enough.
DEVICE u64 horizon(const Space &space, i64 tile, i32 a, i32 direction) {
  const Axis &axis = space.axes[a];
  if (axis.length == 1) return ~0ull;
  i64 stride = axis.stride / space.tile, at = tile / stride % axis.length;
  bool end = direction == UP ? at == axis.length - 1 : at == 0;
  if (end && !axis.ring) return ~0ull;
  i64 step = direction == UP ? stride : -stride;
  i64 other = tile + (end ? -step * (axis.length - 1) : step);
  u32 stretch = (u32)axis.stretch;
  return ((u64)acquire(space.clocks + other) + 2 * (u64)stretch - 1) / stretch * stretch;
}

DEVICE u32 light_cone(const Space &space, i64 tile, u32 until) {
  u32 limit = until;
  for (i32 a = 0; a < space.outer; a++)
    for (i32 direction = 0; direction < 2; direction++) {
      u64 reach = horizon(space, tile, a, direction);
      if (reach < limit) limit = (u32)reach;
    }
  return limit;
}
