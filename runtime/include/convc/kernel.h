// A Kernel: object code and its contract. The same objects go into the archive of `convc compile`, into the kernel
// cache and through the JIT; everything a caller has to know is inside them, in the convc_kernel_info that NAME_info()
// returns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convc {

struct ObjectFile {
    std::string name;   // member name in the archive: "res2_3x3.o"
    std::string bytes;  // a relocatable ELF file
};

struct Kernel {
    std::string symbol;          // C name and prefix of every symbol: "res2_3x3"
    std::string canonical_line;  // the layer
    std::string schedule;        // print_schedules() of the plan
    std::string origin;          // "pinned", "tuned", "default"
    std::string target;          // Target::full_name()
    uint64_t packed_bytes = 0;
    uint64_t workspace_bytes = 0;  // 0 where run-time extents decide it
    std::vector<ObjectFile> objects;
};

}  // namespace convc
