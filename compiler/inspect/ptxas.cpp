#include "compiler/inspect/ptxas.h"

#include <fmt/format.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/FileUtilities.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/Program.h>
#include <llvm/Support/raw_ostream.h>

#include <cstdlib>
#include <regex>
#include <sstream>

namespace convc {
namespace {

// A new file in the folder for those; it is gone when `remover` is. Empty where it could not be written.
std::string scratch_file(const std::string &text, llvm::FileRemover &remover) {
    int descriptor = -1;
    llvm::SmallString<128> path;
    if (llvm::sys::fs::createTemporaryFile("convc", "ptx", descriptor, path)) return "";
    remover.setFile(path);
    llvm::raw_fd_ostream stream(descriptor, true);
    stream << text;
    stream.close();
    if (!stream.has_error()) return path.str().str();
    stream.clear_error();  // which its destructor would end the process for
    return "";
}

}  // namespace

std::optional<std::filesystem::path> find_ptxas() {
    if (const char *chosen = std::getenv("CONVC_PTXAS")) {
        return llvm::sys::fs::can_execute(chosen) ? std::optional<std::filesystem::path>(chosen) : std::nullopt;
    }
    auto found = llvm::sys::findProgramByName("ptxas");
    if (!found) found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
    return found ? std::optional<std::filesystem::path>(*found) : std::nullopt;
}

Result<std::vector<AssembledFunction>> assemble_ptx(const std::filesystem::path &ptxas, const std::string &ptx,
                                                    int capability) {
    llvm::FileRemover source_remover, report_remover;
    const std::string source = scratch_file(ptx, source_remover), report = scratch_file("", report_remover);
    if (source.empty() || report.empty()) return Error{Failure::environment, "cannot write a temporary file for ptxas"};
    const std::string program = ptxas.string(), architecture = fmt::format("-arch=sm_{}", capability);
    const int status =
        llvm::sys::ExecuteAndWait(program, {program, "-v", architecture, source, "-o", "/dev/null"}, std::nullopt,
                                  {llvm::StringRef(), llvm::StringRef(report), llvm::StringRef(report)});
    const auto buffer = llvm::MemoryBuffer::getFile(report);
    const std::string said = buffer ? (*buffer)->getBuffer().str() : "";
    if (status == 0) return read_ptxas_report(said);
    const std::string first = said.substr(0, said.find('\n'));
    return Error{Failure::environment, fmt::format("{} failed: {}", program, first)};
}

std::vector<AssembledFunction> read_ptxas_report(const std::string &report) {
    static const std::regex begins("Compiling entry function '([^']*)'"), registers("Used (\\d+) registers"),
        shared("(\\d+) bytes smem"), spills("(\\d+) bytes spill stores");
    std::vector<AssembledFunction> all;
    std::istringstream lines(report);
    for (std::string line; std::getline(lines, line);) {
        std::smatch found;
        if (std::regex_search(line, found, begins)) all.push_back({found[1].str()});
        if (all.empty()) continue;
        const auto read = [&](const std::regex &pattern, int64_t &number) {
            if (std::regex_search(line, found, pattern)) number = std::atoll(found[1].str().c_str());
        };
        read(registers, all.back().registers);
        read(shared, all.back().shared_bytes);
        read(spills, all.back().spilled_bytes);
    }
    return all;
}

}  // namespace convc
