// Prediction by partial matching over a tree of contexts. See algorithms/ppm.py for the ideas.
//
// Nothing is included and nothing allocated: the caller owns all memory, aligned to 64 bytes.

#ifndef COUNT
#define COUNT(event, many) ((void)0)  // counts only in a build for that: see algorithms/counting.py
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef int i32;

enum { LONGEST = 32, ORDERS = 12, FEW = 12, TOTALS = 20, BELOW = 8 };
static const u32 OWN = 1u << 31;  // of a lane, not of the model: nodes and entries alike
static const u32 NONE = 0xFFFFFFFFu;

// A context: what has followed it, and the same context without its oldest byte.
struct Node {
    u32 first, suffix;
    float total;
    u16 kinds, depth;
};

struct Entry {
    u32 next, child;
    float count;
    u32 symbol;
};

// How often what followed a context of some sort came, as far as one can tell, from a shorter one.
struct Escape {
    float escapes, visits;
};

typedef Escape Escapes[ORDERS][FEW][TOTALS][BELOW];

struct Arena {
    Node* nodes;
    Entry* entries;
    u64 most_nodes, most_entries, node_count, entry_count;
};

struct Model {
    Arena arena;
    Escapes* escapes;
    i32 order;
    float first_count, inherit, discount, gain_adapt;
};

// A lane; one that goes on learning has copies of the nodes that it changed, found by a small table.
struct Lane {
    Arena arena;
    Escapes* escapes;
    u32* moved;          // pairs: a node of the model and the lane's own; NONE where free
    u64 moved_mask, moved_count;
    u32 at;              // the longest known context of what was seen
    u32 learns;
};

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

// Twice the logarithm to base two of x >= 1, about: 0 ... 15.
static inline i32 kind_of(float x) {
    i32 b;
    __builtin_memcpy(&b, &x, 4);
    b = (b >> 22) - (127 << 1);
    return b < 0 ? 0 : b > TOTALS - 1 ? TOTALS - 1 : b;
}

// Nodes and entries of the model and, with `own`, of a lane above it.
template <bool own> struct View {
    Model* m;
    Lane* l;

    u32 place(u32 node) const {
        if (!own || node & OWN) return node;
        for (u64 i = (node * 0x9E3779B1u) & l->moved_mask;; i = (i + 1) & l->moved_mask) {
            u32 x = l->moved[2 * i];
            if (x == node) return l->moved[2 * i + 1];
            if (x == NONE) return node;
        }
    }
    Node* node(u32 i) const { return own && i & OWN ? l->arena.nodes + (i & ~OWN) : m->arena.nodes + i; }
    Node* find(u32 i) const { return node(place(i)); }
    Entry* entry(u32 i) const {
        return own && i & OWN ? l->arena.entries + (i & ~OWN) : m->arena.entries + i;
    }
    Arena* arena() const { return own ? &l->arena : &m->arena; }
    Escapes* escapes() const { return own ? l->escapes : m->escapes; }
    u32 mark() const { return own ? OWN : 0; }
    Entry* search(const Node* n, u32 symbol) const {
        COUNT(SEARCHED, 1);
        for (u32 i = n->first; i != NONE; i = entry(i)->next) {
            COUNT(MET, 1), COUNT(PASSED, entry(i)->symbol != symbol);
            if (entry(i)->symbol == symbol) return entry(i);
        }
        return 0;
    }

    // The same, and what is frequent moves to the front.
    Entry* sort_out(const Node* n, u32 symbol) const {
        Entry* before = 0;
        for (u32 i = n->first; i != NONE;) {
            Entry* e = entry(i);
            COUNT(MET, 1), COUNT(PASSED, e->symbol != symbol);
            if (e->symbol == symbol) {
                COUNT(BEHIND, !own && before);
                if (own || !before || before->count >= e->count) return e;
                COUNT(SWAPPED, 1);
                Entry x = *e;
                *e = {x.next, before->child, before->count, before->symbol};
                *before = {before->next, x.child, x.count, x.symbol};
                return before;
            }
            before = e;
            i = e->next;
        }
        return 0;
    }

    bool room(u64 nodes, u64 entries) const {
        Arena* a = arena();
        return a->node_count + nodes <= a->most_nodes && a->entry_count + entries <= a->most_entries &&
               (!own || l->moved_count + nodes < l->moved_mask / 4 * 3);
    }
    // A node that may be written to: for a lane, its own copy.
    Node* writable(u32 id) const {
        u32 at = place(id);
        if (!own || at & OWN) return node(at);
        Node* from = node(at);
        u32 copy = (u32)l->arena.node_count++;
        Node* n = l->arena.nodes + copy;
        *n = *from;
        u32* link = &n->first;
        for (u32 i = from->first; i != NONE; i = entry(i)->next) {
            u32 e = (u32)l->arena.entry_count++;
            l->arena.entries[e] = *entry(i);
            *link = e | OWN;
            link = &l->arena.entries[e].next;
        }
        *link = NONE;
        u64 i = (at * 0x9E3779B1u) & l->moved_mask;
        while (l->moved[2 * i] != NONE) i = (i + 1) & l->moved_mask;
        l->moved[2 * i] = at;
        l->moved[2 * i + 1] = copy | OWN;
        l->moved_count++;
        return n;
    }
    u32 grown(u32 suffix, u32 depth) const {
        Arena* a = arena();
        COUNT(NODE_MADE, 1);
        a->nodes[a->node_count] = {NONE, suffix, 0, 0, (u16)depth};
        return (u32)a->node_count++ | mark();
    }

    // The record of contexts like this one.
    Escape* record(const Node* n, const Node* shorter) const {
        i32 kinds = n->kinds < 6 ? n->kinds : 6 + kind_of(n->kinds / 6.0f);
        kinds = kinds < FEW ? kinds : FEW - 1;
        i32 below = 0;
        COUNT(RECORD, 1), COUNT(UNDER, shorter != 0);
        if (shorter) below = kind_of(1 + shorter->kinds - n->kinds);
        i32 depth = n->depth < ORDERS ? n->depth : ORDERS - 1;
        return &(*escapes())[depth][kinds][kind_of(n->total)][below < BELOW ? below : BELOW - 1];
    }
    float chance(const Escape* r, const Node* n) const {
        float guess = n->kinds / (n->kinds + n->total);
        float p = (r->escapes + guess) / (r->visits + 1);
        return p < 1e-4f ? 1e-4f : p > 0.9999f ? 0.9999f : p;
    }
    float all(const Node* n) const { return n->total - m->discount * n->kinds; }

    // Returns the symbol's probability.
    float learn(u32 symbol, float gain, u32* at) const {
        u32 path[LONGEST + 1];
        Node* nodes[LONGEST + 1];
        Entry* hits[LONGEST + 1];
        i32 levels = 0, deep = 0;
        u64 copies = 0;
        for (u32 i = *at; i != NONE; i = nodes[levels++]->suffix) {  // the longest context first
            COUNT(LEVEL, 1);
            path[levels] = i;
            nodes[levels] = find(i);
            hits[levels] = sort_out(nodes[levels], symbol);
        }
        float p = 1.0f / 256, lower[LONGEST + 1], escape[LONGEST + 1], upper[LONGEST + 1];
        Escape* records[LONGEST + 1];
        for (i32 d = levels - 1; d >= 0; d--) {
            Node* n = nodes[d];
            lower[d] = upper[d] = p;
            if (!n->kinds) continue;
            records[d] = record(n, d + 1 < levels ? nodes[d + 1] : 0);
            escape[d] = chance(records[d], n);
            COUNT(BLENDED, 1), COUNT(HIT, hits[d] != 0);
            p *= escape[d];
            if (hits[d]) p += (1 - escape[d]) * (hits[d]->count - m->discount) / all(n);
            upper[d] = p;
        }
        float reach = 1;  // how likely it is that the choice was left to this context
        for (i32 d = 0; d < levels && reach > 1e-3f; d++) {
            COUNT(SHARED, 1), COUNT(CREDITED, nodes[d]->kinds != 0);
            if (!nodes[d]->kinds) continue;
            float passed = escape[d] * lower[d] / upper[d];
            records[d]->visits += reach;
            records[d]->escapes += reach * passed;
            reach *= passed;
        }
        while (deep < levels && !hits[deep]) copies += nodes[deep++]->kinds;
        if (deep < levels) copies += nodes[deep]->kinds;
        COUNT(DEPTH, deep + (deep < levels));
        if (!room(2 * deep + 4, copies + 2 * deep + 4)) {
            *at = follow(symbol, *at);
            return p;
        }
        u32 child = 0;  // of the next shorter context; below the root, the root itself
        if (deep < levels) {
            Node* n = writable(path[deep]);
            Entry* hit = own ? search(n, symbol) : hits[deep];
            COUNT(COUNTED_UP, 1), COUNT(CHILD, n->depth < m->order), COUNT(LONGEST_ORDER, n->depth >= m->order);
            hit->count += gain;
            n->total += gain;
            // Below the longest order each entry has a child.
            child = n->depth < m->order ? hit->child : search(find(n->suffix), symbol)->child;
        }
        for (i32 d = deep - 1; d >= 0; d--) {  // and up again, where it is new
            Node* n = writable(path[d]);
            u32 e = (u32)arena()->entry_count++;
            float count = (m->first_count + m->inherit * lower[d]) * gain;
            u32 next = NONE;
            COUNT(ENTRY_MADE, 1);
            if (n->depth < m->order) next = child = grown(child, n->depth + 1);
            arena()->entries[e] = {n->first, next, count, symbol};
            n->first = e | mark();
            n->kinds++;
            n->total += count;
        }
        *at = child;
        return p;
    }

    // The longest known context once the symbol has come.
    u32 follow(u32 symbol, u32 at) const {
        for (u32 i = at; i != NONE;) {
            Node* n = find(i);
            Entry* e = search(n, symbol);
            COUNT(FOLLOWED, 1), COUNT(NOTED, e != 0), COUNT(LEAD, e && e->child != NONE);
            if (e && e->child != NONE) return e->child;
            i = n->suffix;
        }
        return 0;
    }

    void predict(u32 at, float* p) const {
        float left = 1;
        for (i32 c = 0; c < 256; c++) p[c] = 0;
        const Node* n = find(at);
        while (n) {
            const Node* shorter = n->suffix == NONE ? 0 : find(n->suffix);
            COUNT(ANSWERED, 1), COUNT(SPREAD, n->kinds);
            if (n->kinds) {
                float escape = chance(record(n, shorter), n);
                float each = left * (1 - escape) / all(n);
                for (u32 k = n->first; k != NONE; k = entry(k)->next)
                    p[entry(k)->symbol] += each * (entry(k)->count - m->discount);
                left *= escape;
            }
            n = shorter;
        }
        left = (left > 1e-20f ? left : 1e-20f) / 256;
        for (i32 c = 0; c < 256; c++) p[c] = log1(p[c] + left);
    }
};

extern "C" {

u64 escapes_bytes() { return sizeof(Escapes); }
u64 model_bytes() { return sizeof(Model); }
u64 lane_bytes() { return sizeof(Lane); }

void start(Model* m) {
    m->arena.nodes[0] = {NONE, NONE, 0, 0, 0};
    m->arena.node_count = 1;
    m->arena.entry_count = 0;
}

// Returns the context that the text ends in.
u32 train(Model* m, const u8* text, u64 bytes, u32 at, double* cost) {
    View<false> v = {m, 0};
    *cost = 0;
    COUNT(BYTE, bytes);
    for (u64 i = 0; i < bytes; i++) *cost -= log1(v.learn(text[i], 1, &at));
    return at;
}

void reset(const Model* m, Lane* lanes, u64 count) {
    for (u64 b = 0; b < count; b++) {
        Lane* l = lanes + b;
        l->at = 0;
        if (!l->learns) continue;
        l->arena.node_count = l->arena.entry_count = l->moved_count = 0;
        __builtin_memset(l->moved, 255, (l->moved_mask + 1) * 8);
        __builtin_memcpy(l->escapes, m->escapes, sizeof(Escapes));
    }
}

void predict(Model* m, Lane* lanes, u64 count, float* out) {
    for (u64 b = 0; b < count; b++) {
        Lane* l = lanes + b;
        if (l->learns) View<true>{m, l}.predict(l->at, out + 256 * b);
        else View<false>{m, l}.predict(l->at, out + 256 * b);
    }
}

void observe(Model* m, Lane* lanes, u64 count, const u8* symbols) {
    for (u64 b = 0; b < count; b++) {
        Lane* l = lanes + b;
        if (l->learns) View<true>{m, l}.learn(symbols[b], m->gain_adapt, &l->at);
        else l->at = View<false>{m, l}.follow(symbols[b], l->at);
    }
}

}
