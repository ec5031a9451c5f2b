// Sizes of the text biology, in words; the arena (ARENA, bytes) is compiled in.
#define GENOME 15
#define STATE 15
#define SIGNAL 16
#define CARRY 0
