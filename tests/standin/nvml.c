/* A stand-in for NVIDIA's management library: boards whose power is scripted by another process.
 *
 * The file that STANDIN_NVML names is mapped and only read; script.py describes and writes it. Every
 * figure follows from the scripted power in closed form, so what a meter makes of it can be held
 * against the truth. Times are CLOCK_MONOTONIC seconds, powers watts, energies joules.
 */
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OK, UNINITIALIZED, INVALID, NOT_SUPPORTED, NO_DRIVER = 9, LOST = 15, UNKNOWN = 999 };
enum { CONSTANT, SQUARE, RAMP, BURST };
enum { BOARDS = 64, SEGMENTS = 4096, HEADER_BYTES = 256 };
#define MAGIC 0x6a6f756c65733031 /* "joules01" */

typedef struct { double start_s; int64_t kind; double p[6]; } Segment;
typedef struct {
    double period_s, phase_s;       /* the counter shows the energy at the latest of its ticks */
    double gain;                    /* what the board shows over what it draws */
    double start_j, modulus_j;      /* counter when the script began; where it wraps (0: never) */
    double power_window_s;          /* power shown is the mean over this long before a tick */
    double reset_s, freeze_s, error_from_s, error_to_s, vanish_s; /* faults; infinity: never */
    int64_t has_counter, pid;       /* pid: a compute process on the board, 0 for none */
    double spare[18];
    int64_t count;                  /* segments published */
    Segment segments[SEGMENTS];
} Board;
typedef struct { int64_t magic, boards; } Header;

static const char *base;
static double sums[BOARDS][SEGMENTS]; /* energy up to a segment's start; equal in every thread */
static int64_t summed[BOARDS];

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const Board *board_at(int64_t i) {
    return (const Board *)(base + HEADER_BYTES) + i;
}

/* Seconds spent high from 0 to x periods, in periods, when each period begins with `duty` high. */
static double high(double x, double duty) {
    double whole = floor(x);
    return whole * duty + fmin(x - whole, duty);
}

/* Joules of a segment in its first s seconds. */
static double integral(const Segment *g, double s) {
    const double *p = g->p;
    switch (g->kind) {
    case SQUARE: /* low, high, hz, duty, phase */
        return p[0] * s + (p[1] - p[0]) * (high(s * p[2] + p[4], p[3]) - high(p[4], p[3])) / p[2];
    case RAMP: { /* from, to, over; then it stays */
        double t = fmin(s, p[2]);
        return p[0] * t + (p[1] - p[0]) * t * t / (2 * p[2]) + p[1] * (s - t);
    }
    case BURST: { /* base, peak, burst, every, phase */
        double duty = p[2] / p[3];
        return p[0] * s
            + (p[1] - p[0]) * p[3] * (high(s / p[3] + p[4], duty) - high(p[4], duty));
    }
    default: return p[0] * s;
    }
}

/* True joules drawn from the script's begin to t. */
static double drawn(int64_t i, double t) {
    const Board *b = board_at(i);
    int64_t count = __atomic_load_n(&b->count, __ATOMIC_ACQUIRE), k = count - 1;
    for (int64_t n = summed[i]; n < count; n++) {
        if (n > 0) {
            const Segment *g = &b->segments[n - 1];
            sums[i][n] = sums[i][n - 1] + integral(g, b->segments[n].start_s - g->start_s);
        }
        __atomic_store_n(&summed[i], n + 1, __ATOMIC_RELEASE);
    }
    while (k > 0 && b->segments[k].start_s > t) k--;
    return sums[i][k] + integral(&b->segments[k], fmax(0, t - b->segments[k].start_s));
}

static double tick(const Board *b, double t) {
    return floor((t - b->phase_s) / b->period_s) * b->period_s + b->phase_s;
}

/* Watts as shown: the mean over `window_s` before the latest tick. */
static double shown_w(int64_t i, double window_s) {
    const Board *b = board_at(i);
    double t = tick(b, now_s());
    return b->gain * (drawn(i, t) - drawn(i, t - window_s)) / window_s;
}

static int failing(const Board *b, double t) {
    if (t >= b->vanish_s) return LOST;
    return t >= b->error_from_s && t < b->error_to_s ? UNKNOWN : OK;
}

/* Joules that a counter shows when it was updated last at `at`, or an error code. */
static int counter(int64_t i, double t, double at, double *joules) {
    const Board *b = board_at(i);
    int error = failing(b, t);
    if (error != OK) return error;
    *joules = b->start_j + b->gain * drawn(i, at);
    if (at >= b->reset_s) *joules = b->gain * (drawn(i, at) - drawn(i, b->reset_s));
    if (b->modulus_j > 0) *joules = fmod(*joules, b->modulus_j);
    return OK;
}

/* For powercap.py, whose writing is the update. */
int standin_counter(int64_t i, double *joules) {
    double t = now_s();
    return counter(i, t, fmin(t, board_at(i)->freeze_s), joules);
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    const char *path = getenv("STANDIN_NVML");
    struct stat facts;
    if (base) return OK;
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return NO_DRIVER;
    if (fstat(file, &facts) || facts.st_size < HEADER_BYTES) return close(file), NO_DRIVER;
    void *map = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED || ((const Header *)map)->magic != MAGIC) return NO_DRIVER;
    base = map;
    return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return base ? OK : UNINITIALIZED; } /* stays mapped: threads may read */

const char *nvmlErrorString(int code) {
    switch (code) {
    case OK: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_DRIVER: return "Driver Not Loaded";
    case LOST: return "GPU is lost";
    default: return "Unknown Error";
    }
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    snprintf(text, size, "000.00-standin");
    return OK;
}
int nvmlSystemGetNVMLVersion(char *text, unsigned size) {
    return nvmlSystemGetDriverVersion(text, size);
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = 13000, OK; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    if (!base) return UNINITIALIZED;
    *count = (unsigned)((const Header *)base)->boards;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device) {
    if (!base) return UNINITIALIZED;
    if (i >= ((const Header *)base)->boards) return INVALID;
    *device = (void *)(uintptr_t)(i + 1);
    return failing(board_at(i), now_s()) == LOST ? LOST : OK;
}

/* Every call on a device begins so: its index, or the error that it has just now. */
#define DEVICE                                                                                     \
    int64_t i = (int64_t)(uintptr_t)device - 1;                                                    \
    if (!base) return UNINITIALIZED;                                                               \
    if (i < 0 || i >= ((const Header *)base)->boards) return INVALID;                              \
    int error = failing(board_at(i), now_s());                                                     \
    if (error != OK) return error

int nvmlDeviceGetIndex(void *device, unsigned *index) {
    DEVICE;
    return *index = (unsigned)i, OK;
}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
    DEVICE;
    return snprintf(text, size, "Stand-in GPU"), OK;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
    DEVICE;
    return snprintf(text, size, "GPU-00000000-0000-0000-0000-%012d", (int)i), OK;
}
int nvmlDeviceGetArchitecture(void *device, unsigned *architecture) {
    DEVICE;
    return *architecture = 9, OK; /* Hopper */
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) {
    double joules;
    DEVICE;
    if (!board_at(i)->has_counter) return NOT_SUPPORTED;
    double t = now_s();
    error = counter(i, t, tick(board_at(i), fmin(t, board_at(i)->freeze_s)), &joules);
    if (error == OK) *mj = (unsigned long long)(1e3 * joules);
    return error;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) {
    DEVICE;
    return *mw = (unsigned)(1e3 * shown_w(i, board_at(i)->power_window_s) + 0.5), OK;
}
int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *celsius) {
    (void)sensor;
    DEVICE;
    return *celsius = (unsigned)(30 + shown_w(i, 5) / 10), OK; /* follows the last five seconds */
}
typedef struct { unsigned version, sensor; int celsius; } Temperature;
int nvmlDeviceGetTemperatureV(void *device, Temperature *t) {
    return nvmlDeviceGetTemperature(device, t->sensor, (unsigned *)&t->celsius);
}
int nvmlDeviceGetClockInfo(void *device, unsigned kind, unsigned *mhz) {
    DEVICE;
    return *mhz = kind == 2 ? 2619 : 1755, OK; /* kind 2: memory */
}
int nvmlDeviceGetPowerManagementLimit(void *device, unsigned *mw) {
    DEVICE;
    return *mw = 700000, OK;
}
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *mw) {
    return nvmlDeviceGetPowerManagementLimit(device, mw);
}
typedef struct { unsigned long long total, free, used; } Memory;
int nvmlDeviceGetMemoryInfo(void *device, Memory *bytes) {
    DEVICE;
    return *bytes = (Memory){80ull << 30, 80ull << 30, 0}, OK;
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned percent[2]) {
    DEVICE;
    return percent[0] = percent[1] = 0, OK;
}
int nvmlDeviceGetComputeMode(void *device, unsigned *mode) {
    DEVICE;
    return *mode = 0, OK;
}
int nvmlDeviceGetC2cModeInfoV(void *device, void *info) {
    (void)info;
    DEVICE;
    return NOT_SUPPORTED;
}

typedef struct {
    unsigned field, scope;
    int64_t timestamp_us, latency_us;
    unsigned type;
    int status;
    union { unsigned u; double d; unsigned long long ull; } value;
} Field;
int nvmlDeviceGetFieldValues(void *device, int count, Field *fields) {
    DEVICE;
    for (int n = 0; n < count; n++) {
        Field *f = &fields[n];
        int known = (f->field == 185 || f->field == 186) && f->scope == 0; /* average, instant */
        f->status = known ? OK : NOT_SUPPORTED;
        f->type = 1; /* unsigned int */
        f->timestamp_us = (int64_t)(1e6 * now_s());
        if (known)
            f->value.u = (unsigned)(
                1e3 * shown_w(i, f->field == 185 ? 1.0 : board_at(i)->power_window_s) + 0.5);
    }
    return OK;
}

typedef struct { unsigned pid; unsigned long long bytes; unsigned instance, compute; } Process;
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, Process *processes) {
    DEVICE;
    unsigned room = *count;
    *count = board_at(i)->pid ? 1 : 0;
    if (!*count) return OK;
    if (!room || !processes) return 7; /* insufficient size */
    processes[0] = (Process){(unsigned)board_at(i)->pid, 1 << 20, ~0u, ~0u};
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count, Process *processes) {
    return nvmlDeviceGetComputeRunningProcesses_v3(device, count, processes);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, Process *processes) {
    (void)processes;
    DEVICE;
    return *count = 0, OK;
}
