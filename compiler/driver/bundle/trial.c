/* trial.c of a convc bundle: a candidate's output is compared with the reference's and with the default schedule's, and
 * its calls are timed.
 */
#define _GNU_SOURCE /* clock_gettime, posix_memalign. NOLINT(bugprone-reserved-identifier) */
#include "trial.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

double monotonic_seconds(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

/* The child's end of the pipe. */
static int answer_pipe = -1;

__attribute__((noreturn)) static void give(const answer *given) {
    const ssize_t written = write(answer_pipe, given, sizeof *given);
    _exit(written == (ssize_t)sizeof *given ? 0 : 1);
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const char *outcome, const char *format, ...) {
    answer failure = {{0}, {0}, 0, 0, 0};
    snprintf(failure.outcome, sizeof failure.outcome, "%s", outcome);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure.reason, sizeof failure.reason, format, arguments);
    va_end(arguments);
    give(&failure);
}

/* 64-byte aligned and zeroed, as the kernels want it. */
static void *new_memory(size_t bytes) {
    const size_t rounded = bytes / 64 * 64 + 64;
    void *memory = NULL;
    if (posix_memalign(&memory, 64, rounded) != 0) fail("no-memory", "no memory for %zu bytes", bytes);
    memset(memory, 0, rounded);
    return memory;
}

/* Of packed weights and workspaces. */
static void *new_memory_or_null(size_t bytes) {
    return bytes > 0 ? new_memory(bytes) : NULL;
}

/* Everything that one call needs: where it finds its tensors, and the output where this program finds it. */
typedef struct call {
    const bundle_layer *layer;
    const convc_kernel_info *info;
    int allowance;
    const float *const *inputs;
    const void *packed;
    void *workspace;
    float *computed;
    float *output;
} call;

static float **new_tensors(const bundle_layer *layer, int integers) {
    const int count = layer->input_count + layer->parameter_count;
    float **tensors = (float **)new_memory((size_t)count * sizeof *tensors);
    for (int i = 0; i < count; i++) {
        tensors[i] = new_memory((size_t)layer->tensors[i].elements * sizeof(float));
        bundle_fill(&layer->tensors[i], (uint64_t)i, integers, tensors[i]);
    }
    return tensors;
}

static void check_code(const char *function, int code) {
    if (device_is_missing(code))
        fail(BUNDLE_WRONG_MACHINE, "this machine does not run code for %s%s", bundle_target, device_error());
    if (code != CONVC_OK) fail("wrong", "%s of the kernel failed with code %d%s", function, code, device_error());
}

/* Where a kernel finds what lies in memory. */
static void *held(void *memory, size_t bytes) {
    void *there = NULL;
    check_code("memory for a call", device_hold(memory, bytes, &there));
    return there;
}

static const float **held_inputs(const bundle_layer *layer, float **tensors) {
    const float **inputs = (const float **)new_memory((size_t)layer->input_count * sizeof *inputs);
    for (int i = 0; i < layer->input_count; i++) {
        inputs[i] = held(tensors[i], (size_t)layer->tensors[i].elements * sizeof(float));
    }
    return inputs;
}

static call new_call(const bundle_layer *layer, const bundle_candidate *candidate, float **tensors) {
    call made = {layer, candidate->info(), candidate->allowance, held_inputs(layer, tensors), NULL, NULL, NULL, NULL};
    const size_t packed_bytes = made.info->packed_bytes, workspace_bytes = made.info->workspace(layer->extents);
    const size_t output_bytes = (size_t)layer->output_elements * sizeof(float);
    void *packed = new_memory_or_null(packed_bytes);
    const float *const *parameters = (const float *const *)tensors + layer->input_count;
    check_code("packing", made.info->pack(layer->parameter_count > 0 ? parameters : NULL, packed));
    made.packed = held(packed, packed_bytes);
    made.workspace = held(new_memory_or_null(workspace_bytes), workspace_bytes);
    made.output = new_memory(output_bytes);
    made.computed = held(made.output, output_bytes);
    return made;
}

/* On a GPU, the work is done when device_wait() returns. */
static int run(const call *c) {
    return device_run(c->info, c->layer->extents, c->inputs, c->packed, c->computed, c->workspace);
}

static void compute(const call *c) {
    check_code("a call", run(c));
    check_code("a call", device_wait());
    check_code("reading the output",
               device_fetch(c->output, c->computed, (size_t)c->layer->output_elements * sizeof(float)));
}

static int is_right(double got, double expected, double allowed) {
    if (got == expected || (isnan(got) && isnan(expected)) || isinf(allowed)) return 1;
    return isfinite(got) && isfinite(expected) && fabs(got - expected) <= allowed;
}

/* How a comparison goes: how many elements differ, and the first that does. */
typedef struct differences {
    int64_t count;
    int64_t element;
    double got, expected, allowed;
} differences;

static void compare(differences *found, int64_t element, double got, double expected, double allowed) {
    if (is_right(got, expected, allowed)) return;
    if (found->count++ == 0) {
        found->element = element;
        found->got = got;
        found->expected = expected;
        found->allowed = allowed;
    }
}

static void fail_where_different(const differences *found, const bundle_specimen *specimen, int64_t compared,
                                 const char *whose) {
    if (found->count == 0) return;
    fail("wrong", "on %s, %lld of %lld elements differ from %s; element %lld: got %.9g, expected %.9g, allowed %.3g",
         specimen->integers ? "integers" : "real numbers", (long long)found->count, (long long)compared, whose,
         (long long)found->element, found->got, found->expected, found->allowed);
}

/* Against the reference's samples; against the checksum of all of its output, where f32 makes no error; and every
 * element against the default's, of which both may be off by what is allowed to them. */
static void check_output(const call *own, const call *standard, const bundle_specimen *specimen) {
    differences sampled = {0, 0, 0, 0, 0};
    for (int64_t i = 0; i < specimen->sample_count; i++) {
        const bundle_sample *sample = &specimen->samples[i];
        compare(&sampled, sample->element, own->output[sample->element], sample->expected,
                sample->allowed[own->allowance]);
    }
    fail_where_different(&sampled, specimen, specimen->sample_count, "the reference");
    const int64_t elements = own->layer->output_elements;
    differences all = {0, 0, 0, 0, 0};
    const double allowed = specimen->most_allowed[own->allowance] + specimen->most_allowed[standard->allowance];
    for (int64_t i = 0; i < elements; i++) compare(&all, i, own->output[i], standard->output[i], allowed);
    fail_where_different(&all, specimen, elements, "the default schedule's");
    if (!specimen->exact || own->allowance != BUNDLE_AS_WRITTEN) return;
    if (bundle_checksum(own->output, elements) == specimen->checksum) return;
    fail("wrong", "on integers, the output has another checksum than the reference's");
}

static double time_batch(const call *c, int batch) {
    const double begin = monotonic_seconds();
    for (int i = 0; i < batch; i++) run(c);
    device_wait();
    return (monotonic_seconds() - begin) / batch;
}

/* The minimum over some 20 ms, once caches, threads and clock are warm. A batch takes so long that it does not matter
 * what reading the clock takes, or waiting for a device. */
static double time_call(const call *c) {
    const double budget = 20e-3;
    double begin = monotonic_seconds();
    double least = time_batch(c, 1);
    for (int i = 0; i < 1000 && monotonic_seconds() - begin < budget / 2; i++) least = fmin(least, time_batch(c, 1));
    const int batch = (int)fmin(1 + DEVICE_BATCH_SECONDS / fmax(least, 1e-9), 1e4);
    begin = monotonic_seconds();
    for (int i = 0; i < 5 || monotonic_seconds() - begin < budget; i++) least = fmin(least, time_batch(c, batch));
    return fmax(least, 1e-9);
}

/* In turns with the default. What is slower than `worthwhile` times it after the second turn will not be the best. */
static void time_in_turns(const call *own, const call *standard, double worthwhile, answer *made) {
    enum { turns = 3 };
    double standard_seconds = INFINITY;
    made->seconds = INFINITY;
    for (int i = 0; i < turns; i++) {
        standard_seconds = fmin(standard_seconds, time_call(standard));
        made->seconds = fmin(made->seconds, time_call(own));
        if (i > 0 && made->seconds > worthwhile * standard_seconds) break;
    }
    made->relative = made->seconds / standard_seconds;
}

void make_trial(const bundle_layer *layer, const bundle_candidate *candidate, double worthwhile, int pipe_end) {
    answer_pipe = pipe_end;
    answer made = {"measured", {0}, 0, 0, 0};
    call own = {0};
    call standard = {0};
    for (int i = 0; i < BUNDLE_SPECIMENS; i++) {
        const bundle_specimen *specimen = &layer->specimens[i];
        float **tensors = new_tensors(layer, specimen->integers);
        standard = new_call(layer, &layer->candidates[0], tensors);
        own = new_call(layer, candidate, tensors);
        compute(&standard);
        compute(&own);
        check_output(&own, &standard, specimen);
    }
    made.workspace = (int64_t)own.info->workspace(layer->extents);
    time_in_turns(&own, &standard, worthwhile, &made);
    give(&made);
}
