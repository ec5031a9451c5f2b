// Sizes of the text biology, in words. Its arenas have as many bytes as a space says, so that one kernel
// serves for texts of any length.
#define GENOME 15
#define STATE 15
#define SIGNAL 16
#ifndef INHERIT
#define INHERIT 0                        // 1: children may buy of what their parents have learned
#endif
#define CARRY (INHERIT * (1 + 16 * 13))  // of twelve models, and of matches: text_legacy.h
#define ARENA (space.params[15])
#define FIXED_ARENA 0
