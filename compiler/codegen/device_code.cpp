#include "compiler/codegen/device_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

namespace convc {
namespace {

using Halide::Expr;
using Halide::Internal::Call;
using Halide::Internal::IRMutator;
using Halide::Internal::StringImm;

bool holds_device_code(const Halide::Buffer<> &buffer) {
    return buffer.name().find("gpu_source_kernels") != std::string::npos;
}

bool ends_with(const std::string &text, std::string_view end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// halide_cuda_run(state, "name", ...) and halide_cuda_initialize_kernels(state, text, size of it).
class Renaming : public IRMutator {
public:
    Renaming(std::string prefix, int size) : prefix_(std::move(prefix)), size_(size) {}
    const std::map<std::string, std::string> &names() const { return names_; }

private:
    using IRMutator::visit;

    Expr visit(const Call *op) override {
        const bool runs = ends_with(op->name, "_run"), loads = ends_with(op->name, "_initialize_kernels");
        if (op->name.rfind("halide_", 0) != 0 || (!runs && !loads)) return IRMutator::visit(op);
        std::vector<Expr> arguments;
        for (const Expr &argument : op->args) {
            const auto *name = argument.as<StringImm>();
            arguments.push_back(runs && name ? StringImm::make(renamed(name->value)) : mutate(argument));
        }
        if (loads && size_ > 0) arguments.back() = size_;
        return Call::make(op->type, op->name, arguments, op->call_type, op->func, op->value_index, op->image,
                          op->param);
    }

    const std::string &renamed(const std::string &name) {
        return names_.emplace(name, fmt::format("{}_{}", prefix_, names_.size())).first->second;
    }

    std::string prefix_;
    int size_;
    std::map<std::string, std::string> names_;
};

// halide_cuda_run(state, "name", blocks along x, y and z, threads along x, y and z, bytes of shared memory, ...).
class Launches : public Halide::Internal::IRVisitor {
public:
    const std::vector<DeviceLaunch> &all() const { return all_; }

private:
    using IRVisitor::visit;

    void visit(const Call *op) override {
        IRVisitor::visit(op);
        constexpr size_t numbers = 7;
        if (op->name.rfind("halide_", 0) != 0 || !ends_with(op->name, "_run")) return;
        for (size_t i = 0; i + numbers < op->args.size(); i++) {
            const auto *name = op->args[i].as<StringImm>();
            if (!name) continue;
            const auto number = [&](size_t at) {
                return Halide::Internal::as_const_int(Halide::Internal::simplify(op->args[i + at])).value_or(-1);
            };
            all_.push_back(
                {name->value, {number(1), number(2), number(3)}, {number(4), number(5), number(6)}, number(7)});
        }
    }

    std::vector<DeviceLaunch> all_;
};

std::string device_text(const Halide::Module &module) {
    std::string text;
    for (const auto &buffer : module.buffers()) {
        if (holds_device_code(buffer)) text.append(static_cast<const char *>(buffer.data()), buffer.size_in_bytes());
    }
    return text.substr(0, text.find('\0'));
}

bool is_part_of_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

// PTX names a function's parameters after it: NAME_param_0.
std::string with_names(const std::string &text, const std::map<std::string, std::string> &names) {
    std::string result;
    for (size_t at = 0; at < text.size();) {
        size_t end = at;
        while (end < text.size() && is_part_of_name(text[end])) end++;
        std::string word = text.substr(at, end - at);
        const size_t suffix = std::min(word.rfind("_param_"), word.size());
        const auto name = names.find(word.substr(0, suffix));
        if (name != names.end()) word = name->second + word.substr(suffix);
        result += word;
        if (end < text.size()) result += text[end++];
        at = end;
    }
    return result;
}

std::string without_comments(const std::string &ptx) {
    std::string result;
    for (size_t at = 0; at < ptx.size();) {
        const size_t end = std::min(ptx.find('\n', at), ptx.size());
        std::string line = ptx.substr(at, end - at);
        line.resize(std::min(line.find("//"), line.size()));
        line.resize(line.find_last_not_of(" \t") + 1);
        if (!line.empty()) result += line + "\n";
        at = end + 1;
    }
    return result;
}

Halide::Buffer<> buffer_of(const std::string &name, const std::string &text) {
    Halide::Buffer<uint8_t> buffer(static_cast<int>(text.size()) + 1, name);  // with the NUL that drivers look for
    std::copy(text.begin(), text.end(), buffer.begin());
    buffer(static_cast<int>(text.size())) = 0;
    return buffer;
}

}  // namespace

DeviceCode device_code(const Halide::Module &module) {
    Launches launches;
    for (const auto &function : module.functions()) function.body.accept(&launches);
    return {device_text(module), launches.all()};
}

Halide::Module with_stable_device_names(const Halide::Module &module, const std::string &prefix) {
    Renaming collecting(prefix, 0);
    for (const auto &function : module.functions()) collecting.mutate(function.body);
    std::string text = with_names(device_text(module), collecting.names());
    if (text.find(".visible .entry") != std::string::npos) text = without_comments(text);
    Renaming renaming(prefix, static_cast<int>(text.size()) + 1);
    Halide::Module stable(module.name(), module.target());
    for (Halide::Internal::LoweredFunc function : module.functions()) {
        function.body = renaming.mutate(function.body);
        stable.append(function);
    }
    for (const auto &buffer : module.buffers()) {
        stable.append(holds_device_code(buffer) ? buffer_of(buffer.name(), text) : buffer);
    }
    stable.set_any_strict_float(module.any_strict_float());
    return stable;
}

}  // namespace convc
