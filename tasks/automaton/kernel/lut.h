// Words of configurations, and any function of three of them in one instruction where there is one.

#if defined(__CUDACC__)
typedef u32 Words;                       // LOP3 is of 32 bits; ptxas makes it of what `lut` says
#define WORDS 1
#elif defined(__AVX512F__)
typedef u64 Words __attribute__((vector_size(64)));
#define WORDS 8
#elif defined(__AVX2__)
typedef u64 Words __attribute__((vector_size(32)));
#define WORDS 4
#else
typedef u64 Words __attribute__((vector_size(16)));
#define WORDS 2
#endif

// Bit 2b + c of F is the result.
template <i32 F> DEVICE Words two(Words b, Words c) {
  if constexpr (F >= 8) return ~two<15 - F>(b, c);
  else if constexpr (F == 0) return b ^ b;
  else if constexpr (F == 1) return ~(b | c);
  else if constexpr (F == 2) return ~b & c;
  else if constexpr (F == 3) return ~b;
  else if constexpr (F == 4) return b & ~c;
  else if constexpr (F == 5) return ~c;
  else if constexpr (F == 6) return b ^ c;
  else return ~(b & c);
}

// Bit 4a + 2b + c of F is the result.
template <i32 F> DEVICE Words lut(Words a, Words b, Words c) {
#if defined(__AVX512F__) && !defined(__CUDACC__) && defined(__has_builtin)
#if __has_builtin(__builtin_ia32_pternlogq512_mask)
#define TERNARY 1
#endif
#endif
#ifdef TERNARY
  typedef long long Signed __attribute__((vector_size(64)));
  return (Words)__builtin_ia32_pternlogq512_mask((Signed)a, (Signed)b, (Signed)c, F, (u8)-1);
#else
  constexpr i32 low = F & 15, high = F >> 4;
  if constexpr (low == high) return two<low>(b, c);
  else if constexpr (low == 15 - high) return a ^ two<low>(b, c);
  else return (a & two<high>(b, c)) | (~a & two<low>(b, c));
#endif
}
