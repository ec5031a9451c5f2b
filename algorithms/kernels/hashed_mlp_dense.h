// Dense layers in vectors of 16 floats: products of small matrices, transposition. Read before
// hashed_mlp.cpp; a portable BLAS for matrices that fit into the first cache.

// A dense layer. w: [in + 1][out], the last row is the bias. back: w transposed, [out][in].
struct Layer {
    int in, out;
    float *w, *back, *first, *second, *grad;
};

// c[m][n] = sum over k of a[m * am + k * ak] * b[k][n], for R rows and NV vectors.
template <int R, int NV>
static inline void tile(const float* a, int am, int ak, const float* b, int bk, float* c, int cm, int k) {
    v16 acc[R][NV];
    COUNT(PRODUCT, (u64)R * NV * 16 * k), COUNT(FACTOR, (u64)k * (R + NV * 16)), COUNT(OUTCOME, R * NV * 16);
    for (int r = 0; r < R; r++)
        for (int n = 0; n < NV; n++) acc[r][n] = v16{};
    for (int i = 0; i < k; i++) {
        v16 row[NV];
        for (int n = 0; n < NV; n++) row[n] = ((const v16*)(b + (u64)i * bk))[n];
        for (int r = 0; r < R; r++) {
            v16 x = v16{} + a[r * am + i * ak];
            for (int n = 0; n < NV; n++) acc[r][n] += x * row[n];
        }
    }
    for (int r = 0; r < R; r++)
        for (int n = 0; n < NV; n++) ((v16*)(c + (u64)r * cm))[n] = acc[r][n];
}
template <int R>
static inline void strip(const float* a, int am, int ak, const float* b, int bk, float* c, int cm, int n, int k) {
    int left = n / 16;
    while (left) {
        int take = left == 5 ? 5 : left >= 4 ? 4 : left;
        switch (take) {
            case 1: tile<R, 1>(a, am, ak, b, bk, c, cm, k); break;
            case 2: tile<R, 2>(a, am, ak, b, bk, c, cm, k); break;
            case 3: tile<R, 3>(a, am, ak, b, bk, c, cm, k); break;
            case 4: tile<R, 4>(a, am, ak, b, bk, c, cm, k); break;
            default: tile<R, 5>(a, am, ak, b, bk, c, cm, k);
        }
        b += 16 * take;
        c += 16 * take;
        left -= take;
    }
}
static void multiply(const float* a, int am, int ak, const float* b, int bk, float* c, int cm, int m, int n, int k) {
    int i = 0;
    for (; i + 4 <= m; i += 4) strip<4>(a + i * am, am, ak, b, bk, c + (u64)i * cm, cm, n, k);
    for (; i < m; i++) strip<1>(a + i * am, am, ak, b, bk, c + (u64)i * cm, cm, n, k);
}

static inline v16 rsqrt(v16 x) {  // of positive normal numbers, to 5e-6
    v16 y = (v16)(0x5F3759DF - ((v16i)x >> 1));
    y = y * (1.5f - 0.5f * x * y * y);
    return y * (1.5f - 0.5f * x * y * y);
}

// to[j][i] = from[i][j] for 16 by 16.
static inline void transpose(const float* from, int fs, float* to, int ts) {
    v16 a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = *(const v16*)(from + (u64)i * fs);
    for (int s = 0; s < 4; s++) {  // a perfect shuffle of rows and columns, four times
        for (int i = 0; i < 8; i++) {
            b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
                                               6, 22, 7, 23);
            b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                                   13, 29, 14, 30, 15, 31);
        }
        for (int i = 0; i < 16; i++) a[i] = b[i];
    }
    for (int i = 0; i < 16; i++) *(v16*)(to + (u64)i * ts) = a[i];
}

static void turn(Layer& l) {
    COUNT(TURNED, l.in * l.out);
    for (int i = 0; i < l.in; i += 16)
        for (int j = 0; j < l.out; j += 16)
            transpose(l.w + (u64)i * l.out + j, l.out, l.back + (u64)j * l.in + i, l.in);
}
