#include "compiler/driver/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

namespace convc {
namespace {

bool wants_colour() {
    const char *no_colour = std::getenv("NO_COLOR");  // https://no-color.org: set to anything but nothing
    const char *terminal = std::getenv("TERM");
    return !(no_colour && *no_colour) && terminal && std::string_view(terminal) != "dumb";
}

void put(std::FILE *file, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), file);
}

std::string_view name_of(Failure failure) {
    switch (failure) {
        case Failure::invalid_input:
            return "input";
        case Failure::usage:
            return "usage";
        case Failure::environment:
            return "environment";
        case Failure::internal:
            return "internal";
        case Failure::not_tuned:
            return "not-tuned";
    }
    return "";
}

// An object a line, so that a program can tell one file's from the next.
std::string one_line(const nlohmann::ordered_json &object) {
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

Console::Console() : error_is_terminal_(::isatty(STDERR_FILENO) == 1), colour_(error_is_terminal_ && wants_colour()) {}

void Console::print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && write_error_ == 0) write_error_ = errno;
}

void Console::note(std::string_view text) {
    if (diagnostic_format == DiagnosticFormat::text) put(stderr, text);
}

void Console::show(const SourceFile &file, const Diagnostics &diagnostics) {
    if (diagnostic_format == DiagnosticFormat::json) {
        return put(stderr, one_line(nlohmann::ordered_json::parse(render_json(file, diagnostics))));
    }
    if (!diagnostics.all().empty()) put(stderr, render_text(file, diagnostics, colour_));
}

int Console::fail(const Error &error) {
    const int status = exit_status(error.failure);
    if (error.message.empty()) return status;
    if (diagnostic_format == DiagnosticFormat::json) {
        const nlohmann::ordered_json object{
            {"file", nullptr},
            {"diagnostics", {{{"id", name_of(error.failure)}, {"severity", "error"}, {"message", error.message}}}}};
        put(stderr, one_line(object));
        return status;
    }
    const bool internal = error.failure == Failure::internal;
    put(stderr, fmt::format("{}{}: {}{}\n", colour_ ? "\033[1mconvc: \033[31merror\033[0m" : "convc: error",
                            internal ? " (a bug of convc's)" : "", error.message, ""));
    return status;
}

int Console::finish(int status) {
    if (std::fflush(stdout) != 0 && write_error_ == 0) write_error_ = errno;
    if (write_error_ == 0) return status;
    return fail({Failure::environment,
                 fmt::format("cannot write to standard output: {}", std::generic_category().message(write_error_))});
}

}  // namespace convc
