// A grown organism as a predictor: segments side by side, each in a lane that begins with what it knows. A
// lane that goes on learning copies what it changes: weights at once, slots and rows when they are met.

struct Model {
  Traits traits;
  Learned learned;
  Table table;
  i32 width;
  u32 scale;                             // of all rates while predicting, 2^-16; 0: nothing is learned
  u8 class_of[256];
  float share[256];                      // ln of a byte's share of its class
};

struct Lane {
  Reader reader;
  Look look;
  Kinds is;
  Learned learned;
  Table table;                           // its own, where it learns
  u32 used, ready;                       // ready: what follows is of the present position
  u32 total;
  i32 top;
  u64 value[MODELS], *slots[MODELS];
  const i16 *base[MODELS];
  i16 z[WIDEST], p[WIDEST];
  u16 seeds[WIDEST];
};

// The slot of model j: the lane's own, copied from the model's, where it learns and has room.
DEVICE void resolve(const Model &model, Lane &lane, i32 j) {
  u64 hash = lane.look.hash[j];
  i32 width = model.width;
  lane.slots[j] = 0;
  if (model.scale) {
    Table &own = lane.table;
    bool room = lane.used + MODELS <= own.capacity;
    u32 s = room ? claim(own, hash) : find(own, hash);
    if (s != NONE && (room || visits_of(own.slots[s]))) {
      u64 &slot = own.slots[s];
      if (!visits_of(slot)) {
        u32 i = find(model.table, hash);
        u64 known = i == NONE ? 0 : model.table.slots[i];
        if (known & ROW) {
          u32 index = lane.used++;
          const i16 *row = model.table.rows + (u64)payload_of(known) * width;
          for (i32 k = 0; k < width; k++) own.rows[(u64)index * width + k] = row[k];
          known = (known & ~0x7FFFFFFFull) | index;
        }
        slot = (slot & TAGS) | (known & ~TAGS);
      }
      lane.slots[j] = room ? &slot : 0;
      lane.value[j] = slot, lane.base[j] = own.rows;
      return;
    }
  }
  u32 i = find(model.table, hash);
  lane.value[j] = i == NONE ? 0 : model.table.slots[i];
  lane.base[j] = model.table.rows;
}

DEVICE void predict_lane(const Model &model, Lane &lane, i32 width) {
  const Traits &t = model.traits;
  if (lane.ready) return;
  look_at(lane.reader, t, model.class_of, lane.look);
  for (i32 j = 0; j < t.models; j++) PREFETCH(model.table.slots + line_of(model.table, lane.look.hash[j]));
  for (i32 j = 0; j < t.models; j++) resolve(model, lane, j);
  sort_out(lane.value, t.models, lane.is);
  const Learned &w = model.scale ? lane.learned : model.learned;
  forward(t, w, lane.base, lane.value, lane.is, lane.look, width, lane.z);
  lane.top = softmax(lane.z, width, lane.p, &lane.total);
  lane.ready = 1;
}

DEVICE void observe_lane(const Model &model, Lane &lane, u8 byte, i32 width) {
  if (model.scale) {
    predict_lane(model, lane, width);
    update(model.traits, lane.learned, lane.table, lane.used, lane.slots, lane.value, lane.is, lane.look,
           lane.p, model.class_of[byte], model.scale, lane.seeds, width);
  }
  follow(lane.reader, model.traits.least, byte);
  lane.ready = 0;
}

extern "C" u64 size_of(int what) {
  return what == 0 ? sizeof(Model) : what == 1 ? sizeof(Lane) : what == 2 ? HEAD : sizeof(Mind);
}

// arena: where an organism that has read is. The model keeps its weights and goes on using its table.
extern "C" void begin_model(Model *model, const u8 *arena, u32 bits, u32 rows, i32 width, u32 scale,
                            const u8 *class_of, const float *share) {
  const Mind &mind = *(const Mind *)arena;
  u64 *slots = (u64 *)(arena + HEAD);
  model->traits = mind.traits, model->learned = mind.learned;
  model->table.slots = slots, model->table.rows = (i16 *)(slots + (1ull << bits));
  model->table.bits = bits, model->table.capacity = rows;
  model->width = width, model->scale = scale;
  for (i32 i = 0; i < 256; i++) model->class_of[i] = class_of[i], model->share[i] = share[i];
}

// own: [lanes] tables of 2^bits slots and so many rows, where the model learns.
extern "C" void reset(const Model *model, Lane *lanes, u32 many, u64 *slots, u32 bits, i16 *rows, u32 capacity) {
  for (u32 n = 0; n < many; n++) {
    Lane &lane = lanes[n];
    begin_segment(lane.reader);
    lane.used = lane.ready = 0;
    if (!model->scale) continue;
    lane.learned = model->learned;
    set_pace(model->traits, lane.learned, model->scale);
    lane.table.slots = slots + ((u64)n << bits), lane.table.rows = rows + (u64)n * capacity * model->width;
    lane.table.bits = bits, lane.table.capacity = capacity;
    for (u64 i = 0; i < 1ull << bits; i++) lane.table.slots[i] = 0;
    for (u32 i = 0; i < WIDEST; i++) lane.seeds[i] = (u16)(i * 40503u + 1);
  }
}

#define BY_WIDTH(call)                        \
  switch (model->width) {                     \
    case 64: { enum { W = 64 }; call; break; }   \
    case 128: { enum { W = 128 }; call; break; } \
    default: { enum { W = 256 }; call; }         \
  }

// exp(x) for -64 < x <= 0: what is told outside must sum to one closer than 16 bits can.
DEVICE float exponential(float x) {
  float t = x * 1.44269504f + 12582912.0f, f = x * 1.44269504f - (t - 12582912.0f);
  float y = f * 0.00133335581f + 0.00961812911f;
  y = y * f + 0.0555041087f, y = y * f + 0.240226507f, y = y * f + 0.693147181f, y = y * f + 1.0f;
  i32 bits, octaves;
  __builtin_memcpy(&bits, &y, 4), __builtin_memcpy(&octaves, &t, 4);
  bits += octaves << 23;
  __builtin_memcpy(&y, &bits, 4);
  return y;
}

DEVICE float logarithm(float x) {        // of a normal number
  i32 bits;
  __builtin_memcpy(&bits, &x, 4);
  i32 octave = (bits - 0x3F3504F3) >> 23;
  bits -= octave << 23;
  __builtin_memcpy(&x, &bits, 4);
  float s = (x - 1) / (x + 1), q = s * s;
  return octave * 0.693147181f + 2 * s * (1 + q * (1 / 3.f + q * (0.2f + q * (1 / 7.f + q / 9))));
}

DEVICE void tell(const Model &model, const Lane &lane, i32 width, float *out) {
  float down[WIDEST], sum = 0;
  for (i32 i = 0; i < width; i++) down[i] = (float)(lane.z[i] - lane.top) / 512;
  for (i32 i = 0; i < width; i++) sum += exponential(down[i]);
  float ln = logarithm(sum);
  for (i32 b = 0; b < 256; b++) out[b] = down[model.class_of[b]] - ln + model.share[b];
}

// out [many][256]: ln probabilities.
extern "C" void predict(const Model *model, Lane *lanes, u32 many, float *out) {
  for (u32 n = 0; n < many; n++, out += 256) {
    BY_WIDTH(predict_lane(*model, lanes[n], W); tell(*model, lanes[n], W, out))
  }
}

extern "C" void observe(const Model *model, Lane *lanes, u32 many, const u8 *bytes) {
  for (u32 n = 0; n < many; n++) {
    BY_WIDTH(observe_lane(*model, lanes[n], bytes[n], W))
  }
}
