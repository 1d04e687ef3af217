// The knobs of `chain`, what limits them, and what the machine model chooses.
#include "schedules/chain_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "schedules/chain_shape.h"
#include "schedules/knob_values.h"
#include "schedules/single_stage.h"
#include "schedules/winograd_schedule.h"

namespace convc {
namespace {

constexpr double most_work = 1.12;  // of the slowest thread, against all work in equal shares
// Multiply-adds in the time that a byte takes to L2 or L3 and back, and in the 2 us that threads take to meet and start
// again. Fitted to inverted residuals on Zen 4: 96-576-96 at 14 x 14, of which two parts compute 14 % of the first
// stage twice, takes 0.226 ms in a chain and 0.211 stage by stage; 24-144-24 at 56 x 56 as long either way.
constexpr double work_of_byte = 0.5;
constexpr double work_of_join = 1.5e5;
// And in the time that a number takes out of a vector of channels, where channels lie apart: single stages have vectors
// of pixels there. Into one, where the first stage is depthwise, for every tap of it that reads the number; one that
// sums over channels reads its inputs one by one in any layout. On Sapphire Rapids, channels first, in a chain and
// stage by stage: 24-144-24 at 56 x 56 0.89 of the time, 32-192-32 at 28 x 28 0.61; depthwise and 32 -> 64 channels at
// 112 x 112 1.5, 128 -> 128 at 56 x 56 1.2.
constexpr double work_of_scattered = 20, work_of_gathered = 60;
constexpr int64_t most_rows = 64;  // in a strip that the machine model considers

// How many columns a row of a stage has in a strip.
int64_t row_columns(const ChainShape &shape, int i) {
    return shape.along_width() ? shape.strip_extent(i) : shape.strip_columns(i).size();
}

// The widest register tile: a row, with the border that a stage behind it may want.
int64_t most_columns(const StageGroup &group, const ChainLink &link) {
    int64_t columns = extent_along(group.stage(link.stage).output, view_width);
    for (int later = link.stage + 1; later < group.count; later++) {
        const Axis axis = stage_axis(group.stage(later), view_width);
        columns += axis.pad_before + axis.pad_after;
    }
    return std::min<int64_t>(columns, 30);
}

// The direction and the parts with the least work for the slowest thread; among equals the fewest parts.
void choose_parts(KernelRequest &request, const std::vector<Knob> &ranges) {
    const int64_t most = 4 * planned_threads(request.target);
    double best_work = std::numeric_limits<double>::max();
    int64_t best_parts = 1, best_direction = 1;
    for (int64_t along_width = ranges[1].low; along_width <= 1; along_width++) {
        set_knob(request.schedule, "along_width", along_width);
        const ViewAxis axis = along_width ? view_width : view_height;
        const int64_t extent = extent_along(request.group.output(), axis);
        if (along_width == 0 && !ChainShape(request).has_one_ring()) continue;
        for (int64_t parts = 1; parts <= std::min(extent, most); parts++) {
            set_knob(request.schedule, "parts", parts);
            set_knob(request.schedule, "rows", ChainShape(request).piece());
            // Another direction than that of the rows has to be worth it.
            const double work = ChainShape(request).thread_work() * (along_width ? 1.1 : 1.0);
            if (work >= best_work * 0.999) continue;
            best_work = work, best_parts = parts, best_direction = along_width;
        }
    }
    set_knob(request.schedule, "along_width", best_direction);
    set_knob(request.schedule, "parts", best_parts);
}

bool fits(const KernelRequest &request) {
    return ChainShape(request).cache_bytes() <= request.target.l2_bytes / 2 && !chain_workspace_conflict(request);
}

int64_t weight_bytes(const StageGroup &group) {
    int64_t bytes = 0;
    for (int i = 0; i < group.count; i++) {
        for (const Parameter &parameter : group.layer->stage_parameters(group.first + i)) {
            bytes += parameter.elements() * static_cast<int64_t>(sizeof(float));
        }
    }
    return bytes;
}

// The smallest strips with enough pixels to read all weights for, and that compute little twice.
void choose_rows(KernelRequest &request) {
    const ChainShape shape(request);
    const double across =
        static_cast<double>(extent_along(request.group.output(), shape.along_width() ? view_height : view_width));
    // Weights that do not stay in L2 beside the strips cost as much as so many pixels.
    const double reading = weight_bytes(request.group) > request.target.l2_bytes / 4 ? 6 : 2;
    double best_cost = std::numeric_limits<double>::max();
    int64_t best = 1;
    for (int64_t rows = 1; rows <= std::min<int64_t>(shape.piece(), most_rows); rows++) {
        set_knob(request.schedule, "rows", rows);
        if (rows > 1 && (!fits(request) || (!shape.along_width() && shape.piece() % rows != 0))) continue;
        const double cost = ChainShape(request).thread_work() * (1 + reading / (across * static_cast<double>(rows)));
        if (cost < 0.99 * best_cost) best_cost = cost, best = rows;
    }
    set_knob(request.schedule, "rows", best);
}

// A width for depthwise tiles that wastes nothing in the row's last one.
int64_t depthwise_columns(const Stage &stage, int64_t row) {
    const int64_t taps = stage_axis(stage, view_width).kernel;
    const int64_t columns = std::min<int64_t>({row, 8, std::max<int64_t>(chain_unrolled_taps / taps, 1)});
    for (int64_t smaller = columns; smaller > columns / 2; smaller--) {
        if (row % smaller == 0) return smaller;
    }
    return columns;
}

void choose_tiles(KernelRequest &request) {
    const ChainShape shape(request);
    for (int i = 0; i <= shape.last(); i++) {
        const ChainLink &link = shape.link(i);
        const std::string columns = fmt::format("columns{}", link.stage);
        const int64_t row = row_columns(shape, i), most = most_columns(request.group, link);
        if (link.depthwise) {
            set_knob(request.schedule, columns, std::min(depthwise_columns(shape.stage(i), row), most));
            continue;
        }
        const RegisterTile tile = best_register_tile(link.channels, row, request.target);
        set_knob(request.schedule, fmt::format("vectors{}", link.stage), tile.vectors);
        set_knob(request.schedule, columns, std::min(tile.columns, most));
    }
}

// Multiply-adds that a thread does not lose by fusing: in walks through the cache, and in waiting for the others.
double saved_work(const KernelRequest &request) {
    const auto threads = static_cast<double>(planned_threads(request.target));
    const auto joins = static_cast<double>(chain_links(request.group).size() - 1);
    return work_of_byte * static_cast<double>(intermediate_bytes(request.group)) / threads + work_of_join * joins;
}

// Multiply-adds that a thread loses by putting the input's channels side by side and the output's apart.
double scattering_work(const StageGroup &group, const Target &target) {
    const auto numbers = [](const TensorType &tensor) {
        return channels_last(tensor.layout) ? 0.0 : static_cast<double>(tensor.elements().value_or(0));
    };
    const double gathered = is_depthwise(group.stage(0)) ? work_of_gathered * numbers(group.input()) : 0;
    return (gathered + work_of_scattered * numbers(group.output())) / static_cast<double>(planned_threads(target));
}

// More parts of whole strips, as long as they compute little twice.
void choose_fine_parts(KernelRequest &request) {
    constexpr double multiply_adds_a_cycle = 2;
    const auto a_cycle = multiply_adds_a_cycle * static_cast<double>(request.target.vector_lanes());
    const auto repeated_cycles = [&](int64_t parts) {
        KernelRequest tried = request;
        set_knob(tried.schedule, "parts", parts);
        const ChainShape shape(tried);
        const bool whole_strips = shape.piece() % shape.rows() == 0;
        if (!whole_strips || chain_work_refusal(tried) || chain_workspace_conflict(tried)) {
            return std::numeric_limits<double>::infinity();
        }
        return shape.repeated_work() * static_cast<double>(planned_threads(tried.target)) / a_cycle;
    };
    const TensorType &output = request.group.output();
    const int64_t items = extent_along(output, ChainShape(request).strip_axis());
    const int64_t parts = finer_parts(*request.schedule.knob("parts"), items, output.batch,
                                      chain_work(request.group) / a_cycle, request.target, repeated_cycles);
    set_knob(request.schedule, "parts", parts);
}

// With a part for each thread, or fine parts.
Schedule schedule_of_parts(const StageGroup &group, const Target &target, bool fine) {
    const std::vector<Knob> ranges = chain_knobs(group, target);
    Schedule lowest{"chain", {}};
    for (const Knob &knob : ranges) lowest.knobs.emplace_back(knob.name, knob.low);
    KernelRequest request{group, lowest, target};
    choose_parts(request, ranges);
    // What is stored depends on the tiles, but little.
    choose_tiles(request);
    choose_rows(request);
    choose_tiles(request);
    if (fine) choose_fine_parts(request);
    return request.schedule;
}

}  // namespace

std::optional<std::string> chain_work_refusal(const KernelRequest &request) {
    const ChainShape shape(request);
    const double share = chain_work(request.group) / static_cast<double>(planned_threads(request.target));
    const char *how =
        shape.has_one_ring() ? "" : "two stages behind the first reach across rows; in strips of columns, ";
    if (shape.thread_work() > most_work * share) {
        return fmt::format("{}{:.0f} % more work a thread: what is computed twice, and parts that are no equal shares",
                           how, (shape.thread_work() / share - 1) * 100);
    }
    if (shape.repeated_work() <= saved_work(request)) return std::nullopt;
    return fmt::format(
        "{}{:.2g} million multiply-adds more a thread, which costs more than {:.0f} KB kept in cache save", how,
        shape.repeated_work() * 1e-6, static_cast<double>(intermediate_bytes(request.group)) / 1024);
}

std::optional<std::string> chain_reluctance(const StageGroup &group, const Target &target) {
    double saved_apart = 0;
    const auto is_shuffle = [&](int i) {
        return i >= 0 && i < group.count && group.stage(i).kind == StageKind::shuffle;
    };
    for (int i = 0; i < group.count; i++) {
        // A shuffle beside it would be a pass of its own (3x3 of 8 groups on both sides of a shuffle, one thread: a
        // chain takes 1.31 times as long).
        const bool shuffled = is_shuffle(i - 1) || is_shuffle(i + 1);
        const auto elements = static_cast<double>(shuffled ? group.stage(i).output.elements().value_or(0) : 0);
        const double saved = winograd::saved_work({group.layer, group.first + i, 1}, target);
        saved_apart += std::max(saved - shuffling_work(elements, target), 0.0);
    }
    const KernelRequest request{group, schedule_of_parts(group, target, false), target};
    const double saved = saved_work(request) - ChainShape(request).repeated_work();
    if (saved_apart > saved) return "winograd saves more on single stages than a chain does";
    if (scattering_work(group, target) > saved) {
        return "putting channels side by side, and apart again, costs more than a chain saves";
    }
    return std::nullopt;
}

double chain_time(const StageGroup &group, const Target &target) {
    const ChainShape shape({group, chain_default_schedule(group, target), target});
    double time = 0;
    for (int i = 0; i <= shape.last(); i++) {
        if (shape.link(i).depthwise) continue;  // as fast in halves as in whole vectors
        const RegisterTile tile{shape.vectors(i), shape.columns(i)};
        time +=
            stage_work(shape.stage(i)) * lane_cycles(tile, shape.link(i).channels, row_columns(shape, i), 1, target);
    }
    return time;
}

std::optional<std::string> chain_workspace_conflict(const KernelRequest &request) {
    const int64_t chain = ChainShape(request).workspace_bytes(), sequence = sequence_workspace_bytes(request.group);
    if (chain <= sequence) return std::nullopt;
    return fmt::format("its strips take {} bytes of workspace, whole tensors between stages {}", chain, sequence);
}

std::vector<Knob> chain_knobs(const StageGroup &group, const Target &target) {
    const int64_t height = extent_along(group.output(), view_height), width = extent_along(group.output(), view_width);
    const int64_t extent = std::max(height, width);
    std::vector<Knob> all{
        {"stages", "stages in this kernel", group.count, group.count},
        {"along_width", "1: strips of columns, 0: of rows", height == 1 ? 1 : 0, 1},
        {"parts", "parallel parts of the strips' axis", 1, extent},
        {"rows", "rows (or columns) of the last output in a strip", 1, extent},
    };
    for (const ChainLink &link : chain_links(group)) {
        const int64_t lanes = target.vector_lanes();
        if (!link.depthwise) {
            all.push_back({fmt::format("vectors{}", link.stage),
                           fmt::format("stage {}: vectors of channels in the register tile", group.first + link.stage),
                           1, std::min<int64_t>((link.channels + lanes - 1) / lanes, 6)});
        }
        all.push_back({fmt::format("columns{}", link.stage),
                       fmt::format("stage {}: pixels in the register tile", group.first + link.stage), 1,
                       most_columns(group, link)});
    }
    return all;
}

std::optional<Conflict> chain_conflict(const KernelRequest &request) {
    const ChainShape shape(request);
    const int64_t extent = extent_along(request.group.output(), shape.strip_axis());
    if (*request.schedule.knob("parts") > extent) return Conflict{ConflictKind::shape, "more parts than rows"};
    if (shape.rows() > shape.piece()) return Conflict{ConflictKind::shape, "a strip is larger than its part"};
    if (!shape.along_width() && shape.piece() % shape.rows() != 0)
        return Conflict{ConflictKind::division, "strips of rows have to be equal"};
    if (!shape.along_width() && !shape.has_one_ring())
        return Conflict{ConflictKind::shape, "along the height, one stage behind the first may reach across rows"};
    for (int i = 0; i <= shape.last(); i++) {
        if (!fits_registers({shape.vectors(i), shape.columns(i)}, request.target)) {
            return Conflict{ConflictKind::registers,
                            fmt::format("the register tile of stage {} exceeds the vector registers",
                                        request.group.first + shape.link(i).stage)};
        }
        if (shape.columns(i) > row_columns(shape, i)) {
            return Conflict{ConflictKind::shape, fmt::format("the register tile of stage {} is wider than its strip",
                                                             request.group.first + shape.link(i).stage)};
        }
    }
    return conflict_of(ConflictKind::workspace, chain_workspace_conflict(request));
}

Schedule chain_default_schedule(const StageGroup &group, const Target &target) {
    return schedule_of_parts(group, target, true);
}

// Tiles of a stage are chosen without the strip's width in mind, which later knobs would change: whole rows.
std::vector<int64_t> chain_worthwhile(const KernelRequest &so_far, const Knob &knob) {
    constexpr std::string_view columns = "columns";
    if (!knob.name.starts_with(columns)) return usual_values(so_far, knob);
    for (const ChainLink &link : chain_links(so_far.group)) {
        if (knob.name != fmt::format("columns{}", link.stage)) continue;
        const int64_t width = extent_along(so_far.group.stage(link.stage).output, view_width);
        if (link.depthwise) return {std::min(knob.high, depthwise_columns(so_far.group.stage(link.stage), width))};
        const int64_t vectors = *so_far.schedule.knob(fmt::format("vectors{}", link.stage));
        return good_columns(vectors, knob, link.channels, width, so_far.target);
    }
    return {};
}

double chain_cycles(const KernelRequest &request) {
    const ChainShape shape(request);
    double cycles = 0;
    for (int i = 0; i <= shape.last(); i++) {
        const bool depthwise = shape.link(i).depthwise;
        const RegisterTile tile{shape.vectors(i), shape.columns(i)};
        const double cycles_a_product =
            lane_cycles(tile, depthwise ? request.target.vector_lanes() : shape.link(i).channels, row_columns(shape, i),
                        1, request.target);
        cycles += stage_work(shape.stage(i)) * cycles_a_product;
    }
    return cycles * shape.thread_work() / chain_work(request.group);
}

}  // namespace convc
