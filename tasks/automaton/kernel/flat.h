// Steps of rings of `width` cells, WORDS * 64 configurations at once, by a rule that is compiled in.
//
// Before this text come INPUTS (cells of a neighbourhood), STILL (whether uniform configurations stay as
// they are) and ruled<J>(x): what the rule makes of the cells x[J], x[J + 1], ... x[J + INPUTS - 1], the
// leftmost first, indices modulo INPUTS.
//
// A ring is worked on in place. Its neighbourhood slides along it in registers, of which every cell takes
// the place of the one that is left behind, and the first cells are kept for the ring's end. Cell i lies
// at row[i * stride].

enum { RADIUS_ = INPUTS / 2, LOOK_EVERY_ = 16 };       // steps between two looks at whether all is over

// INPUTS cells on from cell i, all of whose neighbours to the right are within the row.
template <i32 J> DEVICE void slide(Words *x, Words *row, u64 stride, u64 i) {
  if constexpr (J < INPUTS) {
    x[(J + INPUTS - 1) % INPUTS] = row[(i + J + RADIUS_) * stride];
    row[(i + J) * stride] = ruled<J>(x);
    slide<J + 1>(x, row, stride, i);
  }
}

DEVICE void step_flat(Words *row, u64 stride, u64 width) {
  Words x[INPUTS], first[RADIUS_];
  for (i32 k = 0; k < RADIUS_; k++) {
    first[k] = row[k * stride];
    x[k] = row[(width - RADIUS_ + k) * stride], x[RADIUS_ + k] = first[k];
  }
  u64 i = 0;
  for (; i + INPUTS + RADIUS_ <= width; i += INPUTS) slide<0>(x, row, stride, i);
  for (; i < width; i++) {
    u64 right = i + RADIUS_;
    x[INPUTS - 1] = right < width ? row[right * stride] : first[right - width];
    row[i * stride] = ruled<0>(x);
    for (i32 k = 0; k + 1 < INPUTS; k++) x[k] = x[k + 1];
  }
}

DEVICE bool any(Words x) {
#if WORDS == 1
  return x != 0;
#else
  u64 found = 0;
  for (i32 k = 0; k < WORDS; k++) found |= x[k];
  return found != 0;
#endif
}

// Ends early where every configuration is uniform and stays so, unless `whole`.
DEVICE void run_flat(Words *row, u64 stride, u64 width, u32 steps, u32 whole) {
  for (u32 step = 0; step < steps; step++) {
    if (STILL && !whole && step % LOOK_EVERY_ == 0) {
      u64 i = 1;
      while (i < width && !any(row[i * stride] ^ row[0])) i++;
      if (i == width) return;
    }
    step_flat(row, stride, width);
  }
}

#ifndef __CUDACC__
// Words first ... last - 1 of a state [width, words]. row: [width], to work in.
extern "C" void run_states(const u64 *from, u64 *to, u64 words, u64 width, u64 first, u64 last, u32 steps,
                           u32 whole, Words *row) {
  for (u64 at = first; at < last; at += WORDS) {
    u64 many = last - at < WORDS ? last - at : WORDS;
    for (u64 i = 0; i < width; i++) {
      row[i] = Words{};
      for (u64 k = 0; k < many; k++) row[i][k] = from[i * words + at + k];
    }
    run_flat(row, 1, width, steps, whole);
    for (u64 i = 0; i < width; i++)
      for (u64 k = 0; k < many; k++) to[i * words + at + k] = row[i][k];
  }
}
#endif
