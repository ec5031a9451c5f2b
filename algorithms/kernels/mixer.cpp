// Context mixing, bit by bit along a tree over the alphabet. See algorithms/mixer.py for the ideas.
//
// Nothing is included and nothing allocated: the caller owns all memory, aligned to 64 bytes.
// A slot of the table is a logit of a one (12 bits) over a kind of count (4 bits). All other adaptive
// probabilities are a chance of a one (22 bits) over a count (10 bits).

#ifndef COUNT
#define COUNT(event, many) ((void)0)  // counts only in a build for that: see algorithms/counting.py
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef int i32;

enum { LANES = 16 };      // contexts, and floats in a vector
enum { CONTEXTS = 16 };   // hashed contexts
enum { INPUTS = 48 };     // of a mixer: two for each context, and sixteen places for others
enum { SETS = 4 };        // mixers, each chosen by its own small context
enum { CHOICES = 256 };   // of such a small context
enum { LINE = 16 };       // halfwords in a line of the table: a check and the slots of 15 nodes
enum { HISTORY = 64 };    // bytes that a lane remembers
enum { LOCAL_A = 6, LOCAL_B = 9 };  // contexts that are the segment's own in lanes that learn
enum { MATCHES = 2 };     // match models
enum { LENGTHS = 32 };    // kinds of match lengths
enum { KINDS = 16, STEPS = 64 };  // of counts and of probabilities, in the maps

typedef float vf __attribute__((vector_size(64)));
typedef i32 vi __attribute__((vector_size(64)));
typedef u32 vu __attribute__((vector_size(64)));
typedef float hf __attribute__((vector_size(32)));
typedef float qf __attribute__((vector_size(16)));

static const u32 FRESH = 1u << 31;  // probability one half, count nought
static const u16 BLANK = 1u << 15;  // the same in 16 bits
static const u32 NOWHERE = 0xFFFFFFFFu;

// What is learned besides the table: copied whole for a lane that goes on learning.
struct Small {
    u32 maps[CONTEXTS][KINDS][STEPS];
    u32 matches[MATCHES][LENGTHS];
    u32 order0[CHOICES];
    float finals[CHOICES][SETS];
    float weights[SETS][CHOICES][INPUTS];
    u64 updates;
};

struct Params {
    float rate, rate_least, rate_fall, rate_adapt, rate_final;
    i32 local;               // whether two contexts are of the segment alone
    float rates[KINDS];      // how far a slot moves, by its count
    float rates_adapt[KINDS];
    i32 odds[KINDS];         // of 256, that a count grows
};

// The tree: nodes in an order in which parents come first, 15 (four levels of them) to a group.
struct Tree {
    i32 symbols, nodes, groups;
    u8 symbol[256];          // of each leaf, the alphabet
    i32 leaf[256];           // of each byte, or -1
    i32 child[256][2];       // a node, or -1 - leaf
    i32 group[256];          // of each node
    i32 slot[256];           // of each node within its group, 1 ... 15
    i32 first[257];          // of each group, its first node; nodes are ordered by group
    i32 length[256];         // of each leaf's path
    u8 path[256][256];       // nodes
    u8 bits[256][256];
};

struct Lane {
    u64 recent;              // the last eight bytes, the latest lowest
    u64 seen;
    u64 segment;             // which one this is, for contexts of its own
    u32 word, word1, word2, column;
    u32 pointer[MATCHES];    // where in the text the match goes on
    u32 length[MATCHES];
    u64 hash[CONTEXTS];
    u64 ready;               // whether hash and matches are those of now
    u8 history[HISTORY];
};

struct Model {
    u16* table;
    u64 table_mask;          // lines - 1
    Small* small;
    const Tree* tree;
    const u8* text;
    u64 text_bytes;
    u32* index[MATCHES];
    u64 index_mask;
    Params params;
};

// The lines of a lane that goes on learning; a key of nought is a free place.
struct Overlay {
    u32* keys;
    u16* lines;
    u64 mask, used;
};

static inline vf splat(float x) { return x - (vf){}; }
static inline vi asint(vf x) { return (vi)x; }
static inline vf asfloat(vi x) { return (vf)x; }
static inline vf tofloat(vi x) { return __builtin_convertvector(x, vf); }
static inline vi toint(vf x) { return __builtin_convertvector(x, vi); }
static inline vf pick(vi m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
static inline vf least(vf a, vf b) { return pick(a < b, a, b); }
static inline vf most(vf a, vf b) { return pick(a > b, a, b); }

// ln(x) for x > 0, to about 4e-7.
static inline vf logv(vf x) {
    vi b = asint(x) - 0x3f3504f3;
    vi e = b >> 23;
    vf m = asfloat((b & 0x7fffff) + 0x3f3504f3);
    vf t = m - 1.0f, t2 = t * t;  // a polynomial fitted at Chebyshev nodes
    vf low = (0.333146738f - 0.249082892f * t) + t2 * (0.204917597f - 0.186807514f * t + 0.119310544f * t2);
    return tofloat(e) * 0.69314718f + (1.000000964f * t + t2 * (-0.500011450f + t * low));
}

static inline float log1(float x) {
    i32 b;
    __builtin_memcpy(&b, &x, 4);
    b -= 0x3f3504f3;
    i32 c = (b & 0x7fffff) + 0x3f3504f3;
    float m;
    __builtin_memcpy(&m, &c, 4);
    float s = (m - 1.0f) / (m + 1.0f), t = s * s;
    return (b >> 23) * 0.69314718f + 2 * s * (1 + t * (1.0f / 3 + t * (0.2f + t * (1.0f / 7))));
}

static inline float exp1(float x) {
    float y = x * 1.44269504f;
    i32 n = (i32)(y + (y < 0 ? -0.5f : 0.5f));
    float f = (y - n) * 0.69314718f;
    float r = 1 + f * (1 + f * (0.5f + f * (1.0f / 6 + f * (1.0f / 24 + f * (1.0f / 120 + f / 720)))));
    i32 b = (n + 127) << 23;
    float two;
    __builtin_memcpy(&two, &b, 4);
    return r * two;
}

static inline float sum(vf x) {
    hf h[2];
    __builtin_memcpy(h, &x, 64);
    hf a = h[0] + h[1];
    qf q[2];
    __builtin_memcpy(q, &a, 32);
    qf b = q[0] + q[1];
    return (b[0] + b[2]) + (b[1] + b[3]);
}

static inline float chance(u32 slot) { return ((slot >> 10) + 0.5f) * (1.0f / 4194304); }
static inline u32 moved(u32 slot, i32 bit) {
    u32 n = slot & 1023;
    float p = chance(slot);
    p += ((float)bit - p) / (n + 1.5f);
    i32 q = (i32)(p * 4194304);
    q = q < 1 ? 1 : q > 4194302 ? 4194302 : q;
    return (u32)q << 10 | (n + (n < 1023));
}

static inline vu movedv(vu slot, i32 bit) {
    vi n = (vi)(slot & 1023);
    vf p = (tofloat((vi)(slot >> 10)) + 0.5f) * (1.0f / 4194304);
    p += ((float)bit - p) / (tofloat(n) + 1.5f);
    vi q = toint(p * 4194304.0f);
    q = (q < 1) ? (vi){} + 1 : q;
    q = (q > 4194302) ? (vi){} + 4194302 : q;
    return (vu)(q << 10 | (n - (n < 1023)));
}

// table[i] for i in 0 ... 15.
template <typename V, typename T> static inline V look_up(const T* table, vi i) {
    V t;
    __builtin_memcpy(&t, table, sizeof t);
#ifdef __clang__
    V r;
    for (i32 k = 0; k < LANES; k++) r[k] = t[i[k]];
    return r;
#else
    return __builtin_shuffle(t, i);
#endif
}

static inline vf expv(vf x) {
    vf y = x * 1.44269504f;
    vi n = toint(y + pick(y < 0, splat(-0.5f), splat(0.5f)));
    vf f = (y - tofloat(n)) * 0.69314718f;
    vf r = 1 + f * (1 + f * (0.5f + f * (1.0f / 6 + f * (1.0f / 24 + f * (1.0f / 120)))));
    return r * asfloat((n + 127) << 23);
}

static inline u64 mixed(u64 x) {
    x ^= x >> 31;
    x *= 0x9E3779B97F4A7C15ull;
    return x ^ x >> 29;
}

static inline u64 combined(u64 a, u64 b) {
    COUNT(COMBINED, 1);
    return mixed(a * 0xD6E8FEB86659FD93ull + b + 1);
}

static inline void blank(u16* line, u16 check) {
    line[0] = check;
    for (i32 i = 1; i < LINE; i++) line[i] = BLANK;
}

// What all contexts of a position have in their line of one group.
struct Here {
    u16* line[CONTEXTS];
    i32 seen;
};

#define FOUR BLANK, BLANK, BLANK, BLANK
static u16 NONE[LINE] __attribute__((aligned(64))) = {0, BLANK, BLANK, BLANK, FOUR, FOUR, FOUR};

// Never nought.
static inline u64 key_of(u64 hash, i32 group) {
    COUNT(KEY, 1);
    return mixed(hash + (u64)group * 0xA24BAED4963EE407ull) | 1ull << 63;
}

// The line in the model's table; where there is none, one is made (grow) or NONE stands for it.
template <bool grow> static inline u16* look(const Model* m, u64 key) {
    u16 check = (u16)(key >> 48) | 1;
    u64 at = key & m->table_mask;
    u16* line = m->table + at * LINE;
    COUNT(LOOKED_UP, 1);
    if (line[0] == check) return line;
    u16* other = m->table + (at ^ 1) * LINE;
    COUNT(OTHER, 1);
    if (other[0] == check) return other;
    if (!grow) return NONE;
    COUNT(BLANKED, 1), COUNT(OLD, (other[0] != 0) + (line[0] != 0));
    if ((other[0] ? other[1] & 15 : -1) < (line[0] ? line[1] & 15 : -1)) line = other;
    blank(line, check);
    return line;
}

static inline void count_seen(Here* h) {
    i32 orders = 0, words = 0;
    COUNT(SEEN, 1);
    for (i32 i = 0; i < 7; i++) orders += (h->line[i][1] & 15) != 0;
    for (i32 i = 7; i < 11; i++) words += (h->line[i][1] & 15) != 0;
    h->seen = orders * 5 + words;
}

static inline void contexts(const Model* m, Lane* l) {
    u64 r = l->recent;
    u64* h = l->hash;
    auto last = [&](i32 n) { return n >= 8 ? r : r & ((1ull << 8 * n) - 1); };
    u32 c1 = r & 255;
    i32 i = 0;
    h[i++] = combined(1, last(1));
    h[i++] = combined(2, last(2));
    h[i++] = combined(3, last(3));
    h[i++] = combined(4, last(4));
    h[i++] = combined(5, last(5));
    h[i++] = combined(6, last(6));
    h[i++] = combined(7, last(8));
    u64 w = combined(l->word, l->word ? 0 : c1);
    h[i++] = combined(8, w);
    h[i++] = combined(9, combined(w, l->word1));
    h[i++] = combined(10, combined(combined(w, l->word1), l->word2));
    h[i++] = combined(11, combined(w, l->word2));
    h[i++] = combined(12, last(4) & ~255ull);
    h[i++] = combined(13, last(4) & ~0xFF00ull);
    h[i++] = combined(14, combined(last(1), l->column < 255 ? l->column : 255));
    h[i++] = combined(15, combined(w, l->column / 8));
    h[i++] = combined(16, combined(last(2), l->word1));
    if (m->params.local) {
        h[LOCAL_A] = combined(17, combined(w, l->segment));
        h[LOCAL_B] = combined(18, combined(last(3), l->segment));
    }
}

static inline bool letter(u32 c) { return (c | 32) - 'a' < 26u || c >= 128 || c == '\''; }

static inline void follow(Lane* l, u8 c) {
    l->ready = 0;
    l->history[l->seen++ % HISTORY] = c;
    l->recent = l->recent << 8 | c;
    if (letter(c)) {
        l->word = (u32)combined(l->word, c >= 128 ? c : c | 32) | 1;
    } else if (l->word) {
        l->word2 = l->word1;
        l->word1 = l->word;
        l->word = 0;
    }
    if (c == '\n') {
        l->column = 0;
    } else {
        l->column++;
    }
}

static const u32 MATCH_MIN[MATCHES] = {5, 11};

static inline u64 match_key(const Lane* l, i32 k) {
    u64 r = l->recent;
    if (k == 0) return combined(20, r & 0xFFFFFFFFFFull);
    u64 more = 0;
    for (u64 i = 9; i <= 11; i++) more = more << 8 | l->history[(l->seen - i) % HISTORY];
    return combined(21, combined(r, more));
}

// Where does the text go on as it did here before?
template <bool learn> static inline void find_matches(const Model* m, Lane* l, u64 at) {
    for (i32 k = 0; k < MATCHES; k++) {
        u32 last = (u8)l->recent;
        COUNT(CONTINUED, l->length[k] && l->pointer[k] < m->text_bytes);
        if (l->length[k] && l->pointer[k] < m->text_bytes && m->text[l->pointer[k]] == last) {
            l->pointer[k]++;
            l->length[k]++;
        } else l->length[k] = 0;
        if (l->seen < MATCH_MIN[k]) continue;
        if (learn || !l->length[k]) {
            u32* entry = m->index[k] + (match_key(l, k) & m->index_mask);
            COUNT(SOUGHT, !l->length[k]), COUNT(KNOWN, !l->length[k] && *entry != NOWHERE);
            if (!l->length[k] && *entry != NOWHERE) {
                u32 from = *entry, n = 0;
                while (n < 40 && n < from && n < l->seen &&
                       m->text[from - 1 - n] == l->history[(l->seen - 1 - n) % HISTORY]) n++;
                COUNT(COMPARED, n + (n < 40 && n < from && n < l->seen));
                if (n >= MATCH_MIN[k]) {
                    l->length[k] = n;
                    l->pointer[k] = from;
                }
            }
            COUNT(INDEXED, learn);
            if (learn) *entry = (u32)at;
        }
    }
}

static inline i32 length_kind(u32 n) {
    if (n < 16) return n;
    if (n < 32) return 16 + (n - 16) / 4;
    return n < 64 ? 20 + (n - 32) / 8 : 24;
}

#define ALWAYS __attribute__((always_inline)) static inline

// One prediction: what went in, what came out, where it came from.
struct Node {
    vf x[3];
    vu maps;
    vi slots;
    i32 where[CONTEXTS] __attribute__((aligned(64)));
    qf stretch, p;
    float mixed;
    i32 choice[SETS];
    i32 node;
};

struct Position {
    i32 choice[SETS];
    i32 symbol[MATCHES];       // leaf that the match expects or -1
    i32 kind[MATCHES];
    signed char expected[MATCHES][256];  // of each node: +1, -1, or 0: not on the way
};

static inline void open_position(const Model* m, Lane* l, Position* at) {
    const Tree* t = m->tree;
    for (i32 k = 0; k < MATCHES; k++) {
        at->symbol[k] = -1;
        at->kind[k] = 0;
        if (l->length[k] && l->pointer[k] < m->text_bytes) {
            at->symbol[k] = t->leaf[m->text[l->pointer[k]]];
            COUNT(EXPECTED, 1), COUNT(WAY, at->symbol[k] >= 0), COUNT(STEP, at->symbol[k] >= 0 ? t->length[at->symbol[k]] : 0);
            at->kind[k] = length_kind(l->length[k]);
            if (at->symbol[k] >= 0)
                for (i32 d = 0; d < t->length[at->symbol[k]]; d++)
                    at->expected[k][t->path[at->symbol[k]][d]] = t->bits[at->symbol[k]][d] ? 1 : -1;
        }
    }
    i32 longest = l->length[1] ? l->length[1] : l->length[0];
    at->choice[1] = length_kind(longest);
    at->choice[2] = (u8)l->recent;
}

static inline void close_position(const Model* m, Position* at) {
    const Tree* t = m->tree;
    for (i32 k = 0; k < MATCHES; k++)
        if (at->symbol[k] >= 0) {
            COUNT(WAY, 1), COUNT(STEP_BACK, t->length[at->symbol[k]]);
            for (i32 d = 0; d < t->length[at->symbol[k]]; d++)
                at->expected[k][t->path[at->symbol[k]][d]] = 0;
        }
}

ALWAYS void guess(const Model* m, const Small* s, const Position* at, const Here* here, i32 node, Node* o) {
    const Tree* t = m->tree;
    i32 j = t->slot[node];
    COUNT(GUESS, 1);
    o->node = node;
    u16* const* w = here->line;
    // Named one by one, they go into the vector without a detour through memory.
    o->slots = (vi){w[0][j], w[1][j], w[2][j], w[3][j], w[4][j], w[5][j], w[6][j], w[7][j],
                    w[8][j], w[9][j], w[10][j], w[11][j], w[12][j], w[13][j], w[14][j], w[15][j]};
    vi kind = o->slots & 15;
    vi q = o->slots >> 10;
    vi base = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vi where = (base * (i32)KINDS + kind) * (i32)STEPS + q;
    __builtin_memcpy(o->where, &where, 64);
    const u32* maps = &s->maps[0][0][0];
    const i32* y = o->where;
    o->maps = (vu){maps[y[0]], maps[y[1]], maps[y[2]], maps[y[3]], maps[y[4]], maps[y[5]],
                   maps[y[6]], maps[y[7]], maps[y[8]], maps[y[9]], maps[y[10]], maps[y[11]],
                   maps[y[12]], maps[y[13]], maps[y[14]], maps[y[15]]};
    vf mp = (tofloat((vi)(o->maps >> 10)) + 0.5f) * (1.0f / 4194304);
    o->x[0] = logv(mp / (1 - mp));
    o->x[1] = (mp - 0.5f) * 4;
    // The two matches, where they point this way, the node's own frequency, and a constant.
    float sign[MATCHES], right[MATCHES];
    for (i32 k = 0; k < MATCHES; k++) {
        sign[k] = at->expected[k][node];
        right[k] = chance(s->matches[k][at->kind[k]]);
    }
    vf e = {right[0], right[1], chance(s->order0[node]), 0.62f, .5f, .5f, .5f, .5f,
            .5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f};
    e = logv(e / (1 - e)) * (vf){sign[0], sign[1], 1, 1};
    e += (vf){0, 0, 0, 0, sign[0] * (right[0] - 0.5f) * 4, sign[1] * (right[1] - 0.5f) * 4};
    o->x[2] = e;
    o->choice[0] = node;
    o->choice[1] = sign[0] != 0 || sign[1] != 0 ? at->choice[1] : 0;
    o->choice[2] = at->choice[2];
    o->choice[3] = here->seen;
    qf d;
    for (i32 k = 0; k < SETS; k++) {
        const vf* w = (const vf*)s->weights[k][o->choice[k]];
        d[k] = sum(w[0] * o->x[0] + w[1] * o->x[1] + w[2] * o->x[2]);
    }
    d = d > 12 ? (qf){12, 12, 12, 12} : d;
    d = d < -12 ? (qf){-12, -12, -12, -12} : d;
    o->stretch = d;
    qf f = *(const qf*)s->finals[node];
    f *= d;
    float total = (f[0] + f[2]) + (f[1] + f[3]);
    total = total > 12 ? 12 : total < -12 ? -12 : total;
    vf all = {d[0], d[1], d[2], d[3], total};
    all = 1 / (1 + expv(-all));
    o->p = (qf){all[0], all[1], all[2], all[3]};
    o->mixed = all[4];
}

ALWAYS void learn(const Model* m, Small* s, const Position* at, Here* here, const Node* o, i32 bit,
                  float rate, const float* rates) {
    const Params* r = &m->params;
    COUNT(LEARN, 1);
    i32 j = m->tree->slot[o->node];
    vi n = o->slots & 15;
    vf st = (tofloat(o->slots >> 4) - 2047.5f) * (1.0f / 256);
    vf p = 1 / (1 + expv(-st));
    p += ((float)bit - p) * look_up<vf>(rates, n);
    p = least(most(p, splat(0.00034f)), splat(0.99966f));
    vi q = toint(logv(p / (1 - p)) * 256.0f + 2048.0f);
    // From eight on, a count stands for more than one and grows by chance.
    u32 dice = (u32)++s->updates * 0x9E3779B1u;
    vi grow = (((o->slots ^ (i32)(dice >> 12)) * 0x2C1B3C6D) >> 8 & 255) < look_up<vi>(r->odds, n);
    vi slots = q << 4 | (n - grow);
    for (i32 i = 0; i < CONTEXTS; i++) here->line[i][j] = slots[i];
    vu maps = movedv(o->maps, bit);
    u32* all = &s->maps[0][0][0];
    for (i32 i = 0; i < CONTEXTS; i++) all[o->where[i]] = maps[i];
    s->order0[o->node] = moved(s->order0[o->node], bit);
    for (i32 k = 0; k < MATCHES; k++) {
        i32 e = at->expected[k][o->node];
        u32* slot = &s->matches[k][at->kind[k]];
        COUNT(MATCH_LEARNED, e != 0);
        if (e) *slot = moved(*slot, bit == (e > 0));
    }
    float* f = s->finals[o->node];
    float err = ((float)bit - o->mixed) * r->rate_final;
    qf fs = *(qf*)f;
    fs += err * o->stretch;
    *(qf*)f = fs;
    qf gs = ((float)bit - o->p) * rate;
    for (i32 k = 0; k < SETS; k++) {
        vf* w = (vf*)s->weights[k][o->choice[k]];
        float g = gs[k];
        w[0] += g * o->x[0];
        w[1] += g * o->x[1];
        w[2] += g * o->x[2];
    }
}

static inline void begin_segment(Lane* l, u64 which) {
    __builtin_memset(l, 0, sizeof *l);
    l->segment = which;
}

// The keys of all groups on a byte's way, and its lines on their way from memory.
struct Keys {
    u64 key[86][CONTEXTS];
};

static inline void fetch(const Model* m, const Lane* l, u8 c, Keys* k) {
    const Tree* t = m->tree;
    i32 leaf = t->leaf[c], group = -1, at = 0;
    COUNT(FETCH, 1), COUNT(WAY, 1), COUNT(FETCH_STEP, t->length[leaf]);
    for (i32 d = 0; d < t->length[leaf]; d++)
        if (t->group[t->path[leaf][d]] != group) {
            group = t->group[t->path[leaf][d]];
            COUNT(FETCH_GROUP, 1);
            for (i32 i = 0; i < CONTEXTS; i++) {
                u64 key = k->key[at][i] = key_of(l->hash[i], group);
                __builtin_prefetch(m->table + (key & m->table_mask) * LINE);
            }
            at++;
        }
    for (i32 i = 0; i < MATCHES; i++)
        __builtin_prefetch(m->index[i] + (match_key(l, i) & m->index_mask));
}

// The line in a lane's overlay, or null.
static inline u16* found(const Overlay* o, u64 key) {
    u32 check = (u32)(key >> 32);
    for (u64 at = key & o->mask; o->keys[at]; at = (at + 1) & o->mask)
        if (o->keys[at] == check) return o->lines + at * LINE;
    return 0;
}

// The line to write to: the lane's own, copied at first from the model's. When the overlay is full, what
// is learned in `spare` is forgotten.
static inline u16* owned(const Model* m, Overlay* o, u64 key, u16* spare) {
    u16* line = found(o, key);
    if (line) return line;
    u16* from = look<false>(m, key);
    if (o->used >= o->mask / 4 * 3) line = spare;
    else {
        u64 at = key & o->mask;
        while (o->keys[at]) at = (at + 1) & o->mask;
        o->keys[at] = (u32)(key >> 32);
        line = o->lines + at * LINE;
        o->used++;
    }
    __builtin_memcpy(line, from, 2 * LINE);
    return line;
}

static inline void get_ready(const Model* m, Lane* l) {
    if (l->ready) return;
    contexts(m, l);
    find_matches<false>(m, l, 0);
    l->ready = 1;
}

// Fetches from memory what will be looked up.
template <bool adapt> static inline void soon(const Model* m, const Overlay* over, u64 key) {
    __builtin_prefetch(m->table + (key & m->table_mask) * LINE);
    if (!adapt) return;
    __builtin_prefetch(over->keys + (key & over->mask));
    __builtin_prefetch(over->lines + (key & over->mask) * LINE);
}

template <bool adapt> static void prepare_one(const Model* m, const Overlay* over, Lane* l) {
    get_ready(m, l);
    for (i32 c = 0; c < CONTEXTS; c++) soon<adapt>(m, over, key_of(l->hash[c], 0));
}

template <bool adapt>
static void predict_one(const Model* m, Small* s, const Overlay* over, Lane* l, float* row, float rest) {
    const Tree* t = m->tree;
    Position at;
    get_ready(m, l);
    __builtin_memset(&at, 0, sizeof at);
    open_position(m, l, &at);
    float above[256];
    above[0] = t->symbols < 256 ? log1(1 - rest) : 0;
    float none = t->symbols < 256 ? log1(rest / (256 - t->symbols)) : 0;
    for (i32 c = 0; c < 256; c++) row[c] = none;
    if (t->symbols == 1) row[t->symbol[0]] = above[0];
    u64 key[256][CONTEXTS];   // 0: this context has not been there
    for (i32 c = 0; c < CONTEXTS; c++) key[0][c] = key_of(l->hash[c], 0);
    for (i32 g = 0; g < t->groups; g++) {
        Here here;
        for (i32 c = 0; c < CONTEXTS; c++) {
            u16* line = adapt && key[g][c] ? found(over, key[g][c]) : 0;
            here.line[c] = line ? line : key[g][c] ? look<false>(m, key[g][c]) : NONE;
        }
        count_seen(&here);
        for (i32 node = t->first[g]; node < t->first[g + 1]; node++) {
            Node o;
            guess(m, s, &at, &here, node, &o);
            float lp[2] = {log1(1 - o.mixed), log1(o.mixed)};
            for (i32 k = 0; k < 2; k++) {
                i32 child = t->child[node][k];
                float v = above[node] + lp[k];
                if (child < 0) row[t->symbol[-1 - child]] = v;
                else above[child] = v;
                if (child < 0 || t->group[child] == g) continue;
                i32 next = t->group[child];
                for (i32 c = 0; c < CONTEXTS; c++) {
                    bool been = here.line[c][t->slot[node]] & 15;
                    u64 x = key[next][c] = been ? key_of(l->hash[c], next) : 0;
                    if (been) soon<adapt>(m, over, x);
                }
            }
        }
    }
}

static void adapt_one(const Model* m, Small* s, Overlay* over, Lane* l, u8 symbol) {
    const Tree* t = m->tree;
    i32 leaf = t->leaf[symbol], group = -1;
    if (leaf < 0) return;
    Position at;
    get_ready(m, l);
    __builtin_memset(&at, 0, sizeof at);
    open_position(m, l, &at);
    Here here = {};
    u16 spare[CONTEXTS][LINE];
    for (i32 d = 0; d < t->length[leaf]; d++) {
        i32 node = t->path[leaf][d];
        if (t->group[node] != group) {
            group = t->group[node];
            for (i32 c = 0; c < CONTEXTS; c++)
                here.line[c] = owned(m, over, key_of(l->hash[c], group), spare[c]);
            count_seen(&here);
        }
        Node o;
        guess(m, s, &at, &here, node, &o);
        learn(m, s, &at, &here, &o, t->bits[leaf][d], m->params.rate_adapt, m->params.rates_adapt);
    }
}

// x ln x summed over a row of counts, and their sum.
static inline void entropy_of(const float* a, const float* b, i32 width, double* xlnx, double* total) {
    double s = 0, n = 0;
    COUNT(ENTROPY, 1), COUNT(ENTROPY_TERM, width);
    for (i32 i = 0; i < width; i += 16) {
        vf x, y;
        __builtin_memcpy(&x, a + i, 64);
        __builtin_memcpy(&y, b + i, 64);
        x += y;
        s += sum(x * logv(most(x, splat(1e-9f))));
        n += sum(x);
    }
    *xlnx = s;
    *total = n;
}

static inline double lnd(double x) {
    i32 e = 0;
    while (x > 1e6) { x *= 1.0 / (1 << 20); e++; }
    return log1((float)x) + e * 13.862943611198906;
}

extern "C" {

// Joins, two by two, the symbols (and then the groups of symbols) that stand after the most similar
// bytes. counts: float [256][512], zeros; cost: float [256][256].
void grow_tree(const u8* text, u64 bytes, Tree* t, float* counts, float* cost, float balance) {
    i32 k = 0, joins = 0;
    COUNT(GROW, 1), COUNT(TALLIED, bytes), COUNT(PAIRED, bytes > 2 ? bytes - 2 : 0);
    for (i32 c = 0; c < 256; c++) t->leaf[c] = -1;
    for (u64 i = 0; i < bytes; i++) t->leaf[text[i]] = 0;
    for (i32 c = 0; c < 256; c++)
        if (!t->leaf[c]) {
            t->leaf[c] = k;
            t->symbol[k++] = c;
        }
    t->symbols = k;
    COUNT(LEAF, k);
    i32 width = (2 * k + 15) / 16 * 16;
    for (u64 i = 2; i < bytes; i++) {
        float* row = counts + t->leaf[text[i]] * 512;
        row[t->leaf[text[i - 1]]]++;
        row[k + t->leaf[text[i - 2]]]++;
    }
    const float* zeros = counts + 512 * 256;  // a row more
    double h[256];
    i32 tree[256], left[256], right[256], alive = k;
    bool live[256];
    auto entropy = [&](i32 a, i32 b, double* total) {
        double x;
        entropy_of(counts + a * 512, b < 0 ? zeros : counts + b * 512, width, &x, total);
        return *total > 0 ? *total * lnd(*total) - x : 0;
    };
    auto price = [&](i32 a, i32 b) {
        double total, e = entropy(a, b, &total);
        COUNT(PRICED, 1);
        return (float)(e - h[a] - h[b] + balance * total);
    };
    for (i32 a = 0; a < k; a++) {
        double total;
        live[a] = true;
        tree[a] = -1 - a;
        h[a] = entropy(a, -1, &total);
    }
    for (i32 a = 0; a < k; a++)
        for (i32 b = 0; b < a; b++) cost[a * 256 + b] = price(a, b);
    for (; alive > 1; alive--) {
        i32 x = -1, y = -1;
        for (i32 a = 0; a < k; a++)
            for (i32 b = 0; b < a && live[a]; b++) {
                COUNT(CHEAPER, live[b] && x >= 0);
                if (live[b] && (x < 0 || cost[a * 256 + b] < cost[x * 256 + y])) x = a, y = b;
            }
        left[joins] = tree[y];
        right[joins] = tree[x];
        tree[y] = joins++;
        live[x] = false;
        double total;
        COUNT(JOINED, width);
        for (i32 i = 0; i < width; i++) counts[y * 512 + i] += counts[x * 512 + i];
        h[y] = entropy(y, -1, &total);
        for (i32 a = 0; a < k; a++)
            if (live[a] && a != y) cost[a > y ? a * 256 + y : y * 256 + a] = price(a, y);
    }
    // Number the nodes group by group, from the root on.
    i32 root[256], slot[256], order[256], number[256];
    t->groups = t->nodes = 0;
    i32 roots = 0;
    if (k > 1) root[roots++] = joins - 1;
    for (i32 g = 0; g < roots; g++) {
        i32 n = t->nodes;
        t->first[g] = n;
        order[n] = root[g];
        slot[n] = 1;
        for (i32 end = n + 1; n < end; n++) {
            i32 x = order[n];
            number[x] = n;
            t->group[n] = g;
            t->slot[n] = slot[n];
            for (i32 b = 0; b < 2; b++) {
                i32 child = b ? right[x] : left[x];
                if (child < 0) continue;
                if (slot[n] >= 8) root[roots++] = child;
                else {
                    order[end] = child;
                    slot[end++] = 2 * slot[n] + b;
                }
            }
            t->nodes = end;
        }
    }
    t->groups = roots;
    COUNT(NODE, t->nodes), COUNT(GROUP, roots);
    t->first[roots] = t->nodes;
    i32 up[256], upbit[256];
    for (i32 n = 0; n < t->nodes; n++)
        for (i32 b = 0; b < 2; b++) {
            i32 child = b ? right[order[n]] : left[order[n]];
            i32 to = t->child[n][b] = child < 0 ? child : number[child];
            if (to >= 0) {
                up[to] = n;
                upbit[to] = b;
                continue;
            }
            u8 back[256], turns[256];
            i32 d = 0;
            for (i32 at = n, bit = b;; bit = upbit[at], at = up[at]) {
                back[d] = at;
                turns[d++] = bit;
                if (at == 0) break;
            }
            i32 leaf = -1 - to;
            t->length[leaf] = d;
            COUNT(TURN, d);
            for (i32 i = 0; i < d; i++) {
                t->path[leaf][i] = back[d - 1 - i];
                t->bits[leaf][i] = turns[d - 1 - i];
            }
        }
}

u64 small_bytes() { return (sizeof(Small) + 63) / 64 * 64; }
u64 lane_bytes() { return (sizeof(Lane) + 63) / 64 * 64; }
u64 tree_bytes() { return (sizeof(Tree) + 63) / 64 * 64; }
u64 model_bytes() { return sizeof(Model); }

void start(Model* m) {
    Small* s = m->small;
    COUNT(START, 1);
    for (u64 i = 0; i < CONTEXTS; i++)
        for (u64 k = 0; k < KINDS; k++)
            for (u64 q = 0; q < STEPS; q++) {
                // A slot is taken at its word, but for one that has never been written to.
                float p = k ? 1 / (1 + exp1(-((float)q - 31.5f) / 4)) : 0.5f;
                s->maps[i][k][q] = (u32)(p * 4194304) << 10 | 6;
            }
    for (i32 k = 0; k < MATCHES; k++)
        for (i32 i = 0; i < LENGTHS; i++) s->matches[k][i] = (u32)(0.9f * 4194304) << 10 | 4;
    for (i32 i = 0; i < CHOICES; i++) s->order0[i] = FRESH;
    for (i32 k = 0; k < SETS; k++)
        for (i32 c = 0; c < CHOICES; c++)
            for (i32 i = 0; i < INPUTS; i++)
                s->weights[k][c][i] = i < 16 ? 0.15f : i == 32 || i == 33 ? 0.2f : 0;
    for (i32 c = 0; c < CHOICES; c++)
        for (i32 k = 0; k < SETS; k++) s->finals[c][k] = 1.0f / SETS;
}

void train(Model* m, Lane* l, u64 begin, u64 end, u64 segment, double* cost) {
    const Tree* t = m->tree;
    Position at;
    __builtin_memset(&at, 0, sizeof at);
    Small* s = m->small;
    double bits = 0;
    Keys keys[2];
    if (segment && begin % segment == 0) begin_segment(l, begin / segment);
    COUNT(TEXT, 1);
    contexts(m, l);
    fetch(m, l, m->text[begin], &keys[begin & 1]);
    for (u64 i = begin; i < end; i++) {
        find_matches<true>(m, l, i);
        open_position(m, l, &at);
        follow(l, m->text[i]);
        if (i + 1 < end) {  // what the next byte wants comes from memory while we are at this one
            if (segment && (i + 1) % segment == 0) begin_segment(l, (i + 1) / segment);
            contexts(m, l);
            fetch(m, l, m->text[i + 1], &keys[(i + 1) & 1]);
        }
        COUNT(BYTE, 1), COUNT(TEXT, 2 + (i + 1 < end));
        i32 leaf = t->leaf[m->text[i]];
        COUNT(WAY, 1), COUNT(CODED, t->length[leaf]);
        i32 group = -1;
        Here here = {};
        u64* key = keys[i & 1].key[0];
        float rate = m->params.rate / (1 + (float)i / m->params.rate_fall);
        rate = rate > m->params.rate_least ? rate : m->params.rate_least;
        for (i32 d = 0; d < t->length[leaf]; d++) {
            i32 node = t->path[leaf][d], bit = t->bits[leaf][d];
            if (t->group[node] != group) {
                group = t->group[node];
                COUNT(GROUP_CODED, 1);
                for (i32 c = 0; c < CONTEXTS; c++) here.line[c] = look<true>(m, key[c]);
                count_seen(&here);
                key += CONTEXTS;
            }
            Node o;
            guess(m, s, &at, &here, node, &o);
            bits -= log1(bit ? o.mixed : 1 - o.mixed);
            learn(m, s, &at, &here, &o, bit, rate, m->params.rates);
        }
        close_position(m, &at);
    }
    *cost = bits;
}

// Log-probabilities of the leaves after what a lane has seen. rest: what unknown bytes share.
void predict(const Model* m, Lane* lanes, u64 stride, u64 count, float* out, float rest,
             Small* own, u64 own_stride, const Overlay* over) {
    for (u64 b = 0; b < count; b++) {
        Lane* l = (Lane*)((u8*)lanes + b * stride);
        if (b + 1 < count) {
            Lane* next = (Lane*)((u8*)l + stride);
            if (own) prepare_one<true>(m, over + b + 1, next);
            else prepare_one<false>(m, 0, next);
        }
        if (own) predict_one<true>(m, (Small*)((u8*)own + b * own_stride), over + b, l, out + b * 256, rest);
        else predict_one<false>(m, m->small, 0, l, out + b * 256, rest);
    }
}

void observe(const Model* m, Lane* lanes, u64 stride, u64 count, const u8* symbols,
             Small* own, u64 own_stride, Overlay* over) {
    for (u64 b = 0; b < count; b++) {
        Lane* l = (Lane*)((u8*)lanes + b * stride);
        get_ready(m, l);  // where it was observed without having been asked
        if (own) adapt_one(m, (Small*)((u8*)own + b * own_stride), over + b, l, symbols[b]);
        follow(l, symbols[b]);
    }
}

// Back to the trained state, a segment of its own before it.
void reset(const Model* m, Lane* lanes, u64 stride, u64 count, Small* own, u64 own_stride, Overlay* over) {
    for (u64 b = 0; b < count; b++) {
        begin_segment((Lane*)((u8*)lanes + b * stride), ~0ull);
        if (!own) continue;
        __builtin_memcpy((u8*)own + b * own_stride, m->small, sizeof(Small));
        __builtin_memset(over[b].keys, 0, (over[b].mask + 1) * 4);
        over[b].used = 0;
    }
}

}
