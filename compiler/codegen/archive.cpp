// write_archive(): the static library of a set of kernels, the same bytes for the same kernels.
#include <fmt/format.h>
#include <llvm/Object/ArchiveWriter.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <map>

#include "compiler/codegen/codegen.h"
#include "runtime/kernel_runtime_objects.h"

namespace convc {
namespace {

using llvm::object::ELFObjectFileBase;

Error internal_error(const std::string &message) {
    return {Failure::internal, "cannot write the archive: " + message};
}

Error internal_error(llvm::Error error) {
    return internal_error(llvm::toString(std::move(error)));
}

llvm::MemoryBufferRef buffer_of(std::string_view bytes, const std::string &name) {
    return {llvm::StringRef(bytes.data(), bytes.size()), name};
}

uint16_t machine_of(const Target &target) {
    return target.isa == Isa::neon ? llvm::ELF::EM_AARCH64 : llvm::ELF::EM_X86_64;
}

// Which kernel defines each name that the linker sees.
using Owners = std::map<std::string, std::string>;

Status add_names(const Kernel &kernel, const ELFObjectFileBase &object, Owners &owners) {
    for (const llvm::object::ELFSymbolRef symbol : object.symbols()) {
        llvm::Expected<llvm::object::section_iterator> section = symbol.getSection();
        if (!section) return internal_error(section.takeError());
        llvm::Expected<llvm::StringRef> name = symbol.getName();
        if (!name) return internal_error(name.takeError());
        const bool defined = *section != object.section_end();
        if (!defined || symbol.getBinding() == llvm::ELF::STB_LOCAL) continue;
        const auto [owner, is_new] = owners.emplace(name->str(), kernel.symbol);
        if (is_new) continue;
        return Error{Failure::invalid_input,
                     fmt::format("{} and {} both define {}", owner->second, kernel.symbol, owner->first)};
    }
    return {};
}

Status check_object(const Kernel &kernel, const ObjectFile &file, const Target &target, Owners &owners) {
    auto object = llvm::object::ObjectFile::createELFObjectFile(buffer_of(file.bytes, file.name));
    if (!object) return internal_error(object.takeError());
    const auto &elf = llvm::cast<ELFObjectFileBase>(**object);
    if (elf.getEMachine() != machine_of(target)) {
        return internal_error(fmt::format("{} is not an object for {}", file.name, target.name()));
    }
    return add_names(kernel, elf, owners);
}

bool on_gpu(const std::vector<const Kernel *> &kernels) {
    return std::any_of(kernels.begin(), kernels.end(), [](const Kernel *kernel) {
        const Result<Target> target = parse_target(kernel->target);
        return target && target->on_gpu();
    });
}

}  // namespace

Result<std::vector<ObjectFile>> kernel_runtime(const Target &target, bool with_gpu) {
    const Result<KernelRuntimeObject> object = find_kernel_runtime(kernel_runtime_objects(), target);
    if (!object) return object.error();
    std::vector<ObjectFile> files{{"convc_kernel_runtime.o", std::string(object->bytes)}};
    if (with_gpu) files.push_back({"convc_gpu_runtime.o", std::string(object->gpu_bytes)});
    return files;
}

Result<std::string> write_archive(const std::vector<const Kernel *> &kernels, const Target &target) {
    const Result<std::vector<ObjectFile>> runtime = kernel_runtime(target, on_gpu(kernels));
    if (!runtime) return runtime.error();
    Owners owners;
    std::vector<llvm::NewArchiveMember> members;
    for (const Kernel *kernel : kernels) {
        for (const ObjectFile &file : kernel->objects) {
            if (Status status = check_object(*kernel, file, target, owners); !status) return status.error();
            members.emplace_back(buffer_of(file.bytes, file.name));
        }
    }
    for (const ObjectFile &file : *runtime) members.emplace_back(buffer_of(file.bytes, file.name));

    std::string problem;
    const auto note = [&problem](llvm::Error error) { problem += llvm::toString(std::move(error)); };
    auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                              llvm::object::Archive::K_GNU, true, false, note);
    if (!archive) return internal_error(archive.takeError());
    if (!problem.empty()) return internal_error(problem);
    return (*archive)->getBuffer().str();
}

}  // namespace convc
