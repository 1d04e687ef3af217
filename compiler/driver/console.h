// Where the command line's words go: results to standard output, everything else to standard error, colour only for
// people.
#pragma once

#include <string>
#include <string_view>

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/source.h"
#include "convc/status.h"

namespace convc {

enum class DiagnosticFormat { text, json };

class Console {
public:
    Console();

    DiagnosticFormat diagnostic_format = DiagnosticFormat::text;

    // A result. Whether all of it could be written is seen by finish().
    void print(std::string_view text);
    // Something for the person at the terminal: dropped where a program reads diagnostics as JSON.
    void note(std::string_view text);
    // What is wrong with a source file, or suspicious about it; nothing when there is nothing.
    void show(const SourceFile &file, const Diagnostics &diagnostics);
    // Says the error, unless its message is empty, which means that diagnostics have been shown instead. Returns its
    // exit status.
    int fail(const Error &error);
    // After the last result: `status`, or the environment's when standard output could not take all of it.
    int finish(int status);

    bool error_is_terminal() const { return error_is_terminal_; }

private:
    bool error_is_terminal_ = false;
    bool colour_ = false;
    int write_error_ = 0;
};

inline int exit_status(Failure failure) {
    return static_cast<int>(failure);
}

// The error of something that diagnostics already explain.
inline Error already_shown() {
    return {Failure::invalid_input, ""};
}

}  // namespace convc
