#include "compiler/driver/tensor_io/npy.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "compiler/driver/tensor_io/element_type.h"

namespace convc {
namespace {

constexpr std::string_view magic{"\x93NUMPY", 6};
constexpr size_t most_dimensions = 64;  // numpy's own limit

struct Header {
    ElementType type = ElementType::f32;
    bool big_endian = false;
    bool fortran_order = false;
    std::vector<int64_t> shape;
};

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 32)) out += c >= ' ' && c <= '~' ? c : '?';
    return out;
}

// The dictionary that numpy writes, {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }: strings, booleans and
// tuples of integers. A structured dtype is a list and is refused here.
class DictionaryReader {
public:
    explicit DictionaryReader(std::string_view text) : text_(text) {}

    // The reason, when the text is not such a dictionary.
    std::optional<std::string> read() {
        if (!take('{')) return "its header is not a dictionary";
        while (!take('}')) {
            const std::optional<std::string_view> key = string();
            if (!key || !take(':')) return "its header is cut short or not a dictionary";
            if (std::optional<std::string> problem = value(*key)) return problem;
            if (!take(',') && !peek('}')) return "its header is cut short or not a dictionary";
        }
        if (!descr || !fortran_order || !shape) return "its header lacks 'descr', 'fortran_order' or 'shape'";
        return std::nullopt;
    }

    std::optional<std::string_view> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<int64_t>> shape;

private:
    std::optional<std::string> value(std::string_view key) {
        if (key == "descr") {
            descr = string();
            if (!descr) return "its dtype is not a plain one";
        } else if (key == "fortran_order") {
            fortran_order = boolean();
            if (!fortran_order) return "its 'fortran_order' is neither True nor False";
        } else if (key == "shape") {
            shape = tuple();
            if (!shape) return "its 'shape' is not a tuple of integers that fit 63 bits";
        } else {
            return fmt::format("its header has the unknown key '{}'", printable(key));
        }
        return std::nullopt;
    }

    void skip_space() {
        const size_t next = text_.find_first_not_of(" \t\r\n");
        text_.remove_prefix(std::min(next, text_.size()));
    }

    bool peek(char c) {
        skip_space();
        return !text_.empty() && text_.front() == c;
    }

    bool take(char c) {
        if (!peek(c)) return false;
        text_.remove_prefix(1);
        return true;
    }

    bool take(std::string_view word) {
        skip_space();
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }

    std::optional<std::string_view> string() {
        const char quote = peek('"') ? '"' : '\'';
        if (!take(quote)) return std::nullopt;
        const size_t end = text_.find(quote);
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view found = text_.substr(0, end);
        text_.remove_prefix(end + 1);
        return found;
    }

    std::optional<bool> boolean() {
        if (take("True")) return true;
        if (take("False")) return false;
        return std::nullopt;
    }

    std::optional<std::vector<int64_t>> tuple() {
        std::vector<int64_t> extents;
        if (!take('(')) return std::nullopt;
        while (!take(')')) {
            skip_space();
            int64_t extent = 0;
            const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
            if (error != std::errc() || extent < 0 || extents.size() == most_dimensions) return std::nullopt;
            text_.remove_prefix(static_cast<size_t>(end - text_.data()));
            take('L');  // Python 2 wrote its long integers so
            extents.push_back(extent);
            if (!take(',') && !peek(')')) return std::nullopt;
        }
        return extents;
    }

    std::string_view text_;
};

std::optional<ElementType> type_named(std::string_view name) {
    static const std::map<std::string_view, ElementType> types{
        {"b1", ElementType::boolean}, {"f2", ElementType::f16}, {"f4", ElementType::f32}, {"f8", ElementType::f64},
        {"i1", ElementType::i8},      {"i2", ElementType::i16}, {"i4", ElementType::i32}, {"i8", ElementType::i64},
        {"u1", ElementType::u8},      {"u2", ElementType::u16}, {"u4", ElementType::u32}, {"u8", ElementType::u64},
    };
    const auto found = types.find(name);
    if (found == types.end()) return std::nullopt;
    return found->second;
}

Error wrong(const std::string &name, std::string_view problem) {
    return {Failure::invalid_input, fmt::format("{}: {}", name, problem)};
}

Result<Header> parse_header(std::string_view text, const std::string &name) {
    DictionaryReader reader(text);
    if (const std::optional<std::string> problem = reader.read()) return wrong(name, *problem);
    const std::string_view descr = *reader.descr;
    const bool has_order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
    const std::optional<ElementType> type = type_named(descr.substr(has_order ? 1 : 0));
    if (!type) {
        return wrong(name, fmt::format("its dtype '{}' is not a boolean, an integer, f2, f4 or f8", printable(descr)));
    }
    return Header{*type, descr.starts_with('>'), *reader.fortran_order, std::move(*reader.shape)};
}

// The header's text and, after it, the numbers.
struct Parts {
    std::string_view header;
    std::string_view data;
};

Result<Parts> split(std::string_view bytes, const std::string &name) {
    if (!bytes.starts_with(magic)) return wrong(name, "not a .npy file");
    if (bytes.size() < 10) return wrong(name, "cut short in its header");
    const int version = static_cast<unsigned char>(bytes[6]);
    if (version < 1 || version > 3) return wrong(name, fmt::format(".npy version {}; 1 to 3 are known", version));
    const size_t length_bytes = version == 1 ? 2 : 4;
    if (bytes.size() < 8 + length_bytes) return wrong(name, "cut short in its header");
    uint32_t length = 0;
    std::memcpy(&length, bytes.data() + 8, length_bytes);
    bytes.remove_prefix(8 + length_bytes);
    if (bytes.size() < length) {
        return wrong(name, fmt::format("cut short: a header of {} bytes, {} of them there", length, bytes.size()));
    }
    return Parts{bytes.substr(0, length), bytes.substr(length)};
}

// First axis fastest to last axis fastest.
std::vector<float> from_fortran_order(const std::vector<float> &values, const std::vector<int64_t> &shape) {
    std::vector<float> out(values.size());
    std::vector<size_t> strides(shape.size());
    size_t stride = 1;
    for (size_t axis = 0; axis < shape.size(); axis++) {
        strides[axis] = stride;
        stride *= static_cast<size_t>(shape[axis]);
    }
    std::vector<int64_t> index(shape.size());
    size_t from = 0;
    for (float &value : out) {
        value = values[from];
        for (size_t axis = shape.size(); axis-- > 0;) {  // the next index, last axis first
            from += strides[axis];
            if (++index[axis] < shape[axis]) break;
            from -= strides[axis] * static_cast<size_t>(shape[axis]);
            index[axis] = 0;
        }
    }
    return out;
}

}  // namespace

Result<Tensor> read_npy(std::string_view bytes, const std::string &name) {
    const Result<Parts> parts = split(bytes, name);
    if (!parts) return parts.error();
    Result<Header> header = parse_header(parts->header, name);
    if (!header) return header.error();
    const std::optional<int64_t> count = element_count(header->shape);
    uint64_t needed = 0;
    if (!count || __builtin_mul_overflow(static_cast<uint64_t>(*count), element_bytes(header->type), &needed)) {
        return wrong(name, fmt::format("the shape {} has too many elements", print_shape(header->shape)));
    }
    if (parts->data.size() != needed) {
        return wrong(name, fmt::format("the shape {} takes {} bytes of data, but there are {}",
                                       print_shape(header->shape), needed, parts->data.size()));
    }
    Tensor tensor{std::move(header->shape), std::vector<float>(static_cast<size_t>(*count))};
    convert_to_f32(header->type, header->big_endian, parts->data, tensor.values);
    if (header->fortran_order) tensor.values = from_fortran_order(tensor.values, tensor.shape);
    return tensor;
}

std::string write_npy(const Tensor &tensor) {
    std::string shape;
    for (const int64_t extent : tensor.shape) shape += fmt::format("{}, ", extent);
    if (tensor.shape.size() > 1) shape.resize(shape.size() - 2);
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape);
    const size_t unpadded = magic.size() + 4 + header.size() + 1;
    header.append((64 - unpadded % 64) % 64, ' ');  // so that the numbers begin at a multiple of 64
    header += '\n';
    const auto length = static_cast<uint16_t>(header.size());
    std::string bytes(magic);
    bytes += {'\x01', '\x00', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
    bytes += header;
    bytes.append(reinterpret_cast<const char *>(tensor.values.data()), tensor.values.size() * sizeof(float));
    return bytes;
}

}  // namespace convc
