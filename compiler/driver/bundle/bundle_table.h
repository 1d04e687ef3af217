/* bundle_table.h: the table of a bundle, which `convc tune --bundle` writes for a machine without convc, and the
 * numbers that its kernels are fed with.
 *
 * Plain C, and C++ too: convc includes it for the numbers whose results it writes into the table, and copies it into
 * the bundle, where driver.c and candidates.c include it.
 */
#ifndef CONVC_BUNDLE_TABLE_H
#define CONVC_BUNDLE_TABLE_H

#include <stdint.h>
#include <string.h>

#include "convc/convc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whose allowance of a candidate's errors counts. */
enum {
    BUNDLE_AS_WRITTEN = 0,  /* its kernels sum the products of the definition, in whatever order */
    BUNDLE_TRANSFORMED = 1, /* they do not: Winograd's */
    BUNDLE_ALLOWANCES = 2
};

/* An input or a parameter. */
typedef struct bundle_tensor {
    int64_t elements;
    float scale; /* of the real numbers; a power of 2, so that every compiler makes the same ones */
    float offset;
} bundle_tensor;

/* An element of the output as the reference computes it. */
typedef struct bundle_sample {
    int64_t element;
    double expected;
    double allowed[BUNDLE_ALLOWANCES]; /* differences */
} bundle_sample;

/* Numbers for a layer, and what they shall give. */
typedef struct bundle_specimen {
    int32_t integers; /* or real numbers */
    int32_t exact; /* f32 makes no error: what sums as written equals the reference, and `checksum` is the output's */
    uint64_t checksum;
    double most_allowed[BUNDLE_ALLOWANCES]; /* of any element, whether sampled or not */
    const bundle_sample *samples;
    int64_t sample_count;
} bundle_specimen;

typedef struct bundle_candidate {
    const char *schedule;
    /* NULL: there is no kernel; outcome and reason say why. NOLINTNEXTLINE(modernize-redundant-void-arg): C */
    const convc_kernel_info *(*info)(void);
    int allowance;
    const char *outcome;
    const char *reason;
} bundle_candidate;

enum { BUNDLE_SPECIMENS = 2 };

typedef struct bundle_layer {
    const char *name;             /* for people */
    const char *line;             /* canonical */
    const int64_t *extents;       /* the run-time ones; NULL where there are none */
    const bundle_tensor *tensors; /* inputs, then parameters */
    int32_t input_count;
    int32_t parameter_count;
    int64_t output_elements;
    bundle_specimen specimens[BUNDLE_SPECIMENS]; /* of integers; of real numbers */
    const bundle_candidate *candidates;          /* the default first */
    int64_t candidate_count;
} bundle_layer;

/* Defined by candidates.c. */
extern const char *const bundle_target; /* without the number of threads */
extern const int bundle_threads;        /* that the candidates were chosen for; 0: any */
extern const int bundle_on_gpu;         /* then no number of threads counts */
extern const char *const bundle_build;  /* what compiled them */
extern const bundle_layer bundle_layers[];
extern const int bundle_layer_count;

/* Number `index` of a stream, in [-1, 1): splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
 * Generators", OOPSLA 2014) of a counter, of which 24 bits are what an f32 holds exactly. */
static inline float bundle_number(uint64_t stream, uint64_t index) {
    uint64_t bits = ((stream << 40) + index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    bits ^= bits >> 31;
    return (float)((int32_t)(bits >> 40) - (1 << 23)) * 0x1p-23F;
}

/* The nearest integer to 4 times the number. */
static inline float bundle_integer(float number) {
    const float scaled = number * 4;
    return (float)(int32_t)(scaled + (scaled < 0 ? -0.5F : 0.5F));
}

/* What tensor `index` of a layer holds in a specimen. */
static inline void bundle_fill(const bundle_tensor *tensor, uint64_t index, int integers, float *values) {
    const uint64_t stream = 2 * index + (integers ? 0 : 1);
    for (int64_t i = 0; i < tensor->elements; i++) {
        const float number = bundle_number(stream, (uint64_t)i);
        values[i] = integers ? bundle_integer(number) : number * tensor->scale + tensor->offset;
    }
}

/* FNV-1a over the numbers' bits. Both zeros count as one. */
static inline uint64_t bundle_checksum(const float *values, int64_t count) {
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < count; i++) {
        const float value = values[i] == 0 ? 0.0F : values[i];
        uint32_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        sum = (sum ^ bits) * UINT64_C(0x100000001b3);
    }
    return sum;
}

#ifdef __cplusplus
}
#endif

#endif /* CONVC_BUNDLE_TABLE_H */
