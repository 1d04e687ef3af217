// convc cache: what the kernel cache holds, whether it is sound, and emptying it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/driver/verbs/verb.h"
#include "compiler/sema/spelling.h"
#include "runtime/kernel_cache.h"

namespace convc {
namespace {

using sema::counted;

struct Options {
    bool verify = false;
    bool clear = false;
    bool json = false;
};

std::string kernels_and_bytes(const CacheReport &report) {
    return fmt::format("{}, {:.1f} KiB", counted(report.entries, "kernel", "kernels"),
                       static_cast<double>(report.bytes) / 1024);
}

nlohmann::ordered_json as_json(const KernelCache &cache, const CacheReport &report, const Options &options) {
    nlohmann::ordered_json object{
        {"directory", cache.directory().string()}, {"entries", report.entries}, {"bytes", report.bytes}};
    if (options.clear) object["cleared"] = true;
    if (!options.verify) return object;
    object["damaged"] = nlohmann::ordered_json::array();
    for (const std::filesystem::path &path : report.damaged) object["damaged"].push_back(path.string());
    return object;
}

std::string as_text(const KernelCache &cache, const CacheReport &report, const Options &options) {
    std::string text = fmt::format("{}: {}{}\n", cache.directory().string(), options.clear ? "removed " : "",
                                   kernels_and_bytes(report));
    if (!options.verify) return text;
    for (const std::filesystem::path &path : report.damaged) text += fmt::format("damaged: {}\n", path.string());
    if (report.damaged.empty()) text += "every entry is sound\n";
    return text;
}

int run(Console &console, const Options &options) {
    const Result<KernelCache> cache = KernelCache::open(KernelCache::default_directory());
    if (!cache) return console.fail(cache.error());
    const auto report = [&]() -> Result<CacheReport> {
        if (options.clear) return cache->clear();
        return options.verify ? cache->verify() : cache->report();
    }();
    if (!report) return console.fail(report.error());
    console.print(options.json ? print_json(as_json(*cache, *report, options)) : as_text(*cache, *report, options));
    if (report->damaged.empty()) return 0;
    return console.fail({Failure::environment,
                         fmt::format("{}; each is passed over and written anew when its kernel is needed",
                                     counted(report->damaged.size(), "entry is damaged", "entries are damaged"))});
}

}  // namespace

void add_cache(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "cache", "show, verify or clear the kernel cache",
                              {"cache", "cache --verify", "cache --clear"});
    auto options = std::make_shared<Options>();
    CLI::Option *verify = verb->add_flag("--verify", options->verify, "read every entry and name the damaged ones");
    verb->add_flag("--clear", options->clear, "remove every entry, and nothing else")->excludes(verify);
    verb->add_flag("--json", options->json, "for programs");
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
