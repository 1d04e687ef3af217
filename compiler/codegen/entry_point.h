// The C entry points of a kernel: NAME, NAME_pack, NAME_info and the size functions, written with LLVM's IRBuilder into
// an object file of their own. They check the pointers, lay out the workspace, build Halide's buffers on the stack and
// call the Halide functions of the plan's groups one after another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convc/layer.h"
#include "convc/status.h"
#include "convc/target.h"
#include "schedules/layer_sizes.h"
#include "schedules/tensor_view.h"

namespace convc {

// One halide_buffer_t that a Halide function takes. All data are f32.
struct BufferArgument {
    enum class Place {
        input,      // Layer::inputs[index]
        parameter,  // NAME_weights' member number `index` (pack functions only)
        packed,     // `offset` bytes into packed memory
        workspace,  // `offset` bytes into the workspace (an intermediate between two groups)
        output,     // y
    };
    Place place = Place::input;
    int index = 0;
    Size offset = 0;
    View dimensions;  // in the order of the Halide function's buffer; mins are 0
};

// A call of a Halide function: int function(void *user_context, halide_buffer_t *...).
struct HalideCall {
    std::string function;
    std::vector<BufferArgument> arguments;
    // What one task of its parallel loops takes of the arena (runtime/kernel_runtime/kernel_runtime.h).
    uint64_t task_arena_bytes = 0;
};

// One of a layer's kernels in a library of several targets.
struct Variant {
    std::string symbol;  // of its entry points: "res2_3x3.avx2"
    Target target;
};

struct EntryPoints {
    // "res2_3x3"; or, of one variant among several, "res2_3x3.avx2": then its functions are hidden, and others give
    // them out. A dot is in no name in C.
    std::string symbol;
    Layer layer;
    std::string schedule;  // for NAME_info
    std::vector<HalideCall> run;
    std::vector<HalideCall> pack;
    // Packed memory: a header of packed_header_bytes with the tag, then the parameters. 0 when the layer has no
    // parameters.
    uint64_t packed_bytes = 0;
    uint64_t packed_tag = 0;  // hash of canonical line, schedule and target: what pack writes and the call checks
    // Workspace: intermediates first (the offsets of Place::workspace), then, from arena_offset, the allocator's
    // memory.
    Size arena_offset = 0;
    uint64_t arena_bytes = 0;
    Size workspace_bytes() const { return plus(arena_offset, static_cast<int64_t>(arena_bytes)); }
    // What the run-time extents of a call must satisfy.
    LayerSizes sizes;
    // Weights baked in: the packed bytes are a constant of the object, `packed` is ignored and packed_bytes() is 0.
    std::string baked_packed;
    // What NAME, NAME_pack, ... choose among, best first, when there are several targets (dispatch_module.h). The entry
    // points described here are then NAME.none: what is chosen when no variant fits. It has no functions to call and no
    // sizes, and returns CONVC_ERROR_TARGET.
    std::vector<Variant> variants;

    std::string name() const { return symbol.substr(0, symbol.find('.')); }  // in C
    bool is_variant() const { return symbol.find('.') != std::string::npos; }
};

inline constexpr uint64_t packed_header_bytes = 64;

// The object file (ELF) with the entry points for this target. It needs the Halide functions and the kernel runtime's
// convc_kernel_cpu_level_v1, by which it refuses to run on a CPU without the target's instructions; with variants,
// those and the runtime's convc_kernel_choose_v1.
Result<std::string> build_entry_object(const EntryPoints &entry, const Target &target);

// A Halide object made fit to stand beside others, in an archive, a shared library or the JIT. `functions` are those
// that the entry points call (HalideCall::function); they become hidden: other objects of the library see them, its
// users do not. Halide's runtime functions get convc's names (halide_malloc -> convc_kernel_malloc_v1, ...), so that
// they never meet a Halide runtime of the user's program. Everything else becomes local or goes, and no name depends on
// what the process compiled before. An object that needs any other function than those of libc and libm is refused.
// With a GPU, convc_cuda_run_v1 ... of runtime/gpu_runtime stand for Halide's functions of that interface.
Result<std::string> rename_runtime_symbols(const std::string &object, const std::vector<std::string> &functions,
                                           Gpu gpu = Gpu::none);

}  // namespace convc
