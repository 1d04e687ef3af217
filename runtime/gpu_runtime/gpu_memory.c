/* gpu_memory.c: see gpu_common.h. The text of a thread's last failure, and the scratch memory of a call: blocks of the
 * caller's workspace on the device, kept account of on the host, since the host cannot write beside them. */
#include <stdarg.h>
#include <stdio.h>

#include "runtime/gpu_runtime/gpu_common.h"

#pragma weak convc_gpu_buffer_bytes_v1
#pragma weak convc_gpu_check_host_v1
#pragma weak convc_gpu_error
#pragma weak convc_gpu_fail_v1
#pragma weak convc_gpu_give_block_v1
#pragma weak convc_gpu_note_v1
#pragma weak convc_gpu_take_block_v1
#pragma weak convc_gpu_write_v1

/* ---- failures ------------------------------------------------------------------------------------------------------
 */

static _Thread_local char failure[1024];

__attribute__((visibility("default"))) const char *convc_gpu_error(void) {
    return failure;
}

/* What the check wants in place of vsnprintf(), glibc does not have. */
__attribute__((format(printf, 3, 0))) static void write_text(char *text, size_t bytes, const char *format,
                                                             va_list arguments) {
    vsnprintf(text, bytes, format, arguments); /* NOLINT(clang-analyzer-security.insecureAPI.*) */
}

int convc_gpu_fail_v1(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_text(failure, sizeof failure, format, arguments);
    va_end(arguments);
    return code;
}

void convc_gpu_write_v1(char *text, size_t bytes, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_text(text, bytes, format, arguments);
    va_end(arguments);
}

int convc_gpu_note_v1(convc_gpu_context *context, int code) {
    if (context->error == 0) context->error = (uint64_t)code;
    return code;
}

/* ---- scratch memory ------------------------------------------------------------------------------------------------
 */

/* An entry of `blocks` is the offset of a block; offsets are multiples of CONVC_GPU_ALIGNMENT, so its lowest bit can
 * say that the block below the top has been given back. */
enum { given_back = 1 };

uint64_t convc_gpu_buffer_bytes_v1(const convc_gpu_buffer *buffer) {
    uint64_t elements = 1;
    for (int i = 0; i < buffer->dimensions; ++i) {
        const convc_gpu_dimension *dimension = &buffer->dim[i];
        if (dimension->extent <= 0) return 0;
        const int64_t stride = dimension->stride < 0 ? -(int64_t)dimension->stride : dimension->stride;
        elements += (uint64_t)stride * (uint64_t)(dimension->extent - 1);
    }
    return elements * buffer->type_lanes * (uint64_t)((buffer->type_bits + 7) / 8);
}

int convc_gpu_take_block_v1(convc_gpu_context *context, uint64_t bytes, uint64_t *offset) {
    if (context->block_count == CONVC_GPU_BLOCKS) {
        return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "a kernel has more than %d blocks of scratch memory",
                                 CONVC_GPU_BLOCKS);
    }
    /* Neither sum wraps: a workspace is far from 2^64 bytes, and so are the blocks that fit in it. */
    const uint64_t begin = (context->device_used + CONVC_GPU_ALIGNMENT - 1) & ~(uint64_t)(CONVC_GPU_ALIGNMENT - 1);
    const uint64_t left = begin < context->device_capacity ? context->device_capacity - begin : 0;
    if (bytes > left || convc_gpu_block_bytes(bytes) > left) {
        return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "the workspace has no room for %llu bytes of scratch memory",
                                 (unsigned long long)bytes);
    }
    context->blocks[context->block_count++] = begin;
    context->device_used = begin + convc_gpu_block_bytes(bytes);
    *offset = begin;
    return CONVC_OK;
}

void convc_gpu_give_block_v1(convc_gpu_context *context, uint64_t offset) {
    for (uint64_t i = 0; i < context->block_count; ++i) {
        if (context->blocks[i] == offset) context->blocks[i] |= given_back;
    }
    while (context->block_count > 0 && context->blocks[context->block_count - 1] & given_back) {
        context->device_used = context->blocks[--context->block_count] & ~(uint64_t)given_back;
    }
}

int convc_gpu_check_host_v1(const convc_gpu_buffer *buffer) {
    enum { host_is_newer = 1 };
    if (!(buffer->flags & host_is_newer)) return CONVC_OK;
    return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "a kernel reads a table of the host's on the device");
}
