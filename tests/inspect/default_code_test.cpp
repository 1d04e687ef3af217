// The default schedules of the suites' and the examples' layers: a tuner that rejected such code would reject the good.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "compiler/codegen/codegen.h"
#include "compiler/inspect/inspect.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

CheckedModule read_module(const std::string &path) {
    std::ifstream stream(CONVC_TEST_ROOT "/" + path);
    const SourceFile file{path, {std::istreambuf_iterator<char>(stream), {}}};
    Diagnostics diagnostics;
    const ast::Module tree = parse_module(file, diagnostics);
    CheckedModule module = check_module(tree, diagnostics);
    EXPECT_FALSE(module.layers.empty()) << path;
    return module;
}

// What `explain --why` and the tuner read: a group for each of the plan's, with a hottest loop in each that computes.
void check_code(const Plan &plan) {
    const Result<Kernel> kernel = compile_kernel(plan, "layer");
    ASSERT_TRUE(kernel) << kernel.error().message;
    const Result<std::vector<GroupCode>> groups = inspect_kernel(*kernel);
    ASSERT_TRUE(groups) << groups.error().message;
    ASSERT_EQ(groups->size(), plan.groups.size());
    EXPECT_EQ(code_rejection(*groups, plan.target).value_or(""), "");
    for (const GroupCode &group : *groups) {
        if (group.hottest() == nullptr) continue;
        const Result<LoopCycles> cycles = loop_cycles(*group.hottest(), plan.target);
        ASSERT_TRUE(cycles) << cycles.error().message;
        EXPECT_GE(cycles->cycles, cycles->fma_cycles * 0.95);
    }
}

struct Case {
    const char *file = "";
    const char *target = "";
    int every = 1;  // of its layers, one in so many
};

class DefaultCode : public testing::TestWithParam<Case> {};

TEST_P(DefaultCode, IsNotRejected) {
    const Target target = *resolve_target(GetParam().target);
    std::set<std::string> seen;
    int index = 0;
    for (const CheckedLayer &checked : read_module(GetParam().file).layers) {
        const std::string line = checked.layer.canonical_line();
        if (!seen.insert(line).second || index++ % test::sample_size(GetParam().every, 1) != 0) continue;
        const Result<Plan> plan = make_plan(checked.layer, target);
        if (!plan) continue;  // too large for any kernel: `explain` is all that such an example is for
        SCOPED_TRACE(line + " " + print_schedules(plan->schedules()));
        check_code(*plan);
    }
}

constexpr std::pair<const char *, int> files[] = {
    {"bench/suites/dense.conv", 1},     {"bench/suites/depthwise.conv", 1},  {"bench/suites/dilated.conv", 1},
    {"bench/suites/fused.conv", 1},     {"bench/suites/grouped.conv", 1},    {"bench/suites/pointwise.conv", 1},
    {"bench/suites/separable.conv", 1}, {"bench/suites/three_axes.conv", 1}, {"bench/suites/transposed.conv", 1},
    {"examples/edges.conv", 2},         {"examples/mobilenet_v2.conv", 6},   {"examples/odd.conv", 6},
    {"examples/resnet50.conv", 8},      {"examples/variants.conv", 24},
};

std::vector<Case> cases() {
    std::vector<Case> all;
    for (const char *target : {"host", "x86-64-linux-avx2-fma"}) {
        for (const auto &[file, every] : files) all.push_back({file, target, every});
    }
    return all;
}

std::string name_of(const testing::TestParamInfo<Case> &tested) {
    const std::string file = tested.param.file;
    const size_t begin = file.rfind('/') + 1;
    return file.substr(begin, file.rfind('.') - begin) +
           (tested.param.target == std::string("host") ? "_host" : "_avx2");
}

INSTANTIATE_TEST_SUITE_P(Files, DefaultCode, testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace convc
