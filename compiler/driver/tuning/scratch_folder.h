// A folder of temporary files that is gone with the run, and that a later run removes where this one was killed.
#pragma once

#include <string>

namespace convc {

class ScratchFolder {
public:
    ScratchFolder();  // path() is empty where none could be made
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder &) = delete;
    ScratchFolder &operator=(const ScratchFolder &) = delete;

    const std::string &path() const { return path_; }

private:
    std::string path_;
    int lock_ = -1;  // held while it lives: the system lets go of it however the process ends
};

}  // namespace convc
