// Some consecutive stages of a layer as a layer of their own: what is timed where a chain may be divided in many ways.
#pragma once

#include "convc/layer.h"

namespace convc {

// Its input is what the first of them reads; tensors of their epilogues follow.
Layer stages_of_layer(const Layer &layer, int first, int count);

}  // namespace convc
