#include "compiler/driver/tensor_io/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <limits>

#include "compiler/driver/tensor_io/npy.h"

namespace convc {
namespace {

constexpr std::string_view suffix = ".npy";

std::string reason(zip_error_t &error) {
    std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    return text;
}

// The most bytes that a .npy file of so many elements has: 8 an element, and a header of any usual length.
uint64_t most_bytes(int64_t elements) {
    constexpr uint64_t header = 1 << 20;
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(elements), uint64_t{8}, &bytes) ||
        __builtin_add_overflow(bytes, header, &bytes)) {
        return std::numeric_limits<uint64_t>::max();
    }
    return bytes;
}

Result<std::string> unpack(zip_file_t *file, uint64_t size, const std::string &name) {
    std::string bytes(static_cast<size_t>(size), '\0');
    size_t used = 0;
    while (used < bytes.size()) {
        const zip_int64_t got = zip_fread(file, bytes.data() + used, bytes.size() - used);
        if (got <= 0) return Error{Failure::invalid_input, fmt::format("{}: cut short or damaged", name)};
        used += static_cast<size_t>(got);
    }
    char more = 0;  // reading to the end makes libzip compare the checksum
    if (zip_fread(file, &more, 1) != 0) return Error{Failure::invalid_input, fmt::format("{}: damaged", name)};
    return bytes;
}

}  // namespace

void NpzFile::Close::operator()(zip *archive) const {
    zip_discard(archive);
}

Result<NpzFile> NpzFile::open(const std::filesystem::path &path) {
    int code = 0;
    zip_t *archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
    if (!archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        const bool is_zip_problem = code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS;
        return Error{is_zip_problem ? Failure::invalid_input : Failure::environment,
                     fmt::format("cannot read '{}': {}", path.string(), reason(error))};
    }
    return NpzFile(std::unique_ptr<zip, Close>(archive), path.string());
}

std::vector<std::string> NpzFile::names() const {
    std::vector<std::string> all;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive_.get(), 0); i++) {
        const char *name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
        const std::string_view text = name ? name : "";
        if (text.ends_with(suffix)) all.emplace_back(text.substr(0, text.size() - suffix.size()));
    }
    return all;
}

bool NpzFile::contains(const std::string &name) const {
    return zip_name_locate(archive_.get(), (name + std::string(suffix)).c_str(), 0) >= 0;
}

Result<Tensor> NpzFile::read(const std::string &name, int64_t most_elements) const {
    const std::string entry = name + std::string(suffix);
    const std::string title = fmt::format("{}:{}", path_, entry);
    zip_stat_t facts;
    if (zip_stat(archive_.get(), entry.c_str(), 0, &facts) != 0 || !(facts.valid & ZIP_STAT_SIZE)) {
        return Error{Failure::invalid_input, fmt::format("{}: there is no such entry", title)};
    }
    if (facts.size > most_bytes(most_elements)) {
        return Error{Failure::invalid_input,
                     fmt::format("{}: {} bytes, more than {} elements take", title, facts.size, most_elements)};
    }
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t *)> file(zip_fopen(archive_.get(), entry.c_str(), 0),
                                                                  zip_fclose);
    if (!file) {
        return Error{Failure::invalid_input, fmt::format("{}: {}", title, zip_strerror(archive_.get()))};
    }
    const Result<std::string> bytes = unpack(file.get(), facts.size, title);
    if (!bytes) return bytes.error();
    return read_npy(*bytes, title);
}

}  // namespace convc
