// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Counter-based, so
// what is drawn depends on who draws and when, never on how many have drawn before.

struct Dice {
  u32 word[4];
};

DEVICE Dice philox(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1) {
  UNROLL
  for (i32 round = 0; round < 10; round++) {
    u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
    u32 n0 = (u32)(p1 >> 32) ^ c1 ^ k0, n2 = (u32)(p0 >> 32) ^ c3 ^ k1;
    c1 = (u32)p1, c3 = (u32)p0, c0 = n0, c2 = n2;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  Dice dice = {{c0, c1, c2, c3}};
  return dice;
}

// A number below `bound`, from one word (Lemire's multiply; its bias is below bound / 2^32).
DEVICE u32 below(u32 word, u32 bound) { return (u32)(((u64)word * bound) >> 32); }
