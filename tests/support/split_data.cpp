#include "tests/support/split_data.h"

#include <algorithm>

namespace convc::test {
namespace {

// A row-major tensor seen from its channel axis: `outer` times, `channels` runs of `inner` elements.
struct ChannelView {
    int64_t outer = 1;
    int64_t inner = 1;
};

ChannelView view_of(const TensorType &type) {
    ChannelView view{type.batch, 1};
    for (int64_t extent : type.space) (channels_last(type.layout) ? view.outer : view.inner) *= extent;
    return view;
}

// Calls copy(offset in the whole, offset in the part, elements) for each contiguous run of the share.
template <class Copy>
void for_each_run(const ChannelView &view, const Share &share, Copy copy) {
    const int64_t run = (share.end - share.begin) * view.inner;
    for (int64_t i = 0; i < view.outer; i++) {
        copy((i * share.whole + share.begin) * view.inner, i * run, run);
    }
}

Tensor cut(const Tensor &whole, const ChannelView &view, const Share &share) {
    Tensor part(static_cast<size_t>(view.outer * view.inner * (share.end - share.begin)));
    for_each_run(view, share, [&](int64_t from, int64_t to, int64_t elements) {
        std::copy_n(whole.begin() + from, elements, part.begin() + to);
    });
    return part;
}

}  // namespace

LayerData data_of_part(const Layer &whole, const LayerPart &part, const LayerData &data) {
    LayerData cut_data;
    for (size_t i = 0; i < data.inputs.size(); i++) {
        cut_data.inputs.push_back(cut(data.inputs[i], view_of(whole.inputs[i].type), part.inputs[i]));
    }
    const std::vector<Parameter> parameters = whole.parameters();
    for (size_t i = 0; i < parameters.size(); i++) {
        const ChannelView rows{1, parameters[i].elements() / parameters[i].shape[0]};
        cut_data.parameters.push_back(cut(data.parameters[i], rows, part.parameters[i]));
    }
    return cut_data;
}

void place_output(const Layer &whole, const LayerPart &part, const Tensor &from, Tensor &to) {
    for_each_run(view_of(whole.output()), part.output, [&](int64_t in_whole, int64_t in_part, int64_t elements) {
        std::copy_n(from.begin() + in_part, elements, to.begin() + in_whole);
    });
}

}  // namespace convc::test
