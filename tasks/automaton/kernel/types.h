// What ring.h and flat.h need of a compiler, as hypercell's prelude.h has it. No header is included.

typedef unsigned char u8;
typedef signed int i32;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define POPCOUNT(x) __popcll(x)
#else
#define DEVICE static inline __attribute__((always_inline))
#define POPCOUNT(x) __builtin_popcountll(x)
#endif
