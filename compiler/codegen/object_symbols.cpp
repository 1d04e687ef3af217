// What a Halide object says to the linker, put in order: see rename_runtime_symbols in entry_point.h.
#include <fmt/format.h>
#include <llvm/ADT/SmallString.h>
#include <llvm/ObjCopy/ConfigManager.h>
#include <llvm/ObjCopy/ObjCopy.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <string_view>

#include "compiler/codegen/entry_point.h"

namespace convc {
namespace {

using llvm::objcopy::MatchStyle;
using llvm::objcopy::NameMatcher;
using llvm::objcopy::NameOrPattern;

using Names = std::vector<std::string>;

struct RuntimeFunction {
    std::string halide;
    std::string convc;
};
using RuntimeFunctions = std::vector<RuntimeFunction>;

// runtime/kernel_runtime and runtime/gpu_runtime define the names on the right.
RuntimeFunctions runtime_functions(Gpu gpu) {
    RuntimeFunctions all{{"halide_do_par_for", "convc_kernel_parallel_for_v1"},
                         {"halide_free", "convc_kernel_free_v1"},
                         {"halide_malloc", "convc_kernel_malloc_v1"}};
    if (gpu == Gpu::none) return all;
    const std::string interface = gpu == Gpu::cuda ? "cuda" : "opencl";
    for (const char *name : {"initialize_kernels", "finalize_kernels", "run", "device_interface"}) {
        all.push_back({fmt::format("halide_{}_{}", interface, name), fmt::format("convc_{}_{}_v1", interface, name)});
    }
    for (const char *name : {"malloc", "free", "free_as_destructor"}) {
        all.push_back({fmt::format("halide_device_{}", name), fmt::format("convc_{}_{}_v1", interface, name)});
    }
    all.push_back({"halide_copy_to_device", fmt::format("convc_{}_copy_to_device_v1", interface)});
    return all;
}

// What Halide and LLVM call of libc and libm, which every C program has, and the name that stands for the linker's own
// table. Sorted.
constexpr auto provided_names = std::to_array<std::string_view>({
    "_GLOBAL_OFFSET_TABLE_",
    "acosf",
    "acoshf",
    "asinf",
    "asinhf",
    "atan2f",
    "atanf",
    "atanhf",
    "ceilf",
    "cosf",
    "coshf",
    "erff",
    "exp2f",
    "expf",
    "floorf",
    "fmaf",
    "fmodf",
    "log2f",
    "logf",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "nearbyintf",
    "powf",
    "rintf",
    "roundf",
    "sinf",
    "sinhf",
    "sqrtf",
    "tanf",
    "tanhf",
    "truncf",
});
static_assert(std::is_sorted(provided_names.begin(), provided_names.end()));

// The names that an object shares with others, in the order of its symbol table.
struct SharedNames {
    Names defined;
    Names undefined;
};

llvm::Expected<SharedNames> read_names(const llvm::object::ELFObjectFileBase &object) {
    using llvm::object::BasicSymbolRef;
    SharedNames names;
    for (const llvm::object::ELFSymbolRef symbol : object.symbols()) {
        llvm::Expected<uint32_t> flags = symbol.getFlags();
        if (!flags) return flags.takeError();
        llvm::Expected<llvm::StringRef> name = symbol.getName();
        if (!name) return name.takeError();
        if (symbol.getBinding() == llvm::ELF::STB_LOCAL) continue;
        const bool undefined = (*flags & BasicSymbolRef::SF_Undefined) != 0;
        (undefined ? names.undefined : names.defined).push_back(name->str());
    }
    return names;
}

bool contains(const Names &names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_known(std::string_view undefined, const RuntimeFunctions &runtime) {
    const auto is_it = [undefined](const RuntimeFunction &function) { return function.halide == undefined; };
    return std::any_of(runtime.begin(), runtime.end(), is_it) ||
           std::binary_search(provided_names.begin(), provided_names.end(), undefined);
}

std::optional<std::string> mistake_in(const SharedNames &names, const Names &functions,
                                      const RuntimeFunctions &runtime) {
    Names missing;
    for (const std::string &function : functions) {
        if (!contains(names.defined, function)) missing.push_back(function);
    }
    if (!missing.empty()) return fmt::format("the object does not define {}", fmt::join(missing, ", "));
    Names foreign;
    for (const std::string &name : names.undefined) {
        if (!is_known(name, runtime)) foreign.push_back(name);
    }
    if (!foreign.empty())
        return fmt::format("the object needs {}, which a kernel may not call", fmt::join(foreign, ", "));
    return std::nullopt;
}

// The edit that objcopy is to make. `config` refers to the texts that are kept here.
class ObjectEdit {
public:
    ObjectEdit(const SharedNames &names, const Names &functions, const RuntimeFunctions &runtime);
    const llvm::objcopy::ConfigManager &config() const { return config_; }

private:
    llvm::StringRef keep(std::string text) { return texts_.emplace_back(std::move(text)); }
    void add(NameMatcher &matcher, const std::string &name);
    void rename(const std::string &from, const std::string &to);
    void rename_section(const std::string &from, const std::string &to);

    std::deque<std::string> texts_;
    llvm::objcopy::ConfigManager config_;
};

void ObjectEdit::add(NameMatcher &matcher, const std::string &name) {
    const auto pass_on = [](llvm::Error error) { return error; };
    llvm::cantFail(matcher.addMatcher(NameOrPattern::create(keep(name), MatchStyle::Literal, pass_on)));
}

void ObjectEdit::rename(const std::string &from, const std::string &to) {
    config_.Common.SymbolsToRename[from] = keep(to);
}

void ObjectEdit::rename_section(const std::string &from, const std::string &to) {
    config_.Common.SectionsToRename[from] = {keep(from), keep(to), std::nullopt};
}

// The functions that the entry points call stay global and become hidden. What remains are mostly the bodies of
// parallel loops. Their names count up over the life of the process that compiled them; they are made local, and
// renamed so that equal kernels are equal bytes.
ObjectEdit::ObjectEdit(const SharedNames &names, const Names &functions, const RuntimeFunctions &runtime) {
    add(config_.Common.ToRemove, ".comment");  // the builds of Halide and LLVM; NAME_info() gives convc's
    NameMatcher hidden;
    for (const std::string &function : functions) add(hidden, function);
    for (const auto &[halide, convc] : runtime) {
        add(hidden, halide);
        rename(halide, convc);
    }
    config_.ELF.SymbolsToSetVisibility.emplace_back(std::move(hidden), llvm::ELF::STV_HIDDEN);

    int parts = 0;
    for (const std::string &name : names.defined) {
        if (contains(functions, name)) continue;
        const std::string part = fmt::format("{}.part.{}", functions.front(), parts++);
        add(config_.Common.SymbolsToLocalize, name);
        rename(name, part);
        rename_section(".text." + name, ".text." + part);
    }
}

Error internal_error(const std::string &message) {
    return {Failure::internal, "cannot edit the symbols of a Halide object: " + message};
}

Error internal_error(llvm::Error error) {
    return internal_error(llvm::toString(std::move(error)));
}

}  // namespace

Result<std::string> rename_runtime_symbols(const std::string &object, const std::vector<std::string> &functions,
                                           Gpu gpu) {
    if (functions.empty()) return internal_error("no function is called");
    const RuntimeFunctions runtime = runtime_functions(gpu);
    const llvm::MemoryBufferRef buffer(object, functions.front());
    llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> file =
        llvm::object::ObjectFile::createELFObjectFile(buffer);
    if (!file) return internal_error(file.takeError());
    llvm::Expected<SharedNames> names = read_names(llvm::cast<llvm::object::ELFObjectFileBase>(**file));
    if (!names) return internal_error(names.takeError());
    if (const auto mistake = mistake_in(*names, functions, runtime)) return internal_error(*mistake);

    const ObjectEdit edit(*names, functions, runtime);
    llvm::SmallString<0> edited;
    llvm::raw_svector_ostream stream(edited);
    if (llvm::Error error = llvm::objcopy::executeObjcopyOnBinary(edit.config(), **file, stream)) {
        return internal_error(std::move(error));
    }
    return std::string(edited.str());
}

}  // namespace convc
