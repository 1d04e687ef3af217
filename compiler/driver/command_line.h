// The command line as a whole: from arguments to exit status.
#pragma once

namespace convc {

int run_command_line(int argc, char **argv);

}  // namespace convc
