// NumPy's .npz: a zip archive of .npy files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compiler/driver/tensor_io/tensor.h"
#include "convc/status.h"

struct zip;

namespace convc {

class NpzFile {
public:
    static Result<NpzFile> open(const std::filesystem::path &path);

    std::vector<std::string> names() const;  // without ".npy"
    bool contains(const std::string &name) const;

    // Refuses, before it unpacks anything, an entry that is larger than a tensor of `most_elements` can be.
    Result<Tensor> read(const std::string &name, int64_t most_elements) const;

private:
    struct Close {
        void operator()(zip *archive) const;
    };
    NpzFile(std::unique_ptr<zip, Close> archive, std::string path)
        : archive_(std::move(archive)), path_(std::move(path)) {}
    std::unique_ptr<zip, Close> archive_;
    std::string path_;
};

}  // namespace convc
