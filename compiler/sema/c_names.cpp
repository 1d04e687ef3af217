#include "compiler/sema/c_names.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace convc::sema {
namespace {

using namespace std::string_view_literals;

// Of C11 and C++20: the header serves both. Sorted.
constexpr std::array keywords{
    "alignas"sv,
    "alignof"sv,
    "and"sv,
    "and_eq"sv,
    "asm"sv,
    "auto"sv,
    "bitand"sv,
    "bitor"sv,
    "bool"sv,
    "break"sv,
    "case"sv,
    "catch"sv,
    "char"sv,
    "char16_t"sv,
    "char32_t"sv,
    "char8_t"sv,
    "class"sv,
    "co_await"sv,
    "co_return"sv,
    "co_yield"sv,
    "compl"sv,
    "concept"sv,
    "const"sv,
    "const_cast"sv,
    "consteval"sv,
    "constexpr"sv,
    "constinit"sv,
    "continue"sv,
    "decltype"sv,
    "default"sv,
    "delete"sv,
    "do"sv,
    "double"sv,
    "dynamic_cast"sv,
    "else"sv,
    "enum"sv,
    "explicit"sv,
    "export"sv,
    "extern"sv,
    "false"sv,
    "float"sv,
    "for"sv,
    "friend"sv,
    "goto"sv,
    "if"sv,
    "inline"sv,
    "int"sv,
    "long"sv,
    "mutable"sv,
    "namespace"sv,
    "new"sv,
    "noexcept"sv,
    "not"sv,
    "not_eq"sv,
    "nullptr"sv,
    "operator"sv,
    "or"sv,
    "or_eq"sv,
    "private"sv,
    "protected"sv,
    "public"sv,
    "register"sv,
    "reinterpret_cast"sv,
    "requires"sv,
    "restrict"sv,
    "return"sv,
    "short"sv,
    "signed"sv,
    "sizeof"sv,
    "static"sv,
    "static_assert"sv,
    "static_cast"sv,
    "struct"sv,
    "switch"sv,
    "template"sv,
    "this"sv,
    "thread_local"sv,
    "throw"sv,
    "true"sv,
    "try"sv,
    "typedef"sv,
    "typeid"sv,
    "typename"sv,
    "union"sv,
    "unsigned"sv,
    "using"sv,
    "virtual"sv,
    "void"sv,
    "volatile"sv,
    "wchar_t"sv,
    "while"sv,
    "xor"sv,
    "xor_eq"sv,
};

// Functions with external linkage of the C library that programs and kernels are linked with: to define one of them
// would replace it. The common part of C11 and POSIX. Sorted.
constexpr std::string_view library_names[]{
    "abort"sv,     "abs"sv,         "accept"sv,   "access"sv,    "acos"sv,      "acosf"sv,
    "acosh"sv,     "acoshf"sv,      "alarm"sv,    "asctime"sv,   "asin"sv,      "asinf"sv,
    "asinh"sv,     "asinhf"sv,      "atan"sv,     "atan2"sv,     "atan2f"sv,    "atanf"sv,
    "atanh"sv,     "atanhf"sv,      "atexit"sv,   "atof"sv,      "atoi"sv,      "atol"sv,
    "atoll"sv,     "bcmp"sv,        "bcopy"sv,    "bind"sv,      "bsearch"sv,   "bzero"sv,
    "calloc"sv,    "cbrt"sv,        "cbrtf"sv,    "ceil"sv,      "ceilf"sv,     "chdir"sv,
    "chmod"sv,     "chown"sv,       "clearerr"sv, "clock"sv,     "close"sv,     "connect"sv,
    "copysign"sv,  "copysignf"sv,   "cos"sv,      "cosf"sv,      "cosh"sv,      "coshf"sv,
    "creat"sv,     "ctime"sv,       "difftime"sv, "div"sv,       "dlclose"sv,   "dlopen"sv,
    "dlsym"sv,     "dup"sv,         "dup2"sv,     "environ"sv,   "erf"sv,       "erfc"sv,
    "erfcf"sv,     "erff"sv,        "errno"sv,    "execl"sv,     "execv"sv,     "execve"sv,
    "exit"sv,      "exp"sv,         "exp2"sv,     "exp2f"sv,     "expf"sv,      "expm1"sv,
    "expm1f"sv,    "fabs"sv,        "fabsf"sv,    "fclose"sv,    "fcntl"sv,     "fdim"sv,
    "fdimf"sv,     "feof"sv,        "ferror"sv,   "fflush"sv,    "fgetc"sv,     "fgets"sv,
    "fileno"sv,    "floor"sv,       "floorf"sv,   "fma"sv,       "fmaf"sv,      "fmax"sv,
    "fmaxf"sv,     "fmin"sv,        "fminf"sv,    "fmod"sv,      "fmodf"sv,     "fopen"sv,
    "fork"sv,      "fprintf"sv,     "fputc"sv,    "fputs"sv,     "fread"sv,     "free"sv,
    "frexp"sv,     "fscanf"sv,      "fseek"sv,    "fstat"sv,     "fsync"sv,     "ftell"sv,
    "ftruncate"sv, "fwrite"sv,      "gamma"sv,    "getc"sv,      "getchar"sv,   "getcwd"sv,
    "getenv"sv,    "getline"sv,     "getopt"sv,   "getpid"sv,    "gmtime"sv,    "hypot"sv,
    "hypotf"sv,    "ilogb"sv,       "index"sv,    "ioctl"sv,     "isalnum"sv,   "isalpha"sv,
    "isdigit"sv,   "isspace"sv,     "j0"sv,       "j1"sv,        "jn"sv,        "kill"sv,
    "labs"sv,      "ldexp"sv,       "ldiv"sv,     "lgamma"sv,    "lgammaf"sv,   "link"sv,
    "listen"sv,    "llabs"sv,       "lldiv"sv,    "localtime"sv, "log"sv,       "log10"sv,
    "log10f"sv,    "log1p"sv,       "log1pf"sv,   "log2"sv,      "log2f"sv,     "logb"sv,
    "logf"sv,      "longjmp"sv,     "lrint"sv,    "lround"sv,    "lseek"sv,     "main"sv,
    "malloc"sv,    "memalign"sv,    "memchr"sv,   "memcmp"sv,    "memcpy"sv,    "memmove"sv,
    "mempcpy"sv,   "memset"sv,      "mkdir"sv,    "mktime"sv,    "mmap"sv,      "modf"sv,
    "mprotect"sv,  "munmap"sv,      "nan"sv,      "nanosleep"sv, "nearbyint"sv, "nextafter"sv,
    "open"sv,      "pause"sv,       "perror"sv,   "pipe"sv,      "poll"sv,      "posix_memalign"sv,
    "pow"sv,       "powf"sv,        "printf"sv,   "putc"sv,      "putchar"sv,   "puts"sv,
    "qsort"sv,     "raise"sv,       "rand"sv,     "random"sv,    "read"sv,      "realloc"sv,
    "recv"sv,      "remainder"sv,   "remove"sv,   "rename"sv,    "rewind"sv,    "rindex"sv,
    "rint"sv,      "rintf"sv,       "rmdir"sv,    "round"sv,     "roundf"sv,    "scalb"sv,
    "scalbn"sv,    "scanf"sv,       "select"sv,   "send"sv,      "setenv"sv,    "setjmp"sv,
    "signal"sv,    "significand"sv, "sin"sv,      "sincos"sv,    "sinf"sv,      "sinh"sv,
    "sinhf"sv,     "sleep"sv,       "snprintf"sv, "socket"sv,    "sprintf"sv,   "sqrt"sv,
    "sqrtf"sv,     "srand"sv,       "sscanf"sv,   "stat"sv,      "stderr"sv,    "stdin"sv,
    "stdout"sv,    "strcat"sv,      "strchr"sv,   "strcmp"sv,    "strcpy"sv,    "strdup"sv,
    "strerror"sv,  "strlen"sv,      "strncmp"sv,  "strncpy"sv,   "strrchr"sv,   "strstr"sv,
    "strtod"sv,    "strtof"sv,      "strtok"sv,   "strtol"sv,    "strtoul"sv,   "symlink"sv,
    "sync"sv,      "syscall"sv,     "sysconf"sv,  "system"sv,    "tan"sv,       "tanf"sv,
    "tanh"sv,      "tanhf"sv,       "tgamma"sv,   "time"sv,      "times"sv,     "tmpfile"sv,
    "tolower"sv,   "toupper"sv,     "trunc"sv,    "truncate"sv,  "truncf"sv,    "umask"sv,
    "uname"sv,     "ungetc"sv,      "unlink"sv,   "usleep"sv,    "vprintf"sv,   "wait"sv,
    "waitpid"sv,   "write"sv,       "y0"sv,       "y1"sv,        "yn"sv,
};

// What <stddef.h> and <stdint.h>, which the header includes, define by names that follow no pattern. Sorted.
constexpr std::array header_names{"NULL"sv,           "PTRDIFF_MAX"sv, "PTRDIFF_MIN"sv, "SIG_ATOMIC_MAX"sv,
                                  "SIG_ATOMIC_MIN"sv, "SIZE_MAX"sv,    "WCHAR_MAX"sv,   "WCHAR_MIN"sv,
                                  "WINT_MAX"sv,       "WINT_MIN"sv,    "max_align_t"sv, "offsetof"sv,
                                  "ptrdiff_t"sv,      "size_t"sv};

constexpr std::array generated_parameters{"packed"sv, "stream"sv, "workspace"sv, "y"sv};

constexpr std::array suffixes{"_cuda"sv,
                              "_cuda_host"sv,
                              "_cuda_host_workspace_bytes"sv,
                              "_cuda_info"sv,
                              "_cuda_pack"sv,
                              "_cuda_packed_bytes"sv,
                              "_cuda_workspace_bytes"sv,
                              "_info"sv,
                              "_opencl"sv,
                              "_opencl_host"sv,
                              "_opencl_host_workspace_bytes"sv,
                              "_opencl_info"sv,
                              "_opencl_pack"sv,
                              "_opencl_packed_bytes"sv,
                              "_opencl_workspace_bytes"sv,
                              "_pack"sv,
                              "_packed_bytes"sv,
                              "_weights"sv,
                              "_workspace_bytes"sv};

bool contains(std::span<const std::string_view> sorted, std::string_view name) {
    return std::binary_search(sorted.begin(), sorted.end(), name);
}

static_assert(std::is_sorted(header_names.begin(), header_names.end()));
static_assert(std::is_sorted(keywords.begin(), keywords.end()));
static_assert(std::is_sorted(std::begin(library_names), std::end(library_names)));

// int32_t, UINT_FAST8_MAX, INT64_C and all that the C standard keeps for <stdint.h>.
bool is_header_name(std::string_view name) {
    if (contains(header_names, name)) return true;
    if (name.starts_with("int") || name.starts_with("uint")) return name.ends_with("_t");
    if (!name.starts_with("INT") && !name.starts_with("UINT")) return false;
    return name.ends_with("_MAX") || name.ends_with("_MIN") || name.ends_with("_C");
}

bool is_reserved_identifier(std::string_view name) {
    if (name.starts_with("__")) return true;
    return name.size() > 1 && name[0] == '_' && std::isupper(static_cast<unsigned char>(name[1])) != 0;
}

}  // namespace

std::optional<std::string_view> why_reserved_function(std::string_view name) {
    if (contains(keywords, name)) return "a keyword of C or C++";
    if (contains(library_names, name)) return "a name of the C library";
    if (name.starts_with("pthread_")) return "reserved for the C library's threads";
    if (is_header_name(name)) return "a name of <stddef.h> or <stdint.h>";
    // At file scope C keeps every name that begins so: _start, _end, _exit.
    if (name.starts_with("_")) return "reserved for the C implementation";
    if (name.starts_with("convc_")) return "reserved for convc";
    if (name.starts_with("halide_")) return "reserved for Halide";
    return std::nullopt;
}

std::optional<std::string_view> why_reserved_parameter(std::string_view name) {
    if (contains(keywords, name)) return "a keyword of C or C++";
    if (contains(generated_parameters, name)) return "another parameter of the kernel's function";
    if (is_header_name(name)) return "a name of <stddef.h> or <stdint.h>";
    if (is_reserved_identifier(name)) return "reserved for the C implementation";
    return std::nullopt;
}

std::span<const std::string_view> derived_suffixes() {
    return suffixes;
}

}  // namespace convc::sema
