// Winners of searches that come with convc: schedules/tuned/*.conv, embedded. See schedules/tuned/README.md.
#pragma once

#include <string_view>
#include <vector>

#include "convc/layer.h"
#include "convc/schedule.h"
#include "convc/target.h"

namespace convc {

// The texts of the files.
extern const std::vector<std::string_view> shipped_schedule_texts;

// A layer, the target that its statement names, and its schedules.
struct ShippedSchedule {
    std::string layer;  // canonical line
    std::string target;
    std::vector<Schedule> groups;
};

// All of them, read at the first call.
const std::vector<ShippedSchedule> &shipped_schedules();

// The one for this layer, whatever its name, that fits the target best; nullptr where there is none.
const ShippedSchedule *find_shipped(const Layer &layer, const Target &target);

}  // namespace convc
