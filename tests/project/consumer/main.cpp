// Compiles a layer at run time through the installed C++ API, calls it, and checks what it computes.
#include <cstdio>
#include <vector>

#include "convc/convc.hpp"

namespace {

int fail(const convc::Error &error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return 1;
}

}  // namespace

int main() {
    convc::Result<convc::Layer> layer =
        convc::parse_layer("f32 nhwc[1, 3, 3, 1] -> conv(1, 3x3, weights=[[1, 1, 1], [1, 1, 1], [1, 1, 1]])");
    if (!layer) return fail(layer.error());
    convc::Result<convc::LoadedKernel> kernel = convc::load_layer(*layer);
    if (!kernel) return fail(kernel.error());

    const convc_kernel_info &info = kernel->info();
    alignas(64) static unsigned char packed[4096];
    alignas(64) static unsigned char workspace[65536];
    if (info.packed_bytes > sizeof packed || info.workspace_bytes > sizeof workspace) return 1;
    const std::vector<float> x(9, 2.0f);
    const float *const inputs[] = {x.data()};
    float y = 0;
    if (info.pack(nullptr, packed) != CONVC_OK) return 1;
    if (info.run(nullptr, inputs, packed, &y, workspace) != CONVC_OK) return 1;
    std::printf("%s: %g\n", layer->canonical_line().c_str(), static_cast<double>(y));
    return y == 18 ? 0 : 1;
}
