// Groups are independent work: a layer whose stages are all cut into groups falls into layers that know nothing of one
// another. Each takes a run of channels of the input, of the further tensors and of the weights, and makes a run of
// channels of the output.
//
//     if (const auto obstacle = obstacle_to_split(layer)) ...       // why it cannot be done, and at which stage
//     Result<std::vector<LayerPart>> parts = split_layer(layer, 2);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// [begin, end) of `whole` channels, groups, or rows of a parameter.
struct Share {
    int64_t begin = 0;
    int64_t end = 0;
    int64_t whole = 0;

    bool is_whole() const { return begin == 0 && end == whole; }
    bool operator==(const Share &) const = default;
};

// A layer of its own, and where what it reads and makes lies in the whole.
struct LayerPart {
    Layer layer;                // named NAME_part0, NAME_part1, ...
    Share groups;               // of the groups of the whole chain
    std::vector<Share> inputs;  // channels, one a tensor of Layer::inputs; all of one that is repeated over channels
    std::vector<Share> parameters;  // of dimension 0, one a parameter of Layer::parameters()
    Share output;                   // channels
};

// How many parts the layer falls into at most: the groups that all of its stages have in common. A chain can be cut
// between channels where each of its stages has a boundary between groups. Cut j of g lies at j/g of the channels,
// before a stage and behind it, so the common ones are the multiples of 1 / gcd.
int64_t common_groups(const Layer &layer);

struct SplitObstacle {
    int stage = 0;
    std::string reason;
};
std::optional<SplitObstacle> obstacle_to_split(const Layer &layer);  // where common_groups() is 1

// In the order of their channels. Where `parts` does not divide the groups, the first ones get one group more. More
// parts than groups, or fewer than one, are Failure::usage.
Result<std::vector<LayerPart>> split_layer(const Layer &layer, int64_t parts);

}  // namespace convc
