// Backpropagation through a ring automaton whose cells are drawn, not computed; bound by
// algorithms/backprop_automaton.py, which puts RADIUS before this text.
//
// A cell with neighbourhood n becomes 1 with probability p[n]. Cells stay 0 or 1, so that a table of
// 128 entries is read once per cell; the gradient goes straight through the draw, as if the cell had
// become p[n], and through p's multilinear extension to the neighbourhood:
//
//     dx'/dp[n] = 1        dx'/dx_k = p[n with bit k set] - p[n with bit k clear]
//
// Includes nothing and allocates nothing: memory comes from Python.

#ifndef COUNT
#define COUNT(event, many) ((void)0)  // counts only in a build for that: see algorithms/counting.py
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum { SEES = 2 * RADIUS + 1, TABLE = 1 << SEES, LANES = 4, PAD = 8, WIDEST = 1 << 14, WORDS = 16 };
enum { DENSITY = 0, EQUAL = 1 };
typedef float Slopes __attribute__((vector_size(32)));  // one for each cell of the neighbourhood

struct Chances {
    Slopes slope[TABLE];
    u32 below[TABLE];  // of 65536
};

static void chances(const float* p, Chances* c) {
    for (int n = 0; n < TABLE; n++) {
        c->slope[n] = Slopes{};
        for (int k = 0; k < SEES; k++) {
            int bit = (TABLE / 2) >> k;
            c->slope[n][k] = p[n | bit] - p[n & ~bit];
        }
        c->below[n] = (u32)(p[n] * 65536.0f + 0.5f);
    }
}

// Two random numbers below 65536 from each of 16 xorshift generators (Marsaglia 2003).
static inline void draw(u32* state, u32* out) {
    COUNT(DRAWN, 1);
    for (int i = 0; i < WORDS; i++) {
        u32 z = state[i];
        z ^= z << 13;
        z ^= z >> 17;
        z ^= z << 5;
        out[i] = state[i] = z;
    }
}

// Runs one configuration and keeps every neighbourhood in past [steps][width]. Returns the ones at the
// end; cells [RADIUS + width + RADIUS] begin and end as the configuration.
static int forward(const Chances* c, u8* cells, int width, int steps, u32* rng, u8* past) {
    static_assert(2 * sizeof(u16) == sizeof(u32), "two numbers from a word");
    alignas(64) u16 random[WIDEST + 2 * WORDS];
    u8* middle = cells + RADIUS;
    for (int t = 0; t < steps; t++) {
        for (int j = 0; j < RADIUS; j++) {
            cells[j] = cells[width + j];
            middle[width + j] = middle[j];
        }
        for (int i = 0; i < width; i += 2 * WORDS) draw(rng, (u32*)(random + i));
        COUNT(STEPPED, width);
        u8* seen = past + (long)t * width;
        for (int i = 0; i < width; i++) {
            u8 n = 0;
            for (int k = 0; k < SEES; k++) n |= cells[i + k] << (SEES - 1 - k);
            seen[i] = n;
        }
        for (int i = 0; i < width; i++) middle[i] = random[i] < c->below[seen[i]];
    }
    int ones = 0;
    for (int i = 0; i < width; i++) ones += middle[i];
    return ones;
}

// Mean gradient of the loss, over configurations [count][width] with count a multiple of LANES, with
// respect to p [TABLE]. The loss is, per cell, how often it ends other than wanted: DENSITY, as the
// majority began; EQUAL, as the majority ends, which counts by how clear that majority is.
// limit: a cell's gradient is held within -limit ... limit at every step. rng: 16 words, none of them 0.
// past: u8 [LANES][steps][width]. work: float [LANES][2][width + PAD]. out: mean share of cells as
// wanted, share of configurations whose cells all are.
extern "C" void gradient(const float* p, const u8* configurations, int count, int width, int steps,
                         int goal, float limit, u32* rng, u8* past, float* work, float* sum, float* out) {
    Chances c;
    COUNT(CALLED, 1);
    chances(p, &c);
    float visits[LANES][TABLE] = {};
    u8 cells[WIDEST + 2 * RADIUS];
    const long stride = width + PAD, run = (long)steps * width;
    double right = 0.0;
    int solved = 0;
    for (int first = 0; first < count; first += LANES) {
        for (int l = 0; l < LANES; l++) {
            const u8* x = configurations + (long)(first + l) * width;
            int before = 0;
            for (int i = 0; i < width; i++) before += cells[RADIUS + i] = x[i];
            int ones = forward(&c, cells, width, steps, rng, past + l * run);
            COUNT(RING, 1), COUNT(CELL, width);
            int majority = 2 * (goal == DENSITY ? before : ones) > width;
            float share = (float)(majority ? ones : width - ones) / width;
            right += share;
            solved += share == 1.0f;
            COUNT(FEW, !majority), COUNT(PULLED, majority ? width : 0), COUNT(AT_WILL, goal != DENSITY);
            float pull = goal == DENSITY ? 1.0f : 2.0f * share - 1.0f;
            float* g = work + 2 * l * stride;
            for (int i = 0; i < width; i++) g[i] = majority ? -pull : pull;
        }
        for (int t = steps - 1; t >= 0; t--) {
            COUNT(BACK, LANES * width), COUNT(CLOSED, LANES);
            // The window of slopes moves along the row; what leaves it on the left is complete.
            Slopes window[LANES] = {};
            for (int i = 0; i < width; i++)
                for (int l = 0; l < LANES; l++) {
                    float* g = work + 2 * l * stride;
                    int n = past[l * run + (long)t * width + i];
                    visits[l][n] += g[i];
                    window[l] += g[i] * c.slope[n];
                    g[stride + i] = window[l][0];
                    window[l] = __builtin_shufflevector(window[l], Slopes{}, 1, 2, 3, 4, 5, 6, 7, 8);
                }
            for (int l = 0; l < LANES; l++) {
                float *g = work + 2 * l * stride, *h = g + stride;  // h[j]: of cell j - RADIUS
                for (int j = 0; j < 2 * RADIUS; j++) h[width + j] = window[l][j];
                for (int j = 0; j < RADIUS; j++) {
                    h[width + j] += h[j];
                    h[RADIUS + j] += h[width + RADIUS + j];
                }
                for (int i = 0; i < width; i++) {
                    float v = h[RADIUS + i];
                    v = v > limit ? limit : v;
                    COUNT(LOW, v < -limit);
                    g[i] = v < -limit ? -limit : v;
                }
            }
        }
    }
    for (int n = 0; n < TABLE; n++) {
        sum[n] = 0.0f;
        for (int l = 0; l < LANES; l++) sum[n] += visits[l][n];
        sum[n] /= (float)count * width;
    }
    out[0] = (float)(right / count);
    out[1] = (float)solved / count;
}
