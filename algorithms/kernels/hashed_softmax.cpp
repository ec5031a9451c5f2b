// Entry points of hashed_contexts.h, which stands before this; bound by algorithms/hashed_softmax.py.

#define BY_WIDTH(call)                     \
    switch (model->set.classes / 16) {     \
        case 1: return Softmax<1>::call;   \
        case 2: return Softmax<2>::call;   \
        case 3: return Softmax<3>::call;   \
        case 4: return Softmax<4>::call;   \
        case 6: return Softmax<6>::call;   \
        case 8: return Softmax<8>::call;   \
        default: return Softmax<16>::call; \
    }

static double train_some(Model* model, Context* c, Look* ring, const u8* text, u64 n, u64 from, u64 to) {
    BY_WIDTH(train(*model, *c, ring, text, n, from, to))
}
static void predict_one(const Model* model, Lane& lane, bool adapt, float* out) {
    BY_WIDTH(predict(*model, lane, adapt, out))
}
static void observe_one(const Model* model, Lane& lane, bool adapt, float rate, u8 byte) {
    BY_WIDTH(observe(*model, lane, adapt, rate, byte))
}

extern "C" {

u64 size_of(int what) {
    u64 work = sizeof(Context) + RING * sizeof(Look);
    return what == 0 ? sizeof(Model) : what == 1 ? sizeof(Lane) : what == 2 ? work : sizeof(Settings);
}

void count(const u8* text, u64 n, u64* counts) {
    u32 part[4][256] = {};
    COUNT(TALLIED, n);
    for (u64 i = 0; i < n; i++) part[i & 3][text[i]]++;
    for (int b = 0; b < 256; b++) counts[b] = (u64)part[0][b] + part[1][b] + part[2][b] + part[3][b];
}

void begin_model(Model* model, const Settings* set, u64* slots, u32 bits, float* rows, u32 capacity) {
    __builtin_memset(model, 0, sizeof *model);
    model->set = *set;
    COUNT(GAIN_BEGUN, KINDS * BUCKETS);
    for (int k = 0; k < KINDS; k++)
        if (set->contexts >> k & 1) model->which[model->kinds++] = k;
    for (int j = 0; j < KINDS; j++)
        for (int b = 0; b < BUCKETS; b++) model->learned.gain[j][b] = set->gain;
    model->table = Table{slots, rows, bits, capacity, 0};
}

// Learns text[from:to] of text[:n]; chunk follows chunk. Returns the nats that a SAMPLEth of them cost.
double train(Model* model, void* work, const u8* text, u64 n, u64 from, u64 to) {
    Context* c = (Context*)work;
    return train_some(model, c, (Look*)(c + 1), text, n, from, to);
}

void reset(const Model* model, Lane* lanes, u32 count, u64* slots, u32 bits, float* rows, u32 capacity) {
    for (u32 i = 0; i < count; i++) {
        begin(lanes[i].context);
        lanes[i].ready = 0;
        if (!capacity) continue;
        lanes[i].learned = model->learned;
        u64* own = slots + ((u64)i << bits);
        __builtin_memset(own, 0, sizeof(u64) << bits);
        lanes[i].table = Table{own, rows + (u64)i * capacity * model->set.classes, bits, capacity, 0};
    }
}

void predict(const Model* model, Lane* lanes, u32 count, int adapt, float* out) {
    for (u32 i = 0; i < count; i++) predict_one(model, lanes[i], adapt, out + 256 * i);
}

void observe(const Model* model, Lane* lanes, u32 count, int adapt, float rate, const u8* symbols) {
    for (u32 i = 0; i < count; i++) observe_one(model, lanes[i], adapt, rate, symbols[i]);
}

}
