// A kernel in this process, ready to be called. Made by load_kernel() from a Kernel's objects with LLVM's ORC and
// JITLink; no page is ever writable and executable at once. Unloaded when the last copy of the handle is gone.
#pragma once

#include <memory>
#include <string_view>

#include "convc/convc.h"
#include "convc/kernel.h"
#include "convc/status.h"

namespace convc {

// Copies share one loaded kernel. Calls are thread-safe with distinct workspaces.
class LoadedKernel {
public:
    const convc_kernel_info &info() const { return *info_; }

    // A further symbol of the kernel's objects; nullptr when there is none. Valid as long as a handle is.
    void *symbol(std::string_view name) const;

private:
    friend Result<LoadedKernel> load_kernel(const Kernel &kernel);
    struct Code;  // keeps the object code alive
    LoadedKernel(std::shared_ptr<Code> code, const convc_kernel_info *info) : code_(std::move(code)), info_(info) {}
    std::shared_ptr<Code> code_;
    const convc_kernel_info *info_;
};

// Links the kernel's objects into the process. Fails when the objects are not this machine's or a symbol is missing.
Result<LoadedKernel> load_kernel(const Kernel &kernel);

}  // namespace convc
