// The convc executable.
#include "compiler/driver/command_line.h"

int main(int argc, char **argv) {
    return convc::run_command_line(argc, argv);
}
