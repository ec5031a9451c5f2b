// A linear softmax over hashed contexts, learned online by gradient; the whole of hashed_softmax and the first
// part of hashed_mlp. CONTEXT_KINDS, the number of kinds of context, is defined before it.
//
// Every context of a position is looked up in one table of slots (8 to a cache line, each with a tag).
// A slot is empty, or a run (only one symbol has followed so far: its class and how often), or has a
// row of weights, one per class. The logits are
//
//     z = sum over rows   gain[context][visits] * row
//       + sum over runs   run[context][visits] at the run's class
//       + sum over matches   match[model][length][class] at the class that the match expects
//
// and gain, row, run and match all go along the gradient of log softmax(z)[what came]. A run becomes a
// row when a second symbol follows, with the weight that leaves its contribution as it was.
//
// Includes nothing and allocates nothing: memory comes from Python.

#ifndef COUNT
#define COUNT(event, many) ((void)0)  // counts only in a build for that: see algorithms/counting.py
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef float v16 __attribute__((vector_size(64)));
typedef float v8 __attribute__((vector_size(32)));
typedef float v4 __attribute__((vector_size(16)));
typedef int v16i __attribute__((vector_size(64)));

static const v16i INDEX = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

enum { KINDS = CONTEXT_KINDS, MATCHES = 2, BUCKETS = 16, WINDOW = 4096, ORDERS = 6 };
enum { AHEAD = 16, CLAIM = 8, RING = 32 };  // positions between looking ahead, claiming and learning
enum { SAMPLE = 8 };  // positions between two at which the loss is taken
enum { PROBES = 8, NONE = 0xFFFFFFFF };

// A slot: tag 24 bits | visits 8 bits | has a row 1 bit | row or class 31 bits. 0 visits: empty or claimed.
static const u64 TAGS = ~0ull << 40, ROW = 1ull << 31;

static inline u32 visits_of(u64 slot) { return (u32)(slot >> 32) & 255; }
static inline u32 payload_of(u64 slot) { return (u32)slot & 0x7FFFFFFF; }

struct Settings {  // as in hashed_softmax.py
    int classes, contexts, matches, least[MATCHES], runs, segment;
    float lr, lr_gain, lr_run, lr_match, end, gain;
    float rate[256];      // of a row, by visits before
    u8 bucket[256];       // of visits
    u8 class_of[256];     // of bytes
    float share[256];     // ln of a byte's share of its class
};

struct Learned {  // besides rows
    float gain[KINDS][BUCKETS], run[KINDS][BUCKETS];
    float match[MATCHES][BUCKETS][256];
};

struct Table {
    u64* slots;
    float* rows;
    u32 bits, capacity, used;
};

struct Model {
    Settings set;
    int kinds, which[KINDS];
    Learned learned;
    Table table;
};

// What is known of a segment so far.
struct Context {
    u64 history;
    u32 word[3];
    u32 column, position;
    u32 found[MATCHES], length[MATCHES];
    u8 past[WINDOW];
    u16 last[MATCHES][WINDOW];
};

// What a position's contexts are.
struct Look {
    u64 hash[KINDS];
    u32 slot[KINDS];
    u32 expected[MATCHES], length[MATCHES];
};

// Which contexts have rows, which runs, and which nothing yet: sorted out without a branch.
struct Kind {
    int rows, runs, fresh;
    u8 row[KINDS + 1], run[KINDS + 1], fresh_[KINDS + 1];
};

struct Lane {
    Context context;
    Look look;
    Table table;       // of its own, when it adapts
    Learned learned;
    Kind is;
    u32 ready;         // z and what it rests on are those of the present position
    u64 value[KINDS];
    u64* slot[KINDS];
    float* base[KINDS];
    v16 z[16], p[16];
};

static inline u64 mixed(u64 x) {
    x *= 0xD6E8FEB86659FD93ull;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ull;
    return x ^ x >> 29;
}

static void begin(Context& c) {
    COUNT(CLEARED, 1);
    c.history = 0;
    c.word[0] = c.word[1] = c.word[2] = 0;
    c.column = 255;
    c.position = 0;
    for (int m = 0; m < MATCHES; m++) {
        c.found[m] = c.length[m] = 0;
        __builtin_memset(c.last[m], 0, sizeof c.last[m]);
    }
}

static void follow(Context& c, const Settings& set, u8 byte) {
    COUNT(FOLLOWED, 1);
    c.history = c.history << 8 | byte;
    bool letter = (u8)((byte | 32) - 'a') < 26 || byte >= 128;
    if (letter) {
        COUNT(LETTER, 1);
        c.word[0] = (c.word[0] + (byte < 128 ? byte | 32 : byte) + 1) * 0x2C9277B5u;  // A as a
        c.word[0] ^= c.word[0] >> 15;
    } else if (c.word[0]) {
        c.word[2] = c.word[1];
        c.word[1] = c.word[0];
        c.word[0] = 0;
    }
    c.column = byte == '\n' ? 0 : c.column < 254 ? c.column + 1 : c.column;
    if (c.position == WINDOW) {
        COUNT(CLEARED, 1);
        c.position = 0;
        for (int m = 0; m < MATCHES; m++) {
            c.length[m] = 0;
            __builtin_memset(c.last[m], 0, sizeof c.last[m]);
        }
    }
    c.past[c.position++] = byte;
    for (int m = 0; m < MATCHES; m++) {
        u32 least = set.least[m];
        if (!(set.matches >> m & 1) || c.position < least) continue;
        COUNT(INDEXED, 1), COUNT(CONTINUED, c.length[m] != 0);
        if (c.length[m] && c.past[c.found[m]] == byte) {
            c.length[m]++;
            c.found[m]++;
        } else {
            c.length[m] = 0;
        }
        u32 h = (u32)(mixed(c.history << (64 - 8 * least)) >> 52);
        if (!c.length[m]) {
            u32 at = c.last[m][h], n = 0;
            while (n < at && n < 32 && c.past[at - 1 - n] == c.past[c.position - 1 - n]) n++;
            COUNT(SOUGHT, 1), COUNT(COMPARED, n + (n < at && n < 32));
            if (n >= least) {
                c.length[m] = n;
                c.found[m] = at;
            }
        }
        c.last[m][h] = (u16)c.position;
    }
}

static void look_at(const Context& c, const Model& model, Look& look) {
    u64 keys[KINDS];
    COUNT(POSITION, 1), COUNT(HASHED, model.kinds);
    for (int k = 0; k < ORDERS; k++) keys[k] = c.history << (56 - 8 * k);
    u64 word = (u64)c.word[0] << 8 | (c.history & 255);
    keys[6] = word;
    keys[7] = word + c.word[1] * 0x9E3779B97F4A7C15ull;
    keys[8] = keys[7] + c.word[2] * 0xC2B2AE3D27D4EB4Full;
    keys[9] = (u64)c.column << 8 | (c.history & 255);
    for (int j = 0; j < model.kinds; j++) {
        u64 k = model.which[j];
        look.hash[j] = mixed(keys[k] + (k + 1) * 0x632BE59BD9B4E019ull);
    }
    for (int m = 0; m < MATCHES; m++) {
        COUNT(EXPECTED, c.length[m] != 0);
        look.length[m] = c.length[m] < BUCKETS - 1 ? c.length[m] : BUCKETS - 1;
        look.expected[m] = c.length[m] ? model.set.class_of[c.past[c.found[m]]] : 0;
    }
}

static inline u32 line_of(const Table& t, u64 hash) {
    return (u32)(hash >> (64 - t.bits)) & ~(u32)(PROBES - 1);
}
static inline u64 tag_of(u64 hash) {
    u64 tag = hash << 40;
    return tag ? tag : 1ull << 40;
}

static inline u32 find(const Table& t, u64 hash) {
    u32 line = line_of(t, hash);
    u64 tag = tag_of(hash);
    for (u32 i = line; i < line + PROBES; i++) {
        u64 slot = t.slots[i];
        COUNT(PROBED, 1);
        if ((slot & TAGS) == tag) return i;
        if (!slot) return NONE;
    }
    return NONE;
}

// Of a full line, the slot of the shortest run; NONE where all have rows or are claimed.
static u32 victim(const Table& t, u32 line) {
    u32 least = 256, found = NONE;
    COUNT(FULL, 1);
    for (u32 i = line; i < line + PROBES; i++) {
        u32 visits = visits_of(t.slots[i]);
        if (!(t.slots[i] & ROW) && visits && visits < least) {
            least = visits;
            found = i;
        }
    }
    return found;
}

// Finds a slot or takes one: an empty one, or else the victim's.
static inline u32 claim(Table& t, u64 hash) {
    u32 line = line_of(t, hash);
    u64 tag = tag_of(hash);
    u64* slots = t.slots + line;
    COUNT(CLAIMED, 1);
    u32 known = 0, empty = 0;  // one bit for each slot
#ifdef __AVX512F__
    typedef long long v8q __attribute__((vector_size(64)));
    v8q all = *(const v8q*)slots, wanted = v8q{} + (long long)tag;
    known = (u8)__builtin_ia32_cmpq512_mask(all & (long long)TAGS, wanted, 0, 255);
    empty = (u8)__builtin_ia32_cmpq512_mask(all, v8q{}, 0, 255);
#else
    for (u32 i = 0; i < PROBES; i++) {
        known |= (u32)((slots[i] & TAGS) == tag) << i;
        empty |= (u32)(slots[i] == 0) << i;
    }
#endif
    u32 either = known ? known : empty;
    if (__builtin_expect(!either, 0)) {
        u32 i = victim(t, line);
        COUNT(EVICTED, i != NONE);
        if (i != NONE) t.slots[i] = tag;
        return i;
    }
    u32 i = (u32)__builtin_ctz(either);
    COUNT(KEPT, 1), COUNT(KNOWN, known != 0);
    slots[i] = known ? slots[i] : tag;
    return line + i;
}

static inline v16 exponential(v16 x) {  // |x| <= 80
    v16 t = x * 1.44269504f + 12582912.0f;
    v16 f = x * 1.44269504f - (t - 12582912.0f);
    v16 p = f * 0.00133335581f + 0.00961812911f;
    p = p * f + 0.0555041087f;
    p = p * f + 0.240226507f;
    p = p * f + 0.693147181f;
    p = p * f + 1.0f;
    return (v16)((v16i)p + ((v16i)t << 23));
}

static float logarithm(float x) {  // of a normal number
    int bits;
    __builtin_memcpy(&bits, &x, 4);
    int e = (bits - 0x3F3504F3) >> 23;
    bits -= e << 23;
    __builtin_memcpy(&x, &bits, 4);
    float s = (x - 1) / (x + 1), q = s * s;
    return e * 0.693147181f + 2 * s * (1 + q * (1 / 3.f + q * (0.2f + q * (1 / 7.f + q / 9))));
}

static inline float sum(v16 x) {
    union { v16 a; v8 b[2]; } h = {x};
    union { v8 a; v4 b[2]; } q = {h.b[0] + h.b[1]};
    v4 r = q.b[0] + q.b[1];
    return (r[0] + r[2]) + (r[1] + r[3]);
}

static inline void sort_out(const u64* value, int kinds, Kind& is) {
    int rows = 0, runs = 0, fresh = 0;
    COUNT(SORTED, kinds);
    for (int j = 0; j < kinds; j++) {
        bool has_row = value[j] & ROW, known = visits_of(value[j]);
        is.row[rows] = is.run[runs] = is.fresh_[fresh] = (u8)j;
        rows += has_row;
        runs += known & !has_row;
        fresh += !known;
    }
    is.rows = rows;
    is.runs = runs;
    is.fresh = fresh;
}

template <int N>
struct Softmax {
    // z[at] += x, without a detour by memory, where it would wait for what is still being written.
    static inline void add(v16* z, u32 at, float x) {
        for (int i = 0; i < N; i++) z[i] += INDEX == v16i{} + (int)(at - 16 * i) ? v16{} + x : v16{};
    }

    // The logits z [N] and probabilities p [N]. value: slots' contents, 0 for none. Returns sum exp z.
    static inline float forward(const Model& model, const Learned& w, const float* const* base,
                                const u64* value, const Kind& is, const Look& look, v16* zs,
                                v16* ps) {
        v16 z[N];
        COUNT(CLASS, 16 * N), COUNT(SUMMED, 1), COUNT(MATCH_USED, MATCHES), COUNT(RUN_USED, is.runs);
        COUNT(PLACED, 16 * N * (MATCHES + is.runs)), COUNT(ROW_USED, is.rows), COUNT(WEIGHT_USED, 16 * N * is.rows);
        for (int i = 0; i < N; i++) z[i] = v16{};
        for (int m = 0; m < MATCHES; m++)
            add(z, look.expected[m], w.match[m][look.length[m]][look.expected[m]]);
        for (int r = 0; r < is.runs; r++) {
            int j = is.run[r];
            add(z, payload_of(value[j]), w.run[j][model.set.bucket[visits_of(value[j])]]);
        }
        for (int r = 0; r < is.rows; r++) {
            int j = is.row[r];
            u64 slot = value[j];
            const v16* row = (const v16*)(base[j] + (u64)payload_of(slot) * (16 * N));
            float gain = w.gain[j][model.set.bucket[visits_of(slot)]];
            for (int i = 0; i < N; i++) z[i] += row[i] * gain;
        }
        v16 total = {};
        for (int i = 0; i < N; i++) {
            z[i] = z[i] < 80.0f ? z[i] : v16{} + 80.0f;
            z[i] = z[i] > -80.0f ? z[i] : v16{} - 80.0f;
            zs[i] = z[i];
            ps[i] = exponential(z[i]);
            total += ps[i];
        }
        float s = sum(total), inverse = 1 / s;
        for (int i = 0; i < N; i++) ps[i] *= inverse;
        return s;
    }

    // One step along the gradient after class y. slot: pointers to the slots, null for none.
    static inline void update(const Model& model, Learned& w, Table& t, u64* const* slots,
                              const u64* value, const Kind& is, const Look& look, const v16* p,
                              u32 y, float scale) {
        const Settings& set = model.set;
        union { v16 e[N]; float f[16 * N]; };
        COUNT(MISSED, 16 * N), COUNT(PLACED, 16 * N);
        for (int i = 0; i < N; i++) e[i] = -p[i];
        add(e, y, 1);
        float lr = set.lr * scale, lr_gain = set.lr_gain * scale, lr_run = set.lr_run * scale;
        COUNT(MATCH_LEARNED, (look.length[0] != 0) + (look.length[1] != 0));
        for (int m = 0; m < MATCHES; m++)
            if (look.length[m])
                w.match[m][look.length[m]][look.expected[m]] +=
                    set.lr_match * scale * f[look.expected[m]];
        for (int r = 0; r < is.rows; r++) {
            int j = is.row[r];
            u64 slot = value[j];
            if (!slots[j]) continue;
            u32 visits = visits_of(slot);
            COUNT(ROW_LEARNED, 1), COUNT(WEIGHT_LEARNED, 16 * N);
            v16* row = (v16*)(t.rows + (u64)payload_of(slot) * (16 * N));
            float& gain = w.gain[j][set.bucket[visits]];
            float step = lr * set.rate[visits] * gain;
            v16 dot = {};
            for (int i = 0; i < N; i++) {
                v16 x = row[i];
                dot += x * e[i];
                row[i] = x + e[i] * step;
            }
            gain += lr_gain * sum(dot);
            *slots[j] = slot + ((u64)(visits < 255) << 32);
        }
        for (int r = 0; r < is.runs; r++) {
            int j = is.run[r];
            u64 slot = value[j];
            u32 visits = visits_of(slot), was = payload_of(slot), more = visits + (visits < 255);
            if (!slots[j]) continue;
            COUNT(RUN_LEARNED, 1), COUNT(SLOT_WRITTEN, 1);
            float& run = w.run[j][set.bucket[visits]];
            float trust = run;
            run += lr_run * f[was];
            if (was == y && (int)more <= set.runs) {
                *slots[j] = (slot & TAGS) | (u64)more << 32 | y;
            } else if (t.used < t.capacity) {
                u32 index = t.used++;
                COUNT(ROW_MADE, 1), COUNT(WEIGHT_MADE, 16 * N);
                float gain = w.gain[j][set.bucket[more]], step = lr * set.rate[visits] * gain;
                v16* row = (v16*)(t.rows + (u64)index * (16 * N));
                for (int i = 0; i < N; i++) __builtin_prefetch(row + 8 * N + i, 1);
                for (int i = 0; i < N; i++) row[i] = e[i] * step;
                ((float*)row)[was] += trust / (gain > 0.05f ? gain : 0.05f);
                *slots[j] = (slot & TAGS) | (u64)more << 32 | ROW | index;
            } else {
                *slots[j] = (slot & TAGS) | 1ull << 32 | y;  // no room: it begins again
            }
        }
        for (int r = 0; r < is.fresh; r++) {
            int j = is.fresh_[r];
            COUNT(SLOT_WRITTEN, slots[j] != nullptr);
            if (slots[j]) *slots[j] = (value[j] & TAGS) | 1ull << 32 | y;
        }
    }

    static double train(Model& model, Context& c, Look* ring, const u8* text, u64 n, u64 from, u64 to) {
        const Settings& set = model.set;
        Table& t = model.table;
        double loss = 0;
        v16 z[N], p[N];
        for (u64 i = from ? from + AHEAD : 0; i < to + AHEAD; i++) {
            if (i < n) {
                if (i % set.segment == 0) begin(c);
                Look& look = ring[i % RING];
                look_at(c, model, look);
                for (int j = 0; j < model.kinds; j++)
                    __builtin_prefetch(t.slots + line_of(t, look.hash[j]));
                follow(c, set, text[i]);
                COUNT(TEXT, 1);
            }
            u64 q = i - CLAIM;
            if (i >= CLAIM && q < n) {
                Look& look = ring[q % RING];
                for (int j = 0; j < model.kinds; j++) {
                    u32 s = look.slot[j] = claim(t, look.hash[j]);
                    COUNT(SLOT_READ, s != NONE);
                    u64 slot = s == NONE ? 0 : t.slots[s];
                    u64 index = slot & ROW ? payload_of(slot) : 0;  // no branch: it could not be foreseen
                    const char* row = (const char*)(t.rows + index * (16 * N));
                    for (int l = 0; l < N; l++) __builtin_prefetch(row + 64 * l, 1);
                }
            }
            if (i < AHEAD) continue;
            q = i - AHEAD;
            const Look& look = ring[q % RING];
            u64 value[KINDS];
            u64* slots[KINDS];
            const float* base[KINDS];
            for (int j = 0; j < model.kinds; j++) {
                slots[j] = look.slot[j] == NONE ? nullptr : t.slots + look.slot[j];
                COUNT(SLOT_READ, slots[j] != nullptr);
                value[j] = slots[j] ? *slots[j] : 0;
                base[j] = t.rows;
            }
            Kind is;
            sort_out(value, model.kinds, is);
            u32 y = set.class_of[text[q]];
            COUNT(TEXT, 1), COUNT(LOSS, q % SAMPLE == 0);
            float s = forward(model, model.learned, base, value, is, look, z, p);
            if (q % SAMPLE == 0) loss += logarithm(s) - ((float*)z)[y];
            float scale = 1 - (1 - set.end) * (float)q / (float)n;
            update(model, model.learned, t, slots, value, is, look, p, y, scale);
        }
        return loss;
    }

    // ln probabilities of all bytes for one lane.
    static void predict(const Model& model, Lane& lane, bool adapt, float* out) {
        const Settings& set = model.set;
        if (!lane.ready) {
            look_at(lane.context, model, lane.look);
            for (int j = 0; j < model.kinds; j++)
                __builtin_prefetch(model.table.slots + line_of(model.table, lane.look.hash[j]));
            for (int j = 0; j < model.kinds; j++) resolve(model, lane, j, adapt);
            sort_out(lane.value, model.kinds, lane.is);
        }
        const Learned& w = adapt ? lane.learned : model.learned;
        float s = forward(model, w, lane.base, lane.value, lane.is, lane.look, lane.z, lane.p);
        lane.ready = 1;
        if (!out) return;
        float ln = logarithm(s), z[16 * N];
        for (int i = 0; i < 16 * N; i++) z[i] = ((float*)lane.z)[i] - ln;
        for (int b = 0; b < 256; b++) out[b] = z[set.class_of[b]] + set.share[b];
    }

    // The slot of context j: the lane's own, copied from the model's when it adapts and has room.
    static void resolve(const Model& model, Lane& lane, int j, bool adapt) {
        u64 hash = lane.look.hash[j];
        lane.slot[j] = nullptr;
        if (adapt) {
            Table& own = lane.table;
            bool room = own.used + KINDS <= own.capacity;
            u32 s = room ? claim(own, hash) : find(own, hash);
            if (s != NONE && (room || visits_of(own.slots[s]))) {
                u64& slot = own.slots[s];
                if (!visits_of(slot)) {
                    u32 i = find(model.table, hash);
                    u64 known = i == NONE ? 0 : model.table.slots[i];
                    if (known & ROW) {
                        u32 index = own.used++;
                        __builtin_memcpy(own.rows + (u64)index * (16 * N),
                                         model.table.rows + (u64)payload_of(known) * (16 * N), 64 * N);
                        known = (known & ~0x7FFFFFFFull) | index;
                    }
                    slot = (slot & TAGS) | (known & ~TAGS);
                }
                lane.slot[j] = room ? &slot : nullptr;
                lane.value[j] = slot;
                lane.base[j] = own.rows;
                return;
            }
        }
        u32 i = find(model.table, hash);
        COUNT(SLOT_READ, i != NONE);
        lane.value[j] = i == NONE ? 0 : model.table.slots[i];
        lane.base[j] = model.table.rows;
    }

    static void observe(const Model& model, Lane& lane, bool adapt, float rate, u8 byte) {
        if (adapt) {
            if (!lane.ready) predict(model, lane, true, nullptr);
            update(model, lane.learned, lane.table, lane.slot, lane.value, lane.is, lane.look, lane.p,
                   model.set.class_of[byte], rate);
        }
        follow(lane.context, model.set, byte);
        lane.ready = 0;
    }
};
