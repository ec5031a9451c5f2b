// Context mixing, bit by bit along a tree over the alphabet. See algorithms/mixer.py for the ideas.
//
// Nothing is included and nothing allocated: the caller owns all memory, aligned to 64 bytes.
// A slot is a probability of a one (22 bits) over a count (10 bits).

typedef unsigned char u8;
typedef unsigned u32;
typedef unsigned long long u64;
typedef int i32;

enum { LANES = 16 };      // contexts, and floats in a vector
enum { CONTEXTS = 16 };   // hashed contexts
enum { INPUTS = 48 };     // of a mixer: two for each context, and sixteen others
enum { SETS = 4 };        // mixers, each chosen by its own small context
enum { CHOICES = 256 };   // of such a small context
enum { LINE = 8 };        // words in a line of the table: a check and the slots of seven nodes
enum { HISTORY = 64 };    // bytes that a lane remembers
enum { MATCHES = 2 };     // match models
enum { LENGTHS = 32 };    // kinds of match lengths
enum { KINDS = 32, STEPS = 32 };  // of counts and of probabilities, in the maps

typedef float vf __attribute__((vector_size(64)));
typedef i32 vi __attribute__((vector_size(64)));
typedef u32 vu __attribute__((vector_size(64)));
typedef float hf __attribute__((vector_size(32)));
typedef float qf __attribute__((vector_size(16)));

static const u32 FRESH = 1u << 31;  // probability one half, count nought
static const u32 NOWHERE = 0xFFFFFFFFu;

// What is learned besides the table: copied whole for a lane that goes on learning.
struct Small {
    u32 maps[CONTEXTS][KINDS][STEPS];
    u32 matches[MATCHES][LENGTHS];
    u32 order0[CHOICES];
    float weights[SETS][CHOICES][INPUTS];
    float finals[CHOICES][8];
    u32 apm[2][CHOICES * 40];
};

struct Params {
    float rate, rate_least, rate_fall, limit, limit_low, map_limit, final_rate, apm_rate, apm_weight, mode;
    float spare[6];
};

// The tree: nodes in an order in which parents come first, 7 (three levels of them) to a group.
struct Tree {
    i32 symbols, nodes, groups, deepest;
    u8 symbol[256];          // of each leaf, the alphabet
    i32 leaf[256];           // of each byte, or -1
    i32 child[256][2];       // a node, or -1 - leaf
    i32 group[256];          // of each node
    i32 slot[256];           // of each node within its group, 1 ... 7
    i32 first[257];          // of each group, its first node; nodes are ordered by group
    i32 length[256];         // of each leaf's path
    u8 path[256][256];       // nodes
    u8 bits[256][256];
};

struct Lane {
    u64 recent;              // the last eight bytes, the latest lowest
    u64 seen;
    u64 segment;             // which one this is, for contexts of its own
    u32 word, word1, word2, column, above, first, last_line;
    u32 pointer[MATCHES];    // where in the text the match goes on
    u32 length[MATCHES];
    u64 hash[CONTEXTS];
    u8 history[HISTORY];
};

struct Model {
    u32* table;
    u64 table_mask;          // lines - 1
    Small* small;
    const Tree* tree;
    const u8* text;
    u64 text_bytes;
    u32* index[MATCHES];
    u64 index_mask;
    u64 updates;
    Params params;
};

struct Overlay {             // a lane's own lines, of one that goes on learning
    u32* table;
    u64 mask;
    u64 used;
};

static inline vf splat(float x) { return x - (vf){}; }
static inline vi asint(vf x) { return (vi)x; }
static inline vf asfloat(vi x) { return (vf)x; }
static inline vf tofloat(vi x) { return __builtin_convertvector(x, vf); }
static inline vi toint(vf x) { return __builtin_convertvector(x, vi); }
static inline vf pick(vi m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
static inline vf least(vf a, vf b) { return pick(a < b, a, b); }
static inline vf most(vf a, vf b) { return pick(a > b, a, b); }

// ln(x) for x > 0, to about 1e-7.
static inline vf logv(vf x) {
    vi b = asint(x) - 0x3f3504f3;
    vi e = b >> 23;
    vf m = asfloat((b & 0x7fffff) + 0x3f3504f3);
    vf s = (m - 1.0f) / (m + 1.0f), t = s * s;
    return tofloat(e) * 0.69314718f + 2 * s * (1 + t * (1.0f / 3 + t * (0.2f + t * (1.0f / 7))));
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

static inline float squash(float x) {
    x = x > 15 ? 15 : x < -15 ? -15 : x;
    return 1 / (1 + exp1(-x));
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
static inline float stretched(float p) { return log1(p / (1 - p)); }

static inline u32 moved(u32 slot, i32 bit, float limit) {
    u32 n = slot & 1023;
    float p = chance(slot);
    p += ((float)bit - p) / (n + 1.5f);
    i32 q = (i32)(p * 4194304);
    q = q < 1 ? 1 : q > 4194302 ? 4194302 : q;
    return (u32)q << 10 | (n + (n < (u32)limit));
}

static inline vu movedv(vu slot, i32 bit, vi limit, vf ratio) {
    vi n = (vi)(slot & 1023);
    vf p = (tofloat((vi)(slot >> 10)) + 0.5f) * (1.0f / 4194304);
    p += ((float)bit - p) / (tofloat(n) * ratio + 1.5f);
    vi q = toint(p * 4194304.0f);
    q = (q < 1) ? (vi){} + 1 : q;
    q = (q > 4194302) ? (vi){} + 4194302 : q;
    return (vu)(q << 10 | (n - (n < limit)));
}

static inline u64 mixed(u64 x) {
    x ^= x >> 31;
    x *= 0x9E3779B97F4A7C15ull;
    return x ^ x >> 29;
}

static inline u64 combined(u64 a, u64 b) { return mixed(a * 0xD6E8FEB86659FD93ull + b + 1); }

static inline void blank(u32* line, u32 check) {
    line[0] = check;
    for (i32 i = 1; i < LINE; i++) line[i] = FRESH;
}

// What all contexts of a position have in their line of one group.
struct Here {
    u32* line[CONTEXTS];
};

static u32 NONE[LINE] __attribute__((aligned(64))) = {
    0, FRESH, FRESH, FRESH, FRESH, FRESH, FRESH, FRESH};

static inline u64 key_of(u64 hash, i32 group) { return mixed(hash + (u64)group * 0xA24BAED4963EE407ull) | 1ull << 63; }

// The line in the model's table; where there is none, one is made (grow) or NONE stands for it.
template <bool grow> static inline u32* look(const Model* m, u64 key) {
    u32 check = (u32)(key >> 32) | 1;
    u64 at = key & m->table_mask;
    u32* line = m->table + at * LINE;
    if (line[0] == check) return line;
    u32* worst = line;
    for (u64 i = 1; i < 4; i++) {
        u32* other = m->table + (at ^ i) * LINE;
        if (other[0] == check) return other;
        if (grow && (other[0] ? (other[1] & 1023) + 1 : 0) < (worst[0] ? (worst[1] & 1023) + 1 : 0)) worst = other;
    }
    if (!grow) return NONE;
    blank(worst, check);
    return worst;
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
    h[i++] = combined(13, (last(4) & ~0xFF00ull));
    h[i++] = combined(14, combined(last(1), l->column < 255 ? l->column : 255));
    h[i++] = combined(15, combined(w, l->first));
    h[i++] = combined(16, last(7));
}

static inline bool letter(u32 c) { return (c | 32) - 'a' < 26u || c >= 128 || c == '\''; }

static inline void follow(const Model* m, Lane* l, u8 c) {
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
        l->last_line = l->column;
        l->column = 0;
        l->first = 0;
    } else {
        if (l->column == 0) l->first = c;
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
        if (l->length[k] && l->pointer[k] < m->text_bytes && m->text[l->pointer[k]] == last) {
            l->pointer[k]++;
            l->length[k]++;
        } else l->length[k] = 0;
        if (l->seen < MATCH_MIN[k]) { continue; }
        if (learn || !l->length[k]) {
            u32* entry = m->index[k] + (match_key(l, k) & m->index_mask);
            if (!l->length[k] && *entry != NOWHERE) {
                u32 from = *entry, n = 0;
                while (n < 40 && n < from && n < l->seen && m->text[from - 1 - n] == l->history[(l->seen - 1 - n) % HISTORY]) n++;
                if (n >= MATCH_MIN[k]) {
                    l->length[k] = n;
                    l->pointer[k] = from;
                }
            }
            if (learn) *entry = (u32)at;
        }
    }
}

static inline i32 length_kind(u32 n) {
    if (n < 16) return n;
    if (n < 32) return 16 + (n - 16) / 4;
    return n < 64 ? 20 + (n - 32) / 8 : 24;
}

// One prediction: what went in, what came out, where it came from.
struct Node {
    vf x[3];
    vu slots, maps;
    i32 where[CONTEXTS] __attribute__((aligned(64)));
    float stretch[SETS];
    float p[SETS];
    float out, mixed, final;
    i32 choice[SETS];
    i32 node;
    u32* apm[2];
    float apm_share;
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
            at->kind[k] = length_kind(l->length[k]);
            if (at->symbol[k] >= 0)
                for (i32 d = 0; d < t->length[at->symbol[k]]; d++)
                    at->expected[k][t->path[at->symbol[k]][d]] = t->bits[at->symbol[k]][d] ? 1 : -1;
        }
    }
    i32 longest = l->length[1] ? l->length[1] : l->length[0];
    at->choice[1] = length_kind(longest) ;
    at->choice[2] = (u8)l->recent;
    at->choice[3] = 0;
}

static inline void close_position(const Model* m, Position* at) {
    const Tree* t = m->tree;
    for (i32 k = 0; k < MATCHES; k++)
        if (at->symbol[k] >= 0)
            for (i32 d = 0; d < t->length[at->symbol[k]]; d++) at->expected[k][t->path[at->symbol[k]][d]] = 0;
}

static inline void guess(const Model* m, Small* s, const Position* at, const Here* here, i32 node, Node* o) {
    const Tree* t = m->tree;
    i32 j = t->slot[node];
    o->node = node;
    u32* const* w = here->line;
    // Named one by one, they go into the vector without a detour through memory.
    o->slots = (vu){w[0][j], w[1][j], w[2][j], w[3][j], w[4][j], w[5][j], w[6][j], w[7][j],
                    w[8][j], w[9][j], w[10][j], w[11][j], w[12][j], w[13][j], w[14][j], w[15][j]};
    vi n = (vi)(o->slots & 1023);
    vf p = (tofloat((vi)(o->slots >> 10)) + 0.5f) * (1.0f / 4194304);
    vf st = logv(p / (1 - p));
    vi q = toint(least(most(st * 2 + 16, splat(0)), splat(31)));
    vi kind = (asint(tofloat(n + 1)) >> 21) - (127 << 2);
    kind = (kind > 31) ? (vi){} + 31 : kind;
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
    if (m->params.mode == 0) o->x[1] = (mp - 0.5f) * 4;
    else if (m->params.mode == 1) o->x[1] = st;
    else o->x[1] = (p - 0.5f) * 4;
    float extra[4] = {0};
    for (i32 k = 0; k < MATCHES; k++) {
        i32 e = at->expected[k][node];
        if (e) {
            float mq = chance(s->matches[k][at->kind[k]]);
            extra[2 * k] = e * stretched(mq);
            extra[2 * k + 1] = e * (mq - 0.5f) * 4;
        }
    }
    o->x[2] = (vf){0.5f, stretched(chance(s->order0[node])), extra[0], extra[1], extra[2], extra[3]};
    i32 e0 = at->expected[0][node] || at->expected[1][node];
    i32 seen = 0;
    for (i32 i = 0; i < 7; i++) seen += (o->slots[i] & 1023) != 0;
    i32 seen_w = 0;
    for (i32 i = 7; i < 11; i++) seen_w += (o->slots[i] & 1023) != 0;
    o->choice[0] = node;
    o->choice[1] = e0 ? at->choice[1] : 0;
    o->choice[2] = at->choice[2];
    o->choice[3] = seen * 5 + seen_w;
    float total = 0;
    float* f = s->finals[node];
    for (i32 k = 0; k < SETS; k++) {
        const vf* w = (const vf*)s->weights[k][o->choice[k]];
        float d = sum(w[0] * o->x[0] + w[1] * o->x[1] + w[2] * o->x[2]);
        d = d > 12 ? 12 : d < -12 ? -12 : d;
        o->stretch[k] = d;
        total += f[k] * d;
    }
    o->out = total > 12 ? 12 : total < -12 ? -12 : total;
    o->mixed = squash(o->out);
    o->final = o->mixed;
}

static inline void learn(Model* m, Small* s, const Position* at, Here* here, Node* o, i32 bit, float rate) {
    const Params* r = &m->params;
    i32 j = m->tree->slot[o->node];
    vi limit = (vi){} + (i32)r->limit;
    for (i32 i = 0; i < 3; i++) limit[i] = (i32)r->limit_low;
    vu slots = movedv(o->slots, bit, limit, splat(1));
    for (i32 i = 0; i < CONTEXTS; i++) here->line[i][j] = slots[i];
    vu maps = movedv(o->maps, bit, (vi){} + (i32)r->map_limit, splat(1));
    u32* all = &s->maps[0][0][0];
    for (i32 i = 0; i < CONTEXTS; i++) all[o->where[i]] = maps[i];
    s->order0[o->node] = moved(s->order0[o->node], bit, 1023);
    for (i32 k = 0; k < MATCHES; k++) {
        i32 e = at->expected[k][o->node];
        if (e) s->matches[k][at->kind[k]] = moved(s->matches[k][at->kind[k]], bit == (e > 0), 1023);
    }
    float* f = s->finals[o->node];
    float err = ((float)bit - o->mixed) * r->final_rate;
    for (i32 k = 0; k < SETS; k++) {
        f[k] += err * o->stretch[k];
        vf* w = (vf*)s->weights[k][o->choice[k]];
        float g = ((float)bit - squash(o->stretch[k])) * rate;
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
    for (i32 d = 0; d < t->length[leaf]; d++)
        if (t->group[t->path[leaf][d]] != group) {
            group = t->group[t->path[leaf][d]];
            for (i32 i = 0; i < CONTEXTS; i++) {
                u64 key = k->key[at][i] = key_of(l->hash[i], group);
                __builtin_prefetch(m->table + (key & m->table_mask) * LINE);
            }
            at++;
        }
    for (i32 i = 0; i < MATCHES; i++) __builtin_prefetch(m->index[i] + (match_key(l, i) & m->index_mask));
}

extern "C" {

u64 small_bytes() { return (sizeof(Small) + 63) / 64 * 64; }
u64 lane_bytes() { return (sizeof(Lane) + 63) / 64 * 64; }
u64 tree_bytes() { return (sizeof(Tree) + 63) / 64 * 64; }
u64 model_bytes() { return (sizeof(Model) + 63) / 64 * 64; }

void start(Model* m) {
    Small* s = m->small;
    u32* slot = (u32*)s->maps;
    for (u64 i = 0; i < CONTEXTS; i++)
        for (u64 k = 0; k < KINDS; k++)
            for (u64 q = 0; q < STEPS; q++) {
                float st = ((float)q - 15.5f) / 2;
                float p = 1 / (1 + exp1(-st * (k ? 1.0f : 0.0f)));
                s->maps[i][k][q] = (u32)(p * 4194304) << 10 | 6;
            }
    slot = (u32*)s->matches;
    for (u64 i = 0; i < sizeof(s->matches) / 4; i++) slot[i] = (u32)(0.9f * 4194304) << 10 | 4;
    for (i32 i = 0; i < CHOICES; i++) s->order0[i] = FRESH;
    for (i32 k = 0; k < SETS; k++)
        for (i32 c = 0; c < CHOICES; c++)
            for (i32 i = 0; i < INPUTS; i++) s->weights[k][c][i] = i < 16 ? 0.15f : i == 34 || i == 36 ? 0.2f : 0;
    for (i32 c = 0; c < CHOICES; c++)
        for (i32 k = 0; k < 8; k++) s->finals[c][k] = k < SETS ? 1.0f / SETS : 0;
}

void train(Model* m, Lane* l, u64 begin, u64 end, u64 segment, double* cost) {
    const Tree* t = m->tree;
    Position at;
    __builtin_memset(&at, 0, sizeof at);
    Small* s = m->small;
    double bits = 0;
    Keys keys[2];
    if (segment && begin % segment == 0) begin_segment(l, begin / segment);
    contexts(m, l);
    fetch(m, l, m->text[begin], &keys[begin & 1]);
    for (u64 i = begin; i < end; i++) {
        find_matches<true>(m, l, i);
        open_position(m, l, &at);
        follow(m, l, m->text[i]);
        if (i + 1 < end) {  // what the next byte wants comes from memory while we are at this one
            if (segment && (i + 1) % segment == 0) begin_segment(l, (i + 1) / segment);
            contexts(m, l);
            fetch(m, l, m->text[i + 1], &keys[i + 1 & 1]);
        }
        i32 leaf = t->leaf[m->text[i]];
        i32 group = -1;
        Here here;
        u64* key = keys[i & 1].key[0];
        float rate = m->params.rate / (1 + (float)i / m->params.rate_fall);
        rate = rate > m->params.rate_least ? rate : m->params.rate_least;
        for (i32 d = 0; d < t->length[leaf]; d++) {
            i32 node = t->path[leaf][d], bit = t->bits[leaf][d];
            if (t->group[node] != group) {
                group = t->group[node];
                for (i32 c = 0; c < CONTEXTS; c++) here.line[c] = look<true>(m, key[c]);
                key += CONTEXTS;
            }
            Node o;
            guess(m, s, &at, &here, node, &o);
            bits -= log1(bit ? o.final : 1 - o.final);
            learn(m, s, &at, &here, &o, bit, rate);
        }
        close_position(m, &at);
    }
    *cost = bits;
}

// Log-probabilities of the leaves after what a lane has seen.
void predict(const Model* m, Lane* lanes, u64 stride, u64 count, float* out, float rest) {
    const Tree* t = m->tree;
    Position at;
    __builtin_memset(&at, 0, sizeof at);
    float got[2][256];
    for (u64 b = 0; b < count; b++) {
        Lane* l = (Lane*)((u8*)lanes + b * stride);
        contexts(m, l);
        find_matches<false>(m, l, 0);
        open_position(m, l, &at);
        float* row = out + b * 256;
        float above[256];
        above[0] = t->symbols < 256 ? log1(1 - rest) : 0;
        float none = t->symbols < 256 ? log1(rest / (256 - t->symbols)) : 0;
        for (i32 c = 0; c < 256; c++) row[c] = none;
        if (t->symbols == 1) row[t->symbol[0]] = above[0];
        u64 key[128][CONTEXTS];   // 0: no context has been there
        for (i32 c = 0; c < CONTEXTS; c++) key[0][c] = key_of(l->hash[c], 0);
        for (i32 g = 0; g < t->groups; g++) {
            Here here;
            for (i32 c = 0; c < CONTEXTS; c++) here.line[c] = key[g][c] ? look<false>(m, key[g][c]) : NONE;
            for (i32 node = t->first[g]; node < t->first[g + 1]; node++) {
                Node o;
                guess(m, m->small, &at, &here, node, &o);
                float lp[2] = {log1(1 - o.final), log1(o.final)};
                for (i32 k = 0; k < 2; k++) {
                    i32 child = t->child[node][k];
                    float v = above[node] + lp[k];
                    if (child >= 0) {
                        above[child] = v;
                        i32 next = t->group[child];
                        if (next == g) continue;
                        for (i32 c = 0; c < CONTEXTS; c++) {
                            bool been = here.line[c][t->slot[node]] & 1023;
                            u64 k = key[next][c] = been ? key_of(l->hash[c], next) : 0;
                            if (been) __builtin_prefetch(m->table + (k & m->table_mask) * LINE);
                        }
                    } else row[t->symbol[-1 - child]] = v;
                }
            }
        }
        close_position(m, &at);
    }
}

void observe(const Model* m, Lane* lanes, u64 stride, u64 count, const u8* symbols) {
    for (u64 b = 0; b < count; b++) follow(m, (Lane*)((u8*)lanes + b * stride), symbols[b]);
}

}
