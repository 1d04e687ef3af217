// Errors as values: what every fallible function of convc returns.
//
// The library never prints, throws across its boundary or aborts. A function that can fail returns Result<T> (or Status
// when there is nothing to return); the Error says which of the command line's exit codes it means and why.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace convc {

// What kind of failure it was. The values are the command line's exit codes.
enum class Failure {
    invalid_input = 1,  // the layer, the file or the data is wrong
    usage = 2,          // the request makes no sense
    environment = 3,    // files, memory, devices
    internal = 4,       // a bug of convc's
    not_tuned = 5,      // --require-tuned was not met
};

struct Error {
    Failure failure = Failure::internal;
    std::string message;  // lower case, no full stop, the numbers that clash
};

// A value, or the reason there is none. Test it before use:
//
//     Result<Schedule> schedule = parse_schedule("direct(rows=4)");
//     if (!schedule) return schedule.error();
//     use(*schedule);
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }
    T &operator*() & { return std::get<0>(state_); }
    const T &operator*() const & { return std::get<0>(state_); }
    T &&operator*() && { return std::get<0>(std::move(state_)); }
    T *operator->() { return &std::get<0>(state_); }
    const T *operator->() const { return &std::get<0>(state_); }
    const Error &error() const { return std::get<1>(state_); }

private:
    std::variant<T, Error> state_;
};

// Success, or the reason for failure.
class [[nodiscard]] Status {
public:
    Status() = default;
    Status(Error error) : failed_(true), error_(std::move(error)) {}

    explicit operator bool() const { return !failed_; }
    const Error &error() const { return error_; }

private:
    bool failed_ = false;
    Error error_;
};

}  // namespace convc
