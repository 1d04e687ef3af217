#include "compiler/driver/compile_job.h"

#include <atomic>
#include <optional>
#include <thread>

#include "compiler/api/compile_cached.h"

namespace convc {
namespace {

bool wants_listings(const Listings &listings) {
    return listings.assembly || listings.llvm || listings.stmt || listings.stmt_html || listings.device;
}

Result<Kernel> compile_one(CompileJob &job, const Result<KernelCache> &cache) {
    if (wants_listings(job.listings)) {
        Result<Kernel> kernel = compile_kernel(*job.plan, job.symbol, &job.listings);
        if (!kernel || !job.weights) return kernel;
    }
    if (job.weights) return compile_with_weights(*job.plan, job.symbol, *job.weights);
    return compile_or_find(*job.plan, job.symbol, cache);
}

// For the progress bar: one layer may be compiled for several targets.
std::string title(const CompileJob &job) {
    const bool is_variant = job.symbol != job.plan->layer.c_name();
    return job.plan->layer.name + (is_variant ? " for " + job.plan->target.name() : "");
}

}  // namespace

Result<std::vector<Kernel>> compile_all(std::vector<CompileJob> &jobs, int threads, Progress &progress) {
    const Result<KernelCache> cache = KernelCache::open(KernelCache::default_directory());
    std::vector<std::optional<Result<Kernel>>> results(jobs.size());
    std::atomic<size_t> next = 0;
    std::atomic<bool> failed = false;
    const auto work = [&] {
        for (size_t i = next++; i < jobs.size() && !failed; i = next++) {
            results[i] = compile_one(jobs[i], cache);
            if (!*results[i]) failed = true;
            progress.advance(title(jobs[i]));
        }
    };
    std::vector<std::thread> helpers;
    for (int i = 1; i < threads && static_cast<size_t>(i) < jobs.size(); i++) helpers.emplace_back(work);
    work();
    for (std::thread &helper : helpers) helper.join();

    for (const std::optional<Result<Kernel>> &result : results) {
        if (result && !*result) return result->error();
    }
    std::vector<Kernel> kernels;
    kernels.reserve(results.size());
    for (std::optional<Result<Kernel>> &result : results) kernels.push_back(std::move(**result));
    return kernels;
}

}  // namespace convc
