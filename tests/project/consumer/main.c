/* Calls the kernels that this project's build has compiled, and checks what they compute. */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "net.h"

/* packed and workspace are 64-byte aligned, and NULL when their size is 0. */
static void *allocate(size_t bytes) {
    return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

static int check(const char *what, float actual, float expected) {
    if (actual == expected) return 0;
    printf("%s: %g, expected %g\n", what, (double)actual, (double)expected);
    return 1;
}

/* The sums of 2x2 windows over 0, 1, 2 ... 15. */
static int check_box(void) {
    alignas(64) float x[16], y[9];
    void *packed = allocate(box_packed_bytes());
    void *workspace = allocate(box_workspace_bytes());
    int wrong = 0;
    for (int i = 0; i < 16; ++i) x[i] = (float)i;
    if (box_pack(NULL, packed) != CONVC_OK || box(x, packed, y, workspace) != CONVC_OK) return 1;
    for (int i = 0; i < 9; ++i) wrong += check("box", y[i], (float)(4 * (i / 3 * 4 + i % 3) + 10));
    free(packed);
    free(workspace);
    return wrong;
}

/* Channel c of every pixel becomes max(0, x[7 - c] - c). */
static int check_mix(void) {
    alignas(64) float x[32], y[32], weight[64] = {0}, bias[8];
    void *packed = allocate(mix_packed_bytes());
    void *workspace = allocate(mix_workspace_bytes());
    int wrong = 0;
    for (int i = 0; i < 32; ++i) x[i] = (float)(i % 11);
    for (int c = 0; c < 8; ++c) weight[c * 8 + 7 - c] = 1, bias[c] = (float)-c;
    const mix_weights weights = {weight, bias};
    if (mix_pack(&weights, packed) != CONVC_OK || mix(x, packed, y, workspace) != CONVC_OK) return 1;
    for (int i = 0; i < 32; ++i) {
        float sum = x[i / 8 * 8 + 7 - i % 8] - (float)(i % 8);
        wrong += check("mix", y[i], sum > 0 ? sum : 0);
    }
    free(packed);
    free(workspace);
    return wrong;
}

int main(void) {
    int wrong = check_box() + check_mix();
    convc_shutdown();
    if (wrong == 0) printf("%s on %s: right\n", box_info()->layer, box_info()->target);
    return wrong != 0;
}
