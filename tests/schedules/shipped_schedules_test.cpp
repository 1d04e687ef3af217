// What schedules/tuned/ ships is read as users' files are, and fits the layers and targets that it names.
#include "compiler/plan/shipped_schedules.h"

#include <gtest/gtest.h>

#include <set>

#include "compiler/plan/plan.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

TEST(ShippedSchedules, AreReadWithoutComplaints) {
    for (const std::string_view text : shipped_schedule_texts) {
        const SourceFile file{"shipped", std::string(text)};
        Diagnostics diagnostics;
        const CheckedModule module = check_module(parse_module(file, diagnostics), diagnostics);
        EXPECT_FALSE(diagnostics.has_errors()) << render_text(file, diagnostics, false);
        EXPECT_EQ(module.layers.size(), module.schedules.size());
    }
}

TEST(ShippedSchedules, AreThoseThatTheirLayersGet) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const ShippedSchedule &shipped : shipped_schedules()) {
        EXPECT_TRUE(seen.emplace(shipped.layer, shipped.target).second) << "twice: " << shipped.layer;
        const Result<Layer> layer = parse_layer(shipped.layer);
        const Result<Target> target = parse_target(shipped.target);
        ASSERT_TRUE(layer && target) << shipped.layer << " on " << shipped.target;
        const Result<Plan> pinned = make_pinned_plan(*layer, *target, shipped.groups);
        ASSERT_TRUE(pinned) << shipped.layer << ": " << pinned.error().message;
        const Result<Plan> plan = make_best_plan(*layer, *target);
        ASSERT_TRUE(plan);
        EXPECT_EQ(plan->origin, Plan::Origin::shipped) << shipped.layer;
        EXPECT_EQ(print_schedules(plan->schedules()), print_schedules(shipped.groups)) << shipped.layer;
    }
}

TEST(ShippedSchedules, AreNotForOtherTargets) {
    for (const ShippedSchedule &shipped : shipped_schedules()) {
        const Result<Target> target = parse_target(shipped.target);
        Target other = *target;
        other.isa = target->isa == Isa::sse41 ? Isa::avx2 : Isa::sse41;
        other.cpu.clear();
        const ShippedSchedule *found = find_shipped(*parse_layer(shipped.layer), other);
        EXPECT_TRUE(!found || parse_target(found->target)->isa == other.isa);
    }
}

TEST(ShippedSchedules, TargetsFitAsTheyAreNarrow) {
    const auto fit = [](const char *made_for, const char *at_hand) {
        return target_fit(made_for, *parse_target(at_hand));
    };
    EXPECT_EQ(fit("x86-64-linux-avx2-fma", "x86-64-linux-avx512 znver4 2t"), 0);
    EXPECT_EQ(fit("x86-64-linux-avx2-fma", "x86-64-linux-avx2-fma znver3 2t"), 1);
    EXPECT_EQ(fit("x86-64-linux-avx2-fma 2t", "x86-64-linux-avx2-fma znver3 2t"), 2);
    EXPECT_EQ(fit("x86-64-linux-avx2-fma 2t", "x86-64-linux-avx2-fma znver3 4t"), 0);
    EXPECT_EQ(fit("x86-64-linux-avx2-fma znver3 2t", "x86-64-linux-avx2-fma znver3 2t"), 4);
    EXPECT_EQ(fit("nonsense", "x86-64-linux-avx2-fma znver3 2t"), 0);
}

}  // namespace
}  // namespace convc
