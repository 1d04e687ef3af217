// docs/variants.md: the layers on it are accepted, every figure is what the command above it prints, every picture is
// there, and the kernels are those that the planner takes.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "compiler/cost/explain.h"
#include "compiler/plan/plan.h"
#include "schedules/schedule_table.h"
#include "tests/cost/page.h"
#include "tests/cost/read_layers.h"

namespace convc {
namespace {

using test::Page;
using test::PageBlock;

const Page &page() {
    static const Page variants = test::read_page("docs/variants.md");
    return variants;
}

TEST(VariantsPage, HasASectionForEveryVariant) {
    std::set<std::string> sections;
    for (const PageBlock &block : page().of_kind("conv")) sections.insert(block.section);
    for (const char *section :
         {"Cross-correlation", "True convolution", "1-D, 2-D and channels", "3-D", "1x1 (pointwise)",
          "Convolution arithmetic", "Transposed", "Dilated (atrous)", "Spatially separable", "Depthwise",
          "Depthwise separable", "Flattened", "Grouped", "Shuffled grouped", "Pointwise grouped"}) {
        EXPECT_TRUE(sections.contains(section)) << section;
    }
}

TEST(VariantsPage, LayersAreAcceptedWithoutAWarning) {
    for (const PageBlock &block : page().of_kind("conv")) {
        const test::Reading reading = test::read_layers(block.place, block.text);
        EXPECT_TRUE(reading.diagnostics.all().empty()) << reading.rendered;
        EXPECT_EQ(test::formatted(block.place, block.text), block.text) << block.place;
    }
}

// ---- what commands print

// `$ convc VERB 'LINE'`, and what it prints as the page has it: in order, `...` standing for any number of lines.
struct Session {
    std::string verb;
    std::string line;
    std::vector<std::string> shown;
};

std::vector<Session> sessions_of(const PageBlock &block) {
    static const std::regex command(R"(\$ convc (\w+) '(.*)')");
    std::vector<Session> sessions;
    std::istringstream text(block.text);
    std::smatch match;
    for (std::string line; std::getline(text, line);) {
        if (std::regex_match(line, match, command)) {
            sessions.push_back({match[1], match[2], {}});
        } else if (!sessions.empty()) {
            sessions.back().shown.push_back(line);
        } else {
            ADD_FAILURE() << block.place << ": a block begins with a command";
        }
    }
    return sessions;
}

std::string printed_by(const Session &session) {
    if (session.verb == "explain") return explain_text(test::read_layer(session.line));
    if (session.verb == "check") return test::read_layers("<layer>", session.line).rendered;
    ADD_FAILURE() << "nothing is known of convc " << session.verb;
    return "";
}

std::vector<std::string> lines_of(const std::string &text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

// Empty where the page shows what is printed; else what is wrong first.
std::string first_difference(const std::vector<std::string> &shown, const std::vector<std::string> &printed) {
    size_t at = 0;
    bool skipping = false;
    for (const std::string &line : shown) {
        if (line == "...") {
            skipping = true;
            continue;
        }
        while (skipping && at < printed.size() && printed[at] != line) at++;
        if (at == printed.size() || printed[at] != line) return "not printed: " + line;
        at++;
        skipping = false;
    }
    return skipping || at == printed.size() ? "" : "not shown: " + printed[at];
}

TEST(VariantsPage, CommandsPrintWhatIsShown) {
    size_t commands = 0;
    for (const PageBlock &block : page().of_kind("console")) {
        for (const Session &session : sessions_of(block)) {
            const std::string printed = printed_by(session);
            EXPECT_EQ(first_difference(session.shown, lines_of(printed)), "") << block.place << " shows it, but\n"
                                                                              << printed;
            commands++;
        }
    }
    EXPECT_GE(commands, 20U);
}

TEST(VariantsPage, ComparesLineByLine) {
    const std::vector<std::string> printed{"a", "b", "c", "d"};
    EXPECT_EQ(first_difference({"a", "...", "c", "d"}, printed), "");
    EXPECT_EQ(first_difference({"...", "b", "..."}, printed), "");
    EXPECT_EQ(first_difference({"a", "c", "d"}, printed), "not printed: c");
    EXPECT_EQ(first_difference({"...", "c", "...", "b", "..."}, printed), "not printed: b");
    EXPECT_EQ(first_difference({"a", "b"}, printed), "not shown: c");
}

// ---- kernels

// The algorithms of a plan are among those that the section's paragraph on its kernel names first.
TEST(VariantsPage, KernelsAreThoseThatAreTaken) {
    static const std::regex kernel(R"(\*\*Kernel:\*\* \[?`(\w+)`)");
    const Result<Target> target = parse_target("x86-64-linux-avx2-fma");
    ASSERT_TRUE(target);
    std::map<std::string, Layer> first_layers;
    for (const PageBlock &block : page().of_kind("conv")) {
        const test::Reading reading = test::read_layers(block.place, block.text);
        if (!reading.module.layers.empty()) first_layers.try_emplace(block.section, reading.module.layers[0].layer);
    }
    size_t named = 0;
    std::smatch match;
    for (const PageBlock &prose : page().prose) {
        if (!std::regex_search(prose.text, match, kernel)) continue;
        named++;
        const std::string name = match[1];
        if (algorithm_named(name) == nullptr) continue;  // its file is still to come
        const Result<Plan> plan = make_plan(first_layers[prose.section], *target);
        ASSERT_TRUE(plan) << prose.place << ": " << plan.error().message;
        std::set<std::string> taken;
        for (const PlannedGroup &group : plan->groups) taken.insert(group.schedule.algorithm);
        EXPECT_TRUE(taken.contains(name))
            << prose.place << ": " << name << " is not in the plan of " << first_layers[prose.section].canonical_line();
    }
    EXPECT_GE(named, 12U);
}

}  // namespace
}  // namespace convc
