// NAME.schedules beside NAME.conv: winners of a search, a line each, for source control.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/session.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/source.h"
#include "convc/schedule.h"

namespace convc {

struct FoundSchedule {
    std::string layer;   // a Layer's name
    std::string target;  // as it shall be written
    std::vector<Schedule> schedules;
};

// The file's text with these in it: in place of the statements for the same layer and target, the others at the end.
// All else, comments too, stays as it is. `module` is what was read of the file.
std::string with_schedules(const SourceFile &file, const CheckedModule &module,
                           const std::vector<FoundSchedule> &found);

// Puts one into the file beside the layers that `argument` names, as that file is now: other runs may be writing to it
// too, one at a time.
Status add_to_schedules_file(Session &session, const std::string &argument, const FoundSchedule &found);

// The same with a file that holds nothing but statements, a line each, and has no layers beside it.
Status add_to_statements(const std::string &file, const FoundSchedule &found);

// net.conv -> net.schedules
std::string schedules_file_of(const std::string &file);

}  // namespace convc
