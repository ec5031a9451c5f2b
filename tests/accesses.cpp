// The calls that a compiler puts in front of every access to memory for ThreadSanitizer, supplied by us: they
// count the bytes of those within watched arrays.
typedef unsigned long long u64;

static u64 starts[64], ends[64], sums[2];
static int watched;

static void seen(const volatile void *at, u64 bytes, int written) {
  u64 address = (u64)at;
  for (int i = 0; i < watched; i++)
    if (address >= starts[i] && address < ends[i]) sums[written] += bytes;
}

extern "C" {
void watch(const void *start, u64 bytes) { starts[watched] = (u64)start, ends[watched++] = (u64)start + bytes; }
void unwatch() { watched = 0; }
void take_accesses(u64 *out) { out[0] = sums[0], out[1] = sums[1], sums[0] = sums[1] = 0; }

void *seen_memset(void *at, int value, unsigned long bytes) {
  seen(at, bytes, 1);
  return __builtin_memset(at, value, bytes);
}
void *seen_memcpy(void *to, const void *from, unsigned long bytes) {
  seen(from, bytes, 0), seen(to, bytes, 1);
  return __builtin_memcpy(to, from, bytes);
}

void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_read_range(void *at, unsigned long bytes) { seen(at, bytes, 0); }
void __tsan_write_range(void *at, unsigned long bytes) { seen(at, bytes, 1); }
#define ACCESS(bytes)                                              \
  void __tsan_read##bytes(void *at) { seen(at, bytes, 0); }        \
  void __tsan_write##bytes(void *at) { seen(at, bytes, 1); }       \
  void __tsan_unaligned_read##bytes(void *at) { seen(at, bytes, 0); } \
  void __tsan_unaligned_write##bytes(void *at) { seen(at, bytes, 1); }
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)
// Only clocks and locks are atomic; they are not watched.
unsigned __tsan_atomic32_load(const volatile unsigned *at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
void __tsan_atomic32_store(volatile unsigned *at, unsigned x, int) { __atomic_store_n(at, x, __ATOMIC_SEQ_CST); }
unsigned __tsan_atomic32_exchange(volatile unsigned *at, unsigned x, int) {
  return __atomic_exchange_n(at, x, __ATOMIC_SEQ_CST);
}
unsigned __tsan_atomic32_fetch_add(volatile unsigned *at, unsigned x, int) {
  return __atomic_fetch_add(at, x, __ATOMIC_SEQ_CST);
}
u64 __tsan_atomic64_fetch_add(volatile u64 *at, u64 x, int) { return __atomic_fetch_add(at, x, __ATOMIC_SEQ_CST); }
}
