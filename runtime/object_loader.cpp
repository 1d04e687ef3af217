// load_kernel(): links a kernel's objects into this process with LLVM's ORC and JITLink.
//
// One ORC session serves the whole process. Every kernel lives in a JITDylib of its own and resolves what it lacks in
// one shared JITDylib, which holds the kernel runtime's functions and, behind them, the process's own symbols (libc,
// libm). Unloading removes the kernel's JITDylib, and with it its pages. LLJIT would add an IR compiler, which objects
// do not need.
#include <fmt/format.h>
#include <llvm/ExecutionEngine/Orc/Core.h>
#include <llvm/ExecutionEngine/Orc/ExecutionUtils.h>
#include <llvm/ExecutionEngine/Orc/ExecutorProcessControl.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <atomic>

#include "convc/loaded_kernel.h"
#include "convc/target.h"
#include "runtime/gpu_runtime/gpu_runtime.h"
#include "runtime/kernel_runtime/kernel_runtime.h"

namespace convc {
namespace {

namespace orc = llvm::orc;

// ORC tells the caller of a lookup only which symbols failed, and reports why beside it; linking happens on the thread
// that looks up, so the reason of this thread's failure is collected here.
thread_local std::string failure_reason;

Error internal_error(const std::string &what, llvm::Error error) {
    std::string message = fmt::format("{}: {}", what, llvm::toString(std::move(error)));
    if (!failure_reason.empty()) message += fmt::format(" ({})", failure_reason);
    failure_reason.clear();
    return {Failure::internal, std::move(message)};
}

template <class Function>
orc::ExecutorSymbolDef function_symbol(Function *function) {
    return {orc::ExecutorAddr::fromPtr(function), llvm::JITSymbolFlags::Exported};
}

// The session and what kernels link against.
class Linker {
public:
    static llvm::Expected<Linker *> create() {
        auto process = orc::SelfExecutorProcessControl::Create(nullptr, std::make_unique<orc::InPlaceTaskDispatcher>());
        if (!process) return process.takeError();
        // Never freed: handles in static objects may unload kernels after any destructor of ours.
        auto *linker = new Linker(std::move(*process));
        if (auto error = linker->define_runtime()) return error;
        return linker;
    }

    orc::ExecutionSession &session() { return session_; }
    orc::ObjectLinkingLayer &layer() { return layer_; }

    orc::JITDylib &new_library() {
        orc::JITDylib &library = session_.createBareJITDylib(fmt::format("kernel {}", count_++));
        library.addToLinkOrder(*runtime_);
        return library;
    }

private:
    explicit Linker(std::unique_ptr<orc::ExecutorProcessControl> process)
        : session_(std::move(process)), layer_(session_), runtime_(&session_.createBareJITDylib("runtime")) {
        session_.setErrorReporter([](llvm::Error error) { failure_reason = llvm::toString(std::move(error)); });
    }

    llvm::Error define_runtime() {
        orc::SymbolMap symbols;
#define CONVC_DEFINE(name) symbols[session_.intern(#name)] = function_symbol(name)
        CONVC_DEFINE(convc_kernel_malloc_v1);
        CONVC_DEFINE(convc_kernel_free_v1);
        CONVC_DEFINE(convc_kernel_parallel_for_v1);
        CONVC_DEFINE(convc_kernel_cpu_level_v1);
#define CONVC_DEFINE_GPU(interface)                          \
    CONVC_DEFINE(convc_##interface##_begin_v1);              \
    CONVC_DEFINE(convc_##interface##_copy_in_v1);            \
    CONVC_DEFINE(convc_##interface##_copy_out_v1);           \
    CONVC_DEFINE(convc_##interface##_synchronize_v1);        \
    CONVC_DEFINE(convc_##interface##_initialize_kernels_v1); \
    CONVC_DEFINE(convc_##interface##_finalize_kernels_v1);   \
    CONVC_DEFINE(convc_##interface##_run_v1);                \
    CONVC_DEFINE(convc_##interface##_device_interface_v1);   \
    CONVC_DEFINE(convc_##interface##_malloc_v1);             \
    CONVC_DEFINE(convc_##interface##_free_v1);               \
    CONVC_DEFINE(convc_##interface##_free_as_destructor_v1); \
    CONVC_DEFINE(convc_##interface##_copy_to_device_v1)
        CONVC_DEFINE_GPU(cuda);
        CONVC_DEFINE_GPU(opencl);
#undef CONVC_DEFINE_GPU
#undef CONVC_DEFINE
        if (auto error = runtime_->define(orc::absoluteSymbols(std::move(symbols)))) return error;
        auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess('\0');
        if (!process) return process.takeError();
        runtime_->addGenerator(std::move(*process));
        return llvm::Error::success();
    }

    orc::ExecutionSession session_;
    orc::ObjectLinkingLayer layer_;
    orc::JITDylib *runtime_;
    std::atomic<uint64_t> count_ = 0;
};

Result<Linker *> create_linker() {
    auto linker = Linker::create();
    if (!linker) return internal_error("the object linker did not start", linker.takeError());
    return *linker;
}

Result<Linker *> process_linker() {
    static const Result<Linker *> linker = create_linker();
    return linker;
}

llvm::Triple::ArchType this_architecture() {
    return llvm::Triple(llvm::sys::getProcessTriple()).getArch();
}

Status runs_here(const Kernel &kernel) {
    const Result<Target> target = parse_target(kernel.target);
    if (!target) return target.error();
    const bool same_architecture = llvm::Triple(target->triple()).getArch() == this_architecture();
    if (same_architecture && convc_kernel_cpu_level_v1() >= target->cpu_level()) return {};
    return Error{Failure::environment,
                 fmt::format("kernel '{}' is for {}, which this machine does not run", kernel.symbol, kernel.target)};
}

// JITLink links foreign architectures too.
Status check_object(const ObjectFile &object) {
    auto elf = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object.bytes, object.name));
    if (!elf) return internal_error(fmt::format("'{}' is not an object file", object.name), elf.takeError());
    if ((*elf)->getArch() == this_architecture()) return {};
    return Error{Failure::environment, fmt::format("'{}' is for {}, this machine is not", object.name,
                                                   llvm::Triple::getArchTypeName((*elf)->getArch()).str())};
}

}  // namespace

struct LoadedKernel::Code {
    explicit Code(Linker &process_linker) : linker(process_linker), library(&linker.new_library()) {}
    Code(const Code &) = delete;
    Code &operator=(const Code &) = delete;
    ~Code() { llvm::consumeError(linker.session().removeJITDylib(*library)); }

    Status add(const ObjectFile &object) {
        if (Status status = check_object(object); !status) return status;
        auto buffer = llvm::MemoryBuffer::getMemBufferCopy(object.bytes, object.name);
        if (auto error = linker.layer().add(*library, std::move(buffer))) {
            return internal_error(fmt::format("'{}' does not load", object.name), std::move(error));
        }
        return {};
    }

    llvm::Expected<orc::ExecutorAddr> find(std::string_view name) {
        auto symbol = linker.session().lookup({library.get()}, llvm::StringRef(name));
        if (!symbol) return symbol.takeError();
        return symbol->getAddress();
    }

    Linker &linker;
    orc::JITDylibSP library;
};

void *LoadedKernel::symbol(std::string_view name) const {
    auto address = code_->find(name);
    if (address) return address->toPtr<void *>();
    llvm::consumeError(address.takeError());
    failure_reason.clear();
    return nullptr;
}

Result<LoadedKernel> load_kernel(const Kernel &kernel) {
    if (Status status = runs_here(kernel); !status) return status.error();
    const Result<Linker *> linker = process_linker();
    if (!linker) return linker.error();
    auto code = std::make_shared<LoadedKernel::Code>(**linker);
    for (const ObjectFile &object : kernel.objects) {
        if (Status status = code->add(object); !status) return status.error();
    }
    auto address = code->find(kernel.symbol + "_info");
    if (!address) return internal_error(fmt::format("kernel '{}' does not link", kernel.symbol), address.takeError());
    const convc_kernel_info *info = address->toPtr<const convc_kernel_info *(*)()>()();
    if (info == nullptr || info->abi != CONVC_ABI) {
        return Error{Failure::internal, fmt::format("kernel '{}' has binary interface {}, not {}", kernel.symbol,
                                                    info == nullptr ? 0 : info->abi, CONVC_ABI)};
    }
    return LoadedKernel(std::move(code), info);
}

}  // namespace convc
