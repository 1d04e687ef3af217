// Hugging Face's .safetensors: the length of a JSON header, the header, then the numbers of all tensors.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/driver/tensor_io/element_type.h"
#include "compiler/driver/tensor_io/tensor.h"
#include "convc/status.h"

namespace convc {

class SafetensorsFile {
public:
    // Checks the whole header: every tensor's range lies in the data and has the size of its shape. `name` begins
    // errors.
    static Result<SafetensorsFile> parse(std::string bytes, std::string name);

    std::vector<std::string> names() const;
    bool contains(const std::string &name) const { return entries_.contains(name); }
    Result<Tensor> read(const std::string &name) const;  // F64 F32 F16 BF16 and the integers

private:
    struct Entry {
        ElementType type;
        std::vector<int64_t> shape;
        uint64_t begin, end;  // in the data
    };
    struct HeaderReader;
    std::string bytes_, name_;
    size_t data_ = 0;
    std::map<std::string, Entry> entries_;
};

}  // namespace convc
