#include "tests/kernels/specimens.h"

#include <algorithm>

#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;
using test::tensor;

LayerBuilder pointwise(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 11)).conv(20, square(1));
}
LayerBuilder dense(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 5)).conv(19, square(3, 1, 1));
}
LayerBuilder few_channels(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 40)).conv(2, square(3, 1, 1));
}
LayerBuilder channels_first(int64_t height, int64_t width) {
    return LayerBuilder(tensor(Layout::nchw, 2, {height, width}, 3)).conv(18, square(3, 1, 1));
}
LayerBuilder strided_and_grouped(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, 2 * height - 1, 2 * width - 1, 6)).conv(10, square(3, 2, 1), 2);
}
LayerBuilder many_groups(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 48)).conv(32, square(3, 1, 1), 16);
}
LayerBuilder along_one_axis(int64_t height, int64_t width) {
    return LayerBuilder(tensor(Layout::nwc, height, {width + 4}, 4)).conv(17, line(3, 1, 0, 2));
}
LayerBuilder three_axes(int64_t height, int64_t width) {
    const Axis axis = line(3, 1, 1)[0];
    return LayerBuilder(tensor(Layout::ndhwc, 1, {2, height, width}, 3)).conv(9, {axis, axis, axis});
}
LayerBuilder depthwise(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 19)).depthwise(square(3, 1, 1));
}
LayerBuilder depthwise_dilated(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 20)).depthwise({line(3, 1, 3, 3)[0], line(2, 1, 4, 4)[0]});
}
LayerBuilder dilated_channels_first(int64_t height, int64_t width) {
    return LayerBuilder(tensor(Layout::nchw, 2, {height, width}, 6)).depthwise({line(2, 1, 4, 4)[0], line(3, 1, 1)[0]});
}
LayerBuilder depthwise_channels_first(int64_t height, int64_t width) {
    return LayerBuilder(tensor(Layout::nchw, 1, {height, 2 * width - 1}, 3))
        .depthwise({line(5, 1, 2)[0], line(3, 2, 1)[0]});
}
LayerBuilder wide_kernel_channels_first(int64_t height, int64_t width) {
    return LayerBuilder(tensor(Layout::nchw, 1, {height, width}, 32)).depthwise(square(11, 1, 5));
}
LayerBuilder multiplied(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height + 1, width + 1, 7)).depthwise(square(2), 3);
}
LayerBuilder constant_of_rank_one(int64_t height, int64_t width) {
    LayerBuilder builder(test::nhwc(1, height, width, 9));
    return builder.depthwise(square(3, 1, 1)).weights({1, 2, 1, 2, 4, 2, 1, 2, 1}).pad_mode(PadMode::replicate);
}
LayerBuilder transposed(int64_t height, int64_t width) {
    LayerBuilder builder(test::nhwc(1, (height + 1) / 2, (width + 1) / 2, 6));
    return builder.transposed(11, square(4, 2, 1));
}
LayerBuilder transposed_to_colours(int64_t height, int64_t width) {
    LayerBuilder builder(test::nhwc(2, (height + 1) / 2, (width + 1) / 2, 20));
    return builder.transposed(3, square(3, 2, 1));
}
LayerBuilder colours_channels_first(int64_t height, int64_t width) {
    LayerBuilder builder(tensor(Layout::nchw, 1, {(height + 1) / 2, (width + 1) / 2}, 24));
    return builder.transposed(3, square(4, 2, 1));
}
LayerBuilder transposed_in_groups(int64_t height, int64_t width) {
    LayerBuilder builder(tensor(Layout::nchw, 1, {(height + 1) / 2, (width + 1) / 2}, 8));
    return builder.transposed(12, square(2, 2), 4);
}
LayerBuilder shuffle(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(2, height, width, 12)).shuffle(3);
}
LayerBuilder shuffle_channels_first(int64_t height, int64_t width) {
    return LayerBuilder(tensor(Layout::nchw, 1, {height, width}, 10)).shuffle(5);
}
LayerBuilder grouped_then_shuffled(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 12)).conv(24, square(1), 3).shuffle(3);
}
LayerBuilder inverted_residual(int64_t height, int64_t width) {
    LayerBuilder builder(test::nhwc(1, height, width, 8));
    builder.conv(32, square(1)).epilogue(EpilogueKind::relu6).depthwise(square(3, 1, 1)).epilogue(EpilogueKind::relu6);
    return builder.conv(8, square(1)).epilogue(EpilogueKind::add, 0);
}
LayerBuilder depthwise_separable(int64_t height, int64_t width) {
    return LayerBuilder(test::nhwc(1, height, width, 16)).depthwise(square(3, 1, 1)).conv(24, square(1));
}
LayerBuilder spatially_separable(int64_t height, int64_t width) {
    LayerBuilder builder(test::nhwc(1, height, width, 16));
    builder.conv(16, {line(3, 1, 1)[0], line(1)[0]});
    return builder.conv(16, {line(1)[0], line(3, 1, 1)[0]});
}
LayerBuilder shuffle_unit(int64_t height, int64_t width) {
    LayerBuilder builder(test::nhwc(1, height, width, 48));
    return builder.conv(48, square(1), 3).shuffle(3).depthwise(square(3, 1, 1)).conv(48, square(1), 3);
}

int64_t clamped(int64_t value, const Knob &knob) {
    return std::clamp(value, knob.low, knob.high);
}

}  // namespace

const std::vector<Specimen> &specimens() {
    static const std::vector<Specimen> all{{"Pointwise", pointwise},
                                           {"Dense", dense},
                                           {"FewChannels", few_channels},
                                           {"ChannelsFirst", channels_first},
                                           {"StridedAndGrouped", strided_and_grouped},
                                           {"ManyGroups", many_groups},
                                           {"AlongOneAxis", along_one_axis},
                                           {"ThreeAxes", three_axes},
                                           {"Depthwise", depthwise},
                                           {"DepthwiseDilated", depthwise_dilated},
                                           {"DilatedChannelsFirst", dilated_channels_first},
                                           {"DepthwiseChannelsFirst", depthwise_channels_first},
                                           {"WideKernelChannelsFirst", wide_kernel_channels_first},
                                           {"Multiplied", multiplied},
                                           {"ConstantOfRankOne", constant_of_rank_one},
                                           {"Transposed", transposed},
                                           {"TransposedToColours", transposed_to_colours},
                                           {"ColoursChannelsFirst", colours_channels_first},
                                           {"TransposedInGroups", transposed_in_groups},
                                           {"Shuffle", shuffle},
                                           {"ShuffleChannelsFirst", shuffle_channels_first},
                                           {"GroupedThenShuffled", grouped_then_shuffled},
                                           {"InvertedResidual", inverted_residual},
                                           {"DepthwiseSeparable", depthwise_separable},
                                           {"SpatiallySeparable", spatially_separable},
                                           {"ShuffleUnit", shuffle_unit}};
    return all;
}

Target specimen_target() {
    Target target = test::kernel_target();
    target.threads = 1;
    return target;
}

std::vector<const Algorithm *> algorithms_for(const Layer &layer, const Target &target) {
    std::vector<const Algorithm *> accepting;
    for (const Algorithm &algorithm : schedule_table()) {
        if (!algorithm.refusal(whole(layer), target)) accepting.push_back(&algorithm);
    }
    return accepting;
}

std::optional<Schedule> fitted(const Schedule &schedule, const Algorithm &algorithm, const Layer &layer,
                               const Target &target) {
    Schedule result{schedule.algorithm, {}};
    for (const Knob &knob : algorithm.knobs(whole(layer), target)) {
        result.knobs.emplace_back(knob.name, clamped(schedule.knob(knob.name).value_or(knob.low), knob));
    }
    if (algorithm.conflict({whole(layer), result, target})) return std::nullopt;
    return result;
}

std::vector<Schedule> schedules_of(const Algorithm &algorithm, const Layer &layer, const Target &target,
                                   test::Random &random, int random_count) {
    std::vector<Schedule> all{algorithm.default_schedule(whole(layer), target)};
    const std::vector<Knob> knobs = algorithm.knobs(whole(layer), target);
    const auto take = [&](const Schedule &schedule) {
        const bool known = std::find(all.begin(), all.end(), schedule) != all.end();
        const bool accepted = !known && !algorithm.conflict({whole(layer), schedule, target});
        if (accepted) all.push_back(schedule);
        return accepted;
    };
    Schedule low{std::string(algorithm.name), {}};
    for (const Knob &knob : knobs) low.knobs.emplace_back(knob.name, knob.low);
    take(low);
    // One knob after the other as high as the ones before it allow.
    Schedule high = low;
    for (size_t i = 0; i < knobs.size(); i++) {
        int64_t &value = high.knobs[i].second;
        for (value = knobs[i].high; value > knobs[i].low; value--) {
            if (!algorithm.conflict({whole(layer), high, target})) break;
        }
    }
    take(high);
    int taken = 0;
    for (int attempt = 0; attempt < 300 && taken < random_count; attempt++) {
        Schedule drawn{std::string(algorithm.name), {}};
        for (const Knob &knob : knobs) {
            // Tiles of a few elements more often than chance would, for extents that they do not divide.
            const int64_t most = random.one_in(3) ? knob.high : std::min<int64_t>(knob.high, knob.low + 6);
            drawn.knobs.emplace_back(knob.name, random.between(knob.low, most));
        }
        taken += take(drawn);
    }
    return all;
}

std::optional<std::vector<Schedule>> stage_by_stage(const Layer &layer, const Target &target) {
    std::vector<Schedule> schedules;
    for (int i = 0; i < static_cast<int>(layer.stages.size()); i++) {
        const StageGroup group{&layer, i, 1};
        const auto table = schedule_table();
        const auto found = std::find_if(table.begin(), table.end(),
                                        [&](const Algorithm &each) { return !each.refusal(group, target); });
        if (found == table.end()) return std::nullopt;
        schedules.push_back(found->default_schedule(group, target));
    }
    return schedules;
}

}  // namespace convc
