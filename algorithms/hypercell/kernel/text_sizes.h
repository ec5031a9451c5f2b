// Sizes of the text biology, in words. Its arenas have as many bytes as a space says, so that one kernel
// serves for texts of any length.
#define GENOME 15
#define STATE 15
#define SIGNAL 16
#define CARRY 0
#define ARENA (space.params[15])
#define FIXED_ARENA 0
