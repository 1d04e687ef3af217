#include "compiler/driver/tensor_io/safetensors.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

namespace convc {
namespace {

using nlohmann::json;

constexpr uint64_t longest_header = 100'000'000;  // the format's own limit

Error wrong(const std::string &name, std::string_view problem) {
    return {Failure::invalid_input, fmt::format("{}: {}", name, problem)};
}

std::optional<ElementType> type_named(const std::string &name) {
    static const std::map<std::string, ElementType> types{
        {"BF16", ElementType::bf16}, {"BOOL", ElementType::boolean}, {"F16", ElementType::f16},
        {"F32", ElementType::f32},   {"F64", ElementType::f64},      {"I16", ElementType::i16},
        {"I32", ElementType::i32},   {"I64", ElementType::i64},      {"I8", ElementType::i8},
        {"U16", ElementType::u16},   {"U32", ElementType::u32},      {"U64", ElementType::u64},
        {"U8", ElementType::u8},
    };
    const auto found = types.find(name);
    if (found == types.end()) return std::nullopt;
    return found->second;
}

// A list of integers from 0 to 2^63 - 1.
std::optional<std::vector<int64_t>> integers(const json &value) {
    if (!value.is_array()) return std::nullopt;
    std::vector<int64_t> list;
    for (const json &item : value) {
        if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) return std::nullopt;
        list.push_back(item.get<int64_t>());
    }
    return list;
}

}  // namespace

struct SafetensorsFile::HeaderReader {
    uint64_t data_size;

    // What is wrong with the entry; otherwise it is in `entry`.
    std::optional<std::string> read(const json &value, std::optional<Entry> &entry) const {
        if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
            !value.contains("data_offsets")) {
            return "lacks dtype, shape or data_offsets";
        }
        if (!value["dtype"].is_string()) return "its dtype is not a string";
        const std::optional<ElementType> type = type_named(value["dtype"].get<std::string>());
        if (!type) return std::nullopt;  // a type that only other programs know: not an error until it is asked for
        const std::optional<std::vector<int64_t>> shape = integers(value["shape"]);
        const std::optional<std::vector<int64_t>> offsets = integers(value["data_offsets"]);
        if (!shape) return "its shape is not a list of sizes";
        if (!offsets || offsets->size() != 2) return "its data_offsets are not two sizes";
        return check(Entry{*type, *shape, static_cast<uint64_t>((*offsets)[0]), static_cast<uint64_t>((*offsets)[1])},
                     entry);
    }

    std::optional<std::string> check(Entry candidate, std::optional<Entry> &entry) const {
        if (candidate.begin > candidate.end || candidate.end > data_size) {
            return fmt::format("its data_offsets [{}, {}] lie outside the {} bytes of data", candidate.begin,
                               candidate.end, data_size);
        }
        const std::optional<int64_t> count = element_count(candidate.shape);
        uint64_t needed = 0;
        if (!count || __builtin_mul_overflow(static_cast<uint64_t>(*count), element_bytes(candidate.type), &needed)) {
            return fmt::format("the shape {} has too many elements", print_shape(candidate.shape));
        }
        if (needed != candidate.end - candidate.begin) {
            return fmt::format("the shape {} takes {} bytes, but its data_offsets give it {}",
                               print_shape(candidate.shape), needed, candidate.end - candidate.begin);
        }
        entry = std::move(candidate);
        return std::nullopt;
    }
};

Result<SafetensorsFile> SafetensorsFile::parse(std::string bytes, std::string name) {
    uint64_t length = 0;
    if (bytes.size() < sizeof(length)) return wrong(name, "not a .safetensors file: shorter than 8 bytes");
    std::memcpy(&length, bytes.data(), sizeof(length));
    if (length > longest_header) return wrong(name, fmt::format("a header of {} bytes; 100 MB is the most", length));
    if (length > bytes.size() - sizeof(length)) {
        return wrong(name, fmt::format("cut short: a header of {} bytes, {} of them there", length,
                                       bytes.size() - sizeof(length)));
    }
    SafetensorsFile file;
    file.data_ = sizeof(length) + static_cast<size_t>(length);
    const std::string_view text = std::string_view(bytes).substr(sizeof(length), static_cast<size_t>(length));
    const json header = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!header.is_object()) return wrong(name, "its header is not a JSON object");
    const HeaderReader reader{bytes.size() - file.data_};
    for (const auto &[key, value] : header.items()) {
        if (key == "__metadata__") continue;
        std::optional<Entry> entry;
        if (const std::optional<std::string> problem = reader.read(value, entry)) {
            return wrong(name, fmt::format("tensor '{}': {}", key, *problem));
        }
        if (entry) file.entries_.emplace(key, std::move(*entry));
    }
    file.bytes_ = std::move(bytes);
    file.name_ = std::move(name);
    return file;
}

std::vector<std::string> SafetensorsFile::names() const {
    std::vector<std::string> all;
    all.reserve(entries_.size());
    for (const auto &[key, entry] : entries_) all.push_back(key);
    return all;
}

Result<Tensor> SafetensorsFile::read(const std::string &name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return wrong(name_, fmt::format("there is no tensor '{}'", name));
    const Entry &entry = found->second;
    const std::string_view data = std::string_view(bytes_).substr(data_ + static_cast<size_t>(entry.begin),
                                                                  static_cast<size_t>(entry.end - entry.begin));
    Tensor tensor{entry.shape, std::vector<float>(data.size() / element_bytes(entry.type))};
    convert_to_f32(entry.type, /*big_endian=*/false, data, tensor.values);
    return tensor;
}

}  // namespace convc
