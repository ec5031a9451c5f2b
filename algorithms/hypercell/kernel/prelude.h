// What differs between a CPU's compiler and NVRTC, and nothing else. No header is included: NVRTC has
// none, and the text of the whole kernel is what the cache is keyed by.

#ifndef COUNT
#define COUNT(event, many) ((void)0)     // counts only in a build for that: see counting.py
#define COUNTED() ((void)0)
#endif

typedef unsigned char u8;
typedef signed int i32;
typedef unsigned int u32;
typedef signed long long i64;
typedef unsigned long long u64;

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define LONG _Pragma("unroll 4")           // a loop too long to be unrolled whole: registers are few
#define POPCOUNT(x) __popcll(x)
#define LOWEST(x) (__ffsll((i64)(x)) - 1)  // index of the lowest set bit; x != 0
#define LEADING(x) __clz((i32)(x))         // zeros above the highest set bit; x != 0
#define RESTRICT __restrict__
#define PREFETCH(at) ((void)0)
#define ALONE 1                            // a thread works on one number at a time
#define APART ((void)0)                    // keeps a compiler from making one loop of two
DEVICE void add64(i64 *to, i64 what) { atomicAdd((u64 *)to, (u64)what); }
DEVICE u32 acquire(const u32 *from) {
  u32 value;
  asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}
DEVICE void release(u32 *to, u32 value) {
  asm volatile("st.release.gpu.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}
#else
#ifndef ALONE
#define ALONE 0
#endif
#define DEVICE static inline __attribute__((always_inline))
#define UNROLL
#define LONG
#define POPCOUNT(x) __builtin_popcountll(x)
#define LOWEST(x) __builtin_ctzll(x)
#define LEADING(x) __builtin_clz(x)
#define RESTRICT __restrict__
#define PREFETCH(at) __builtin_prefetch(at, 1)
#define APART asm volatile("" ::: "memory")
DEVICE void add64(i64 *to, i64 what) { __atomic_fetch_add(to, what, __ATOMIC_RELAXED); }
DEVICE u32 acquire(const u32 *from) { return __atomic_load_n(from, __ATOMIC_ACQUIRE); }
DEVICE void release(u32 *to, u32 value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }
#endif
