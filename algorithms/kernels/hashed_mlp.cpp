// A gated sum of hashed contexts' logits and the output of an MLP over their embeddings; bound by
// algorithms/hashed_mlp.py, which puts this text behind hashed_contexts.h (contexts, slots, runs, rows) and
// hashed_mlp_dense.h, and the sizes EMBED, HIDDEN (0: none), BATCH before all.
//
//     s = sum of embeddings: of the context's row, of its visits, of the class of a run, of the last
//         bytes and words, of what the match models expect, and a bias                 [EMBED]
//     h = relu(s), at most MOST, and the same of w h + b where there is a hidden layer       [HIDDEN]
//     o = w' h + b'                                              [classes + 16 for the gates]
//     z = o + sum over rows, runs and matches   (1 + gate) * what hashed_softmax adds
//
// A row has the context's weights, one per class, and behind them its embedding where its kind has one.
// Bytes are learned BATCH at a time: what they rest on is read before any of them is learned.
//
// Includes nothing and allocates nothing: memory comes from Python.

enum { D = EMBED, V = D / 16, H = HIDDEN, TOP = H ? H : D, BUNCH = BATCH, GATES = 16 };
enum { PAST = 8, TRAIL = 8, WORDS = 2048, TERMS = 1 + PAST + TRAIL + 2 * KINDS + 2 * MATCHES, STAGES = 4 };
// Bounds of gates, of their gradients and of activations, far from where they are of use: without them
// a rate too high ends in infinities.
static const float GATE_LOW = -4.0f, GATE_HIGH = 8.0f, STEEPEST = 4.0f, MOST = 6.0f;
enum { SHARED = 10 };  // kinds that hashed_softmax has as well

struct Deep {  // as in hashed_mlp.py
    Settings set;
    int embedded, past, trail;
    u32 seed;
    float lr_embed, lr_shared, lr_dense, beta1, beta2, init, init_past;
    float rate[256];  // of an embedding, by visits before
};

struct Net {
    Deep deep;
    Model base;        // its table counts in 16 floats, not in rows
    int embeddings;    // rows of embed
    float* embed;      // [embeddings][D]
    u32* visits;       // of each
    Layer layer[2];
    u64 steps;
    float square, peak;  // running mean square of an embedding's gradient, and its highest
    int deep_kind[KINDS];
};

// A position: what its contexts are, and what was found there.
struct Item {
    Look look;
    u64 history;
    u32 trail[TRAIL];      // the last words
    u64 value[KINDS];
    float* own[KINDS];     // embedding of its row, null for none
    Kind is;
    int terms;
    u32 term[TERMS];       // rows of embed
};

struct Place {  // a lane
    Context context;
    u32 trail[TRAIL];
    Item item;
    Table table;
    Learned learned;
    u32 ready;
    u64* slot[KINDS];
    float* base[KINDS];
    float* embed;
    v16 p[16];
    alignas(64) float h[D + 16], top[TOP + 16], out[256 + GATES], err[256 + GATES];
};

struct Work {
    Context context;
    u32 trail[TRAIL];
    Item ring[STAGES * BUNCH];
    alignas(64) float h[BUNCH][D + 16], dh[BUNCH][D];
    alignas(64) float top[BUNCH][TOP + 16], dtop[BUNCH][TOP];
    alignas(64) float out[BUNCH][256 + GATES], err[BUNCH][256 + GATES];
};

static void start(Context& c, u32* trail) {
    begin(c);
    for (int i = 0; i < TRAIL; i++) trail[i] = 0;
}

static void proceed(Context& c, u32* trail, const Settings& set, u8 byte) {
    u32 word = c.word[0];
    follow(c, set, byte);
    if (!word || c.word[0]) return;
    for (int i = TRAIL - 1; i; i--) trail[i] = trail[i - 1];
    trail[0] = word;
}

// The contexts' hashes. A bit of the tag says whether rows of the kind have an embedding, so that contexts
// whose rows are of different sizes are never taken for each other.
static void look(const Context& c, const u32* trail, const Net& net, Item& item) {
    const Model& model = net.base;
    look_at(c, model, item.look);
    item.history = c.history;
    for (int i = 0; i < TRAIL; i++) item.trail[i] = trail[i];
    u64 word = (u64)c.word[0] << 8 | (c.history & 255);
    u64 keys[KINDS];
    keys[10] = c.history & 0xFFFF00;
    keys[11] = c.history & 0xFFFFFF00;
    keys[12] = word + trail[1] * 0x9E3779B97F4A7C15ull;
    keys[13] = word + trail[2] * 0x9E3779B97F4A7C15ull;
    for (int j = 0; j < model.kinds; j++) {
        u64 k = model.which[j];
        u64& hash = item.look.hash[j];
        if (k >= SHARED) hash = mixed(keys[k] + (k + 1) * 0x632BE59BD9B4E019ull);
        hash = (hash & ~(1ull << 23)) | (u64)(net.deep_kind[j] != 0) << 23;
    }
}

// One step of Adam along err, the gradient at the outputs, for inputs x, of count positions.
static void learn(Net& net, Layer& l, const float* x, int xs, const float* err, int es, int count, float scale) {
    multiply(x, 1, xs, err, es, l.grad, l.out, l.in + 1, l.out, count);
    float b1 = net.deep.beta1, b2 = net.deep.beta2;
    float t = (float)net.steps, c1 = 1, c2 = 1;
    if (t < 10000) {
        float p1 = 1, p2 = 1, q1 = b1, q2 = b2;
        for (u64 k = net.steps; k; k >>= 1) {
            if (k & 1) p1 *= q1, p2 *= q2;
            q1 *= q1, q2 *= q2;
        }
        c1 = 1 / (1 - p1), c2 = 1 / (1 - p2);
    }
    float step = net.deep.lr_dense * scale * c1;
    v16 *w = (v16*)l.w, *m = (v16*)l.first, *v = (v16*)l.second;
    const v16* g = (const v16*)l.grad;
    COUNT(STEP, 1), COUNT(STEPPED, (l.in + 1) * l.out);
    for (int i = 0; i < (l.in + 1) * l.out / 16; i++) {
        m[i] = m[i] * b1 + g[i] * (1 - b1);
        v[i] = v[i] * b2 + g[i] * g[i] * (1 - b2);
        w[i] += m[i] * step * rsqrt(v[i] * c2 + 1e-12f);
    }
    turn(l);
}

static inline v16 rectified(v16 s) {  // bounded, for what grows without end is lost
    s = s > 0.0f ? s : v16{};
    return s < MOST ? s : v16{} + MOST;
}
static inline v16 passed(v16 h, v16 g) {  // the gradient before the rectifier
    g = h > 0.0f ? g : v16{};
    return h < MOST ? g : v16{};
}

template <int N>
struct Mlp {
    enum { C = 16 * N, OUT = C + GATES };

    static u32 units(const Net& net, int j) { return N + (net.deep_kind[j] ? V : 0); }

    // Rows of embed that stand for what is known of a position.
    static u32 past_at(int p, u32 y) { return 1 + (u32)p * C + y; }
    static u32 visits_at(int j, u32 bucket) { return 1 + PAST * C + (u32)j * BUCKETS + bucket; }
    static u32 run_at(int j, u32 y) { return 1 + PAST * C + KINDS * BUCKETS + (u32)j * C + y; }
    static u32 length_at(int m, u32 n) {
        return 1 + (PAST + KINDS) * C + KINDS * BUCKETS + (u32)m * BUCKETS + n;
    }
    static u32 expected_at(int m, u32 y) {
        return 1 + (PAST + KINDS) * C + (KINDS + MATCHES) * BUCKETS + (u32)m * C + y;
    }
    static u32 word_at(u32 hash) { return expected_at(MATCHES, 0) + (hash * 0x9E3779B1u >> 21); }
    static u32 embeddings(const Net& net) { return word_at(0) + (net.deep.trail ? WORDS : 0); }

    // s into h [D], rectified. item.value, is and own are known.
    static void embed(const Net& net, const float* table, Item& item, float* h) {
        const Settings& set = net.deep.set;
        int n = 0;
        item.term[n++] = 0;
        for (int p = 0; p < net.deep.past; p++)
            item.term[n++] = past_at(p, set.class_of[item.history >> 8 * p & 255]);
        for (int j = 0; j < net.base.kinds; j++) {
            u32 visits = visits_of(item.value[j]);
            if (visits) item.term[n++] = visits_at(j, set.bucket[visits]);
        }
        for (int r = 0; r < item.is.runs; r++) {
            int j = item.is.run[r];
            item.term[n++] = run_at(j, payload_of(item.value[j]));
        }
        for (int m = 0; m < MATCHES; m++)
            if (item.look.length[m]) {
                item.term[n++] = length_at(m, item.look.length[m]);
                item.term[n++] = expected_at(m, item.look.expected[m]);
            }
        for (int i = 0; i < net.deep.trail; i++)
            if (item.trail[i]) item.term[n++] = word_at(item.trail[i]);
        item.terms = n;
        COUNT(EMBEDDED, D), COUNT(ONE, 1), COUNT(TERM, n), COUNT(ADDEND, D * n);
        v16 s[V];
        for (int i = 0; i < V; i++) s[i] = v16{};
        for (int t = 0; t < n; t++) {
            const v16* e = (const v16*)(table + (u64)item.term[t] * D);
            for (int i = 0; i < V; i++) s[i] += e[i];
        }
        for (int r = 0; r < item.is.rows; r++) {
            const v16* e = (const v16*)item.own[item.is.row[r]];
            if (!e) continue;
            COUNT(ADDEND, D);
            for (int i = 0; i < V; i++) s[i] += e[i];
        }
        for (int i = 0; i < V; i++) ((v16*)h)[i] = rectified(s[i]);
        *(v16*)(h + D) = v16{1};
    }

    // One step of a position's embeddings along dh.
    static void learn_embeddings(const Net& net, float* table, u32* visits, const Item& item,
                                 const float* h, const float* dh, float step) {
        v16 g[V];
        COUNT(PASSED, D), COUNT(TERM_LEARNED, item.terms), COUNT(ADDEND_LEARNED, D * item.terms);
        for (int i = 0; i < V; i++) g[i] = passed(((const v16*)h)[i], ((const v16*)dh)[i]) * step;
        for (int t = 0; t < item.terms; t++) {
            u32 at = item.term[t], seen = net.visits[at];
            v16* e = (v16*)(table + (u64)at * D);
            float rate = net.deep.rate[seen < 255 ? seen : 255];
            if (at < word_at(0)) rate *= net.deep.lr_shared;  // many of a batch meet in these
            if (visits) visits[at]++;
            for (int i = 0; i < V; i++) e[i] += g[i] * rate;
        }
        for (int r = 0; r < item.is.rows; r++) {
            int j = item.is.row[r];
            v16* e = (v16*)item.own[j];
            if (!e) continue;
            COUNT(ADDEND_LEARNED, D);
            float rate = net.deep.rate[visits_of(item.value[j])];
            for (int i = 0; i < V; i++) e[i] += g[i] * rate;
        }
    }

    // Probabilities p and logits z [N] from o, the output of the last layer. Returns sum exp z.
    static inline float forward(const Net& net, const Learned& w, const float* const* base, const Item& item,
                                const float* o, v16* zs, v16* ps) {
        v16 z[N];
        const float* gate = o + C;
        COUNT(CLASS, C), COUNT(LOGIT, C), COUNT(SUMMED, 1), COUNT(MATCH_USED, MATCHES), COUNT(RUN_USED, item.is.runs);
        COUNT(PLACED, C * (MATCHES + item.is.runs)), COUNT(ROW_USED, item.is.rows), COUNT(WEIGHT_USED, C * item.is.rows);
        COUNT(GATED, MATCHES + item.is.runs + item.is.rows);
        for (int i = 0; i < N; i++) z[i] = ((const v16*)o)[i];
        for (int m = 0; m < MATCHES; m++) {
            u32 y = item.look.expected[m];
            Softmax<N>::add(z, y, w.match[m][item.look.length[m]][y] * (1 + gate[KINDS + m]));
        }
        for (int r = 0; r < item.is.runs; r++) {
            int j = item.is.run[r];
            float run = w.run[j][net.deep.set.bucket[visits_of(item.value[j])]];
            Softmax<N>::add(z, payload_of(item.value[j]), run * (1 + gate[j]));
        }
        for (int r = 0; r < item.is.rows; r++) {
            int j = item.is.row[r];
            u64 slot = item.value[j];
            const v16* row = (const v16*)(base[j] + (u64)payload_of(slot) * 16);
            float gain = w.gain[j][net.deep.set.bucket[visits_of(slot)]] * (1 + gate[j]);
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

    // One step of rows, runs, gains and matches along err [C]; writes the gates' part behind it.
    static void update(const Net& net, Learned& w, Table& t, const float* embed, u64* const* slots,
                       const Item& item, const float* o, float* f, u32 y, float scale) {
        const Settings& set = net.deep.set;
        const v16* e = (const v16*)f;
        const float* gate = o + C;
        float lr = set.lr * scale, lr_gain = set.lr_gain * scale, lr_run = set.lr_run * scale;
        float* dgate = f + C;
        COUNT(GATES_LEARNED, 1);
        COUNT(MATCH_LEARNED, (item.look.length[0] != 0) + (item.look.length[1] != 0));
        COUNT(MATCH_GATED, (item.look.length[0] != 0) + (item.look.length[1] != 0));
        *(v16*)dgate = v16{};
        for (int m = 0; m < MATCHES; m++)
            if (item.look.length[m]) {
                u32 at = item.look.expected[m];
                float& match = w.match[m][item.look.length[m]][at];
                dgate[KINDS + m] = match * f[at];
                match += set.lr_match * scale * (1 + gate[KINDS + m]) * f[at];
            }
        for (int j = 0; j < net.base.kinds; j++) {
            if (!slots[j]) continue;
            u64 slot = *slots[j];  // as it is by now
            u32 visits = visits_of(slot), more = visits + (visits < 255);
            float open = 1 + gate[j];
            COUNT(SLOT_READ, 1), COUNT(GATED, 1);
            if (slot & ROW) {
                v16* row = (v16*)(t.rows + (u64)payload_of(slot) * 16);
                COUNT(ROW_LEARNED, 1), COUNT(WEIGHT_LEARNED, C), COUNT(ERROR_READ, 2 * C), COUNT(ROW_GATED, 1);
                float& gain = w.gain[j][set.bucket[visits]];
                float step = lr * set.rate[visits] * gain * open;
                v16 dot = {};
                for (int i = 0; i < N; i++) {
                    v16 x = row[i];
                    dot += x * e[i];
                    row[i] = x + e[i] * step;
                }
                float along = sum(dot);
                dgate[j] = gain * along;
                gain += lr_gain * open * along;
                *slots[j] = slot + ((u64)(visits < 255) << 32);
            } else if (visits) {
                u32 was = payload_of(slot);
                COUNT(RUN_LEARNED, 1), COUNT(SLOT_WRITTEN, 1), COUNT(RUN_GATED, 1);
                float& run = w.run[j][set.bucket[visits]];
                float trust = run;
                dgate[j] = run * f[was];
                run += lr_run * open * f[was];
                u32 size = units(net, j);
                if (was == y && (int)more <= set.runs) {
                    *slots[j] = (slot & TAGS) | (u64)more << 32 | y;
                } else if (t.used + size <= t.capacity) {
                    u32 index = t.used;
                    t.used += size;
                    COUNT(ROW_MADE, 1), COUNT(WEIGHT_MADE, C), COUNT(ERROR_READ, C), COUNT(COPIED, net.deep_kind[j] ? D : 0);
                    float gain = w.gain[j][set.bucket[more]], step = lr * set.rate[visits] * gain * open;
                    v16* row = (v16*)(t.rows + (u64)index * 16);
                    for (u32 i = 0; i < size; i++) __builtin_prefetch(row + 64 + i, 1);
                    for (int i = 0; i < N; i++) row[i] = e[i] * step;
                    ((float*)row)[was] += trust / (gain > 0.05f ? gain : 0.05f);
                    if (net.deep_kind[j])
                        __builtin_memcpy(row + N, embed + (u64)run_at(j, was) * D, 4 * D);
                    *slots[j] = (slot & TAGS) | (u64)more << 32 | ROW | index;
                } else {
                    *slots[j] = (slot & TAGS) | 1ull << 32 | y;  // no room: it begins again
                }
            } else {
                COUNT(SLOT_WRITTEN, 1);
                *slots[j] = (slot & TAGS) | 1ull << 32 | y;
            }
        }
        v16& d = *(v16*)dgate;
        d = d > STEEPEST ? v16{} + STEEPEST : d;
        d = d < -STEEPEST ? v16{} - STEEPEST : d;
    }

    static void dense(const Net& net, const float* h, float* top, float* out, int count, int hs, int ts, int os) {
        const float* x = h;
        if (H) {
            const Layer& l = net.layer[0];
            multiply(h, hs, 1, l.w, l.out, top, ts, count, l.out, l.in + 1);
            COUNT(RECTIFIED, H * count), COUNT(ONE, count);
            for (int b = 0; b < count; b++) {
                v16* a = (v16*)(top + (u64)b * ts);
                for (int i = 0; i < H / 16; i++) a[i] = rectified(a[i]);
                a[H / 16] = v16{1};
            }
            x = top;
        }
        const Layer& l = net.layer[1];
        multiply(x, H ? ts : hs, 1, l.w, l.out, out, os, count, l.out, l.in + 1);
        COUNT(BOUNDED, count);
        for (int b = 0; b < count; b++) {  // a gate of more than so much would learn in circles
            v16& gate = *(v16*)(out + (u64)b * os + C);
            gate = gate > GATE_LOW ? gate : v16{} + GATE_LOW;
            gate = gate < GATE_HIGH ? gate : v16{} + GATE_HIGH;
        }
    }

    // From err at the outputs to dh [count][D], what it would be without the rectifier.
    static void back(const Net& net, const float* top, float* dtop, const float* err, float* dh, int count,
                     int ts, int es) {
        const Layer& l = net.layer[1];
        multiply(err, es, 1, l.back, l.in, H ? dtop : dh, TOP, count, l.in, l.out);
        if (!H) return;
        COUNT(LET_BACK, H * count);
        for (int b = 0; b < count; b++)
            for (int i = 0; i < H / 16; i++) {
                v16* g = (v16*)(dtop + (u64)b * H) + i;
                *g = passed(((const v16*)(top + (u64)b * ts))[i], *g);
            }
        const Layer& f = net.layer[0];
        multiply(dtop, H, 1, f.back, f.in, dh, D, count, f.in, f.out);
    }

    static void claim_all(Net& net, Item& item, u64** slots) {
        for (int j = 0; j < net.base.kinds; j++) {
            u32 s = item.look.slot[j];
            u64* slot = s == NONE ? nullptr : net.base.table.slots + s;
            COUNT(SLOT_READ, slot != nullptr);
            // In a full line another context may have taken it since.
            slots[j] = slot && (*slot & TAGS) == tag_of(item.look.hash[j]) ? slot : nullptr;
        }
    }

    static double train(Net& net, Work& work, const u8* text, u64 n, u64 from, u64 to) {
        const Settings& set = net.deep.set;
        Table& t = net.base.table;
        double loss = 0;
        for (u64 first = from; first < to; first += BUNCH) {
            // Three stages: contexts are hashed two bunches ahead, slots claimed one ahead.
            u64 a = first ? first + 2 * BUNCH : 0, last = first + BUNCH < to ? first + BUNCH : to;
            for (u64 i = a; i < first + 3 * BUNCH && i < n; i++) {
                if (i % set.segment == 0) start(work.context, work.trail);
                Item& item = work.ring[i % (STAGES * BUNCH)];
                look(work.context, work.trail, net, item);
                for (int j = 0; j < net.base.kinds; j++)
                    __builtin_prefetch(t.slots + line_of(t, item.look.hash[j]));
                COUNT(TEXT, 1);
                proceed(work.context, work.trail, set, text[i]);
            }
            for (u64 i = first ? first + BUNCH : 0; i < first + 2 * BUNCH && i < n; i++) {
                Item& item = work.ring[i % (STAGES * BUNCH)];
                for (int j = 0; j < net.base.kinds; j++) {
                    u32 s = item.look.slot[j] = claim(t, item.look.hash[j]);
                    COUNT(SLOT_READ, s != NONE);
                    u64 slot = s == NONE ? 0 : t.slots[s];
                    u64 index = slot & ROW ? payload_of(slot) : 0;
                    const char* row = (const char*)(t.rows + index * 16);
                    for (u32 l = 0; l < units(net, j); l++) __builtin_prefetch(row + 64 * l, 1);
                }
            }
            int count = (int)(last - first);
            float scale = 1 - (1 - set.end) * (float)first / (float)n;
            u64* slots[KINDS];
            for (int b = 0; b < count; b++) {
                Item& item = work.ring[(first + b) % (STAGES * BUNCH)];
                claim_all(net, item, slots);
                for (int j = 0; j < net.base.kinds; j++) {
                    COUNT(SLOT_READ, slots[j] != nullptr);
                    u64 v = item.value[j] = slots[j] ? *slots[j] : 0;
                    item.own[j] = v & ROW && net.deep_kind[j] ? t.rows + (u64)payload_of(v) * 16 + C : nullptr;
                }
                sort_out(item.value, net.base.kinds, item.is);
                embed(net, net.embed, item, work.h[b]);
            }
            dense(net, work.h[0], work.top[0], work.out[0], count, D + 16, TOP + 16, 256 + GATES);
            const float* base[KINDS];
            for (int j = 0; j < KINDS; j++) base[j] = t.rows;
            // What contexts add is read and learned byte by byte: a context that comes sixty times in a bunch,
            // as blanks in a row do, would else be learned as often from one and the same error.
            for (int b = 0; b < count; b++) {
                Item& item = work.ring[(first + b) % (STAGES * BUNCH)];
                v16 z[N], p[N];
                u32 y = set.class_of[text[first + b]];
                claim_all(net, item, slots);
                for (int j = 0; j < net.base.kinds; j++) {
                    COUNT(SLOT_READ, slots[j] != nullptr);
                    item.value[j] = slots[j] ? *slots[j] : 0;
                }
                sort_out(item.value, net.base.kinds, item.is);
                float s = forward(net, net.base.learned, base, item, work.out[b], z, p);
                if ((first + b) % SAMPLE == 0) loss += logarithm(s) - ((float*)z)[y];
                v16* e = (v16*)work.err[b];
                COUNT(TEXT, 1), COUNT(LOSS, (first + b) % SAMPLE == 0), COUNT(ERROR, C), COUNT(TRUE_CLASS, 1);
                for (int i = 0; i < N; i++) e[i] = -p[i];
                work.err[b][y] += 1;
                update(net, net.base.learned, t, net.embed, slots, item, work.out[b], work.err[b], y, scale);
            }
            back(net, work.top[0], work.dtop[0], work.err[0], work.dh[0], count, TOP + 16, 256 + GATES);
            v16 squares = {};
            COUNT(SQUARED, count * D), COUNT(BATCH_DONE, 1);
            for (int b = 0; b < count; b++)
                for (int i = 0; i < V; i++) squares += ((v16*)work.dh[b])[i] * ((v16*)work.dh[b])[i];
            float mean = sum(squares) / (float)(count * D);
            net.steps++;
            net.square += (mean - net.square) * (net.steps < 100 ? 1.0f / (float)net.steps : 0.01f);
            net.peak = net.square > net.peak ? net.square : net.peak;
            float step = pace(net) * scale;
            for (int b = 0; b < count; b++)
                learn_embeddings(net, net.embed, net.visits, work.ring[(first + b) % (STAGES * BUNCH)],
                                 work.h[b], work.dh[b], step);
            const float* x = H ? work.top[0] : work.h[0];
            learn(net, net.layer[1], x, H ? TOP + 16 : D + 16, work.err[0], 256 + GATES, count, scale);
            if (H) learn(net, net.layer[0], work.h[0], D + 16, work.dtop[0], TOP, count, scale);
        }
        return loss;
    }

    // The rate of embeddings at this point, for a gradient of any scale.
    static float pace(const Net& net) {
        v16 r = rsqrt(v16{} + ((net.square > net.peak / 32 ? net.square : net.peak / 32) + 1e-12f));
        return net.deep.lr_embed * r[0];
    }

    static void predict(const Net& net, Place& lane, bool adapt, float* out) {
        const Settings& set = net.deep.set;
        const Table& t = net.base.table;
        if (!lane.ready) {
            Item& item = lane.item;
            look(lane.context, lane.trail, net, item);
            for (int j = 0; j < net.base.kinds; j++)
                __builtin_prefetch(t.slots + line_of(t, item.look.hash[j]));
            for (int j = 0; j < net.base.kinds; j++) {
                resolve(net, lane, j, adapt);
                u64 v = item.value[j];
                item.own[j] = v & ROW && net.deep_kind[j] ? lane.base[j] + (u64)payload_of(v) * 16 + C : nullptr;
            }
            for (int j = 0; j < net.base.kinds; j++)  // and here as well, by a later context of this position
                if (lane.slot[j] && (*lane.slot[j] & TAGS) != tag_of(item.look.hash[j])) lane.slot[j] = nullptr;
            sort_out(item.value, net.base.kinds, item.is);
            embed(net, adapt ? lane.embed : net.embed, item, lane.h);
            dense(net, lane.h, lane.top, lane.out, 1, 0, 0, 0);
        }
        v16 zs[N];
        const Learned& w = adapt ? lane.learned : net.base.learned;
        float s = forward(net, w, lane.base, lane.item, lane.out, zs, lane.p);
        lane.ready = 1;
        if (!out) return;
        float ln = logarithm(s), z[C];
        for (int i = 0; i < C; i++) z[i] = ((float*)zs)[i] - ln;
        for (int b = 0; b < 256; b++) out[b] = z[set.class_of[b]] + set.share[b];
    }

    // The slot of context j: the lane's own, copied from the model's when it adapts and has room.
    static void resolve(const Net& net, Place& lane, int j, bool adapt) {
        u64 hash = lane.item.look.hash[j];
        const Table& all = net.base.table;
        lane.slot[j] = nullptr;
        if (adapt) {
            Table& own = lane.table;
            bool room = own.used + KINDS * (N + V) <= own.capacity;
            u32 s = room ? claim(own, hash) : find(own, hash);
            if (s != NONE && (room || visits_of(own.slots[s]))) {
                u64& slot = own.slots[s];
                if (!visits_of(slot)) {
                    u32 i = find(all, hash);
                    u64 known = i == NONE ? 0 : all.slots[i];
                    if (known & ROW) {
                        u32 index = own.used, size = units(net, j);
                        own.used += size;
                        __builtin_memcpy(own.rows + (u64)index * 16, all.rows + (u64)payload_of(known) * 16,
                                         64 * size);
                        known = (known & ~0x7FFFFFFFull) | index;
                    }
                    slot = (slot & TAGS) | (known & ~TAGS);
                }
                lane.slot[j] = room ? &slot : nullptr;
                lane.item.value[j] = slot;
                lane.base[j] = own.rows;
                return;
            }
        }
        u32 i = find(all, hash);
        COUNT(SLOT_READ, i != NONE);
        lane.item.value[j] = i == NONE ? 0 : all.slots[i];
        lane.base[j] = all.rows;
    }

    static void observe(const Net& net, Place& lane, bool adapt, float rate, float deeply, u8 byte) {
        if (adapt) {
            if (!lane.ready) predict(net, lane, true, nullptr);
            u32 y = net.deep.set.class_of[byte];
            v16* e = (v16*)lane.err;
            for (int i = 0; i < N; i++) e[i] = -lane.p[i];
            lane.err[y] += 1;
            for (int j = 0; j < net.base.kinds; j++)
                if (!lane.slot[j]) lane.item.own[j] = nullptr;  // the model's, or there is no room
            update(net, lane.learned, lane.table, lane.embed, lane.slot, lane.item, lane.out, lane.err, y, rate);
            if (deeply > 0) {
                alignas(64) float dh[D], dtop[TOP];
                back(net, lane.top, dtop, lane.err, dh, 1, 0, 0);
                learn_embeddings(net, lane.embed, nullptr, lane.item, lane.h, dh, pace(net) * deeply);
            }
        }
        proceed(lane.context, lane.trail, net.deep.set, byte);
        lane.ready = 0;
    }
};

#define BY_CLASSES(call)                      \
    switch (net->deep.set.classes / 16) {     \
        case 1: return Mlp<1>::call;          \
        case 2: return Mlp<2>::call;          \
        case 3: return Mlp<3>::call;          \
        case 4: return Mlp<4>::call;          \
        case 6: return Mlp<6>::call;          \
        case 8: return Mlp<8>::call;          \
        default: return Mlp<16>::call;        \
    }

static u32 embeddings(const Net* net) { BY_CLASSES(embeddings(*net)) }
static double train_some(Net* net, Work& work, const u8* text, u64 n, u64 from, u64 to) {
    BY_CLASSES(train(*net, work, text, n, from, to))
}
static void predict_one(const Net* net, Place& lane, bool adapt, float* out) {
    BY_CLASSES(predict(*net, lane, adapt, out))
}
static void observe_one(const Net* net, Place& lane, bool adapt, float rate, float deeply, u8 byte) {
    BY_CLASSES(observe(*net, lane, adapt, rate, deeply, byte))
}

static float uniform(u64& state) {  // from -1 to 1
    state = mixed(state + 0x632BE59BD9B4E019ull);
    return (float)(int)(state >> 40) * (2.0f / (1 << 24)) - 1;
}

static float* shape(Layer& l, int in, int out, int drawn, float wide, u64& state, float* at) {
    u64 size = (u64)(in + 1) * out;
    l = Layer{in, out, at, at + size, nullptr, nullptr, nullptr};
    at += size + (u64)in * out;
    l.first = at;
    l.second = at + size;
    l.grad = at + 2 * size;
    float limit = wide * __builtin_sqrtf(3.0f / (float)in);
    COUNT(DRAWN, in * drawn);
    for (int i = 0; i < in; i++)
        for (int j = 0; j < drawn; j++) l.w[(u64)i * out + j] = limit * uniform(state);
    turn(l);
    return at + 3 * size;
}

extern "C" {

u64 size_of(int what) {
    return what == 0 ? sizeof(Net) : what == 1 ? sizeof(Place) : what == 2 ? sizeof(Work) : sizeof(Deep);
}

// Floats that the dense layers take, and the embeddings (of one copy).
u64 floats_of(const Net* net, int what) {
    int out = net->deep.set.classes + GATES;
    u64 last = (u64)(5 * TOP + 4) * out, first = H ? (u64)(5 * D + 4) * H : 0;
    return what == 0 ? last + first : (u64)embeddings(net) * D;
}

void begin_net(Net* net, const Deep* deep) {
    __builtin_memset(net, 0, sizeof *net);
    net->deep = *deep;
}

void count(const u8* text, u64 n, u64* counts) {
    COUNT(TALLIED, n);
    for (u64 i = 0; i < n; i++) counts[text[i]]++;
}

void fill(Net* net, u64* slots, u32 bits, float* rows, u32 capacity, float* dense, float* embed, u32* visits) {
    const Deep& deep = net->deep;
    Model& model = net->base;
    COUNT(GAIN_BEGUN, KINDS * BUCKETS);
    model.set = deep.set;
    for (int k = 0; k < KINDS; k++)
        if (deep.set.contexts >> k & 1) {
            net->deep_kind[model.kinds] = deep.embedded >> k & 1;
            model.which[model.kinds++] = k;
        }
    for (int j = 0; j < KINDS; j++)
        for (int b = 0; b < BUCKETS; b++) model.learned.gain[j][b] = deep.set.gain;
    model.table = Table{slots, rows, bits, capacity, V};  // row 0 is read where there is none
    net->embed = embed;
    net->visits = visits;
    net->embeddings = (int)embeddings(net);
    u64 state = deep.seed;
    int c = deep.set.classes;
    if (H) dense = shape(net->layer[0], D, H, H, 1.4f, state, dense);
    COUNT(DRAWN, D * (1 + PAST * c));
    shape(net->layer[1], TOP, c + GATES, c, deep.init, state, dense);
    for (int i = 0; i < D * (1 + PAST * c); i++) embed[i] = deep.init_past * uniform(state);
}

double train(Net* net, Work* work, const u8* text, u64 n, u64 from, u64 to) {
    return train_some(net, *work, text, n, from, to);
}

void reset(const Net* net, Place* lanes, u32 count, u64* slots, u32 bits, float* rows, u32 capacity, float* embed) {
    for (u32 i = 0; i < count; i++) {
        start(lanes[i].context, lanes[i].trail);
        lanes[i].ready = 0;
        if (!capacity) continue;
        lanes[i].learned = net->base.learned;
        u64* own = slots + ((u64)i << bits);
        __builtin_memset(own, 0, sizeof(u64) << bits);
        lanes[i].table = Table{own, rows + (u64)i * capacity * 16, bits, capacity, 0};
        lanes[i].embed = embed + (u64)i * net->embeddings * D;
        __builtin_memcpy(lanes[i].embed, net->embed, (u64)4 * net->embeddings * D);
    }
}

void predict(const Net* net, Place* lanes, u32 count, int adapt, float* out) {
    for (u32 i = 0; i < count; i++) predict_one(net, lanes[i], adapt, out + 256 * i);
}

void observe(const Net* net, Place* lanes, u32 count, int adapt, float rate, float deeply, const u8* symbols) {
    for (u32 i = 0; i < count; i++) observe_one(net, lanes[i], adapt, rate, deeply, symbols[i]);
}

}
