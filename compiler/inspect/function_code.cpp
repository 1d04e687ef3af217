#include "compiler/inspect/function_code.h"

#include <fmt/format.h>
#include <llvm/Object/ELFObjectFile.h>

#include <vector>

namespace convc {
namespace {

using llvm::object::ELFSymbolRef;
using llvm::object::SectionRef;
using llvm::object::SymbolRef;

struct Place {
    std::string name;
    uint64_t section = 0;
    uint64_t begin = 0, end = 0;  // in the section

    bool holds(uint64_t in_section, uint64_t offset) const {
        return section == in_section && offset >= begin && offset < end;
    }
};

class ObjectReader {
public:
    explicit ObjectReader(const llvm::object::ELFObjectFileBase &object) : object_(object) {}

    llvm::Expected<std::map<std::string, FunctionCode>> read() {
        for (const ELFSymbolRef symbol : object_.symbols()) {
            if (llvm::Error error = add(symbol)) return error;
        }
        for (const SectionRef &section : object_.sections()) {
            if (llvm::Error error = follow(section)) return error;
        }
        return std::move(functions_);
    }

private:
    llvm::Error add(const ELFSymbolRef &symbol) {
        if (symbol.getELFType() != llvm::ELF::STT_FUNC) return llvm::Error::success();
        auto section = symbol.getSection();
        if (!section) return section.takeError();
        if (*section == object_.section_end()) return llvm::Error::success();  // defined elsewhere
        auto name = symbol.getName();
        if (!name) return name.takeError();
        auto begin = symbol.getValue();
        if (!begin) return begin.takeError();
        auto contents = (*section)->getContents();
        if (!contents) return contents.takeError();
        functions_[name->str()].bytes = contents->substr(*begin, symbol.getSize()).str();
        places_.push_back({name->str(), (*section)->getIndex(), *begin, *begin + symbol.getSize()});
        return llvm::Error::success();
    }

    // The relocations of a section of code: each function in it names what they refer to.
    llvm::Error follow(const SectionRef &relocations) {
        auto code = relocations.getRelocatedSection();
        if (!code) return code.takeError();
        if (*code == object_.section_end()) return llvm::Error::success();
        for (const auto &relocation : relocations.relocations()) {
            const auto symbol = relocation.getSymbol();
            if (symbol == object_.symbol_end()) continue;
            auto named = named_by(*symbol);
            if (!named) return named.takeError();
            for (const Place &place : places_) {
                if (!place.holds((*code)->getIndex(), relocation.getOffset())) continue;
                functions_[place.name].names.insert(named->begin(), named->end());
            }
        }
        return llvm::Error::success();
    }

    // A function, or all those of a section where only that is named.
    llvm::Expected<std::vector<std::string>> named_by(const SymbolRef &symbol) const {
        const ELFSymbolRef named(symbol);
        auto name = named.getName();
        if (!name) return name.takeError();
        if (named.getELFType() != llvm::ELF::STT_SECTION) return std::vector<std::string>{name->str()};
        auto section = named.getSection();
        if (!section) return section.takeError();
        std::vector<std::string> all;
        for (const Place &place : places_) {
            if (place.section == (*section)->getIndex()) all.push_back(place.name);
        }
        return all;
    }

    const llvm::object::ELFObjectFileBase &object_;
    std::map<std::string, FunctionCode> functions_;
    std::vector<Place> places_;
};

}  // namespace

Result<std::map<std::string, FunctionCode>> read_functions(const std::string &object, const std::string &name) {
    const auto unreadable = [&](llvm::Error error) {
        return Error{Failure::internal, fmt::format("cannot read {}: {}", name, llvm::toString(std::move(error)))};
    };
    auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, name));
    if (!file) return unreadable(file.takeError());
    auto functions = ObjectReader(llvm::cast<llvm::object::ELFObjectFileBase>(**file)).read();
    if (!functions) return unreadable(functions.takeError());
    return std::move(*functions);
}

}  // namespace convc
