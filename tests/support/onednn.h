// oneDNN's answer to a layer, stage by stage: an oracle that shares no code, no author and no language with the
// reference.
#pragma once

#include <optional>

#include "convc/layer.h"
#include "tests/support/layer_data.h"

namespace convc::test {

// Every stage and pad mode, with epilogues but the smooth ones, in which oneDNN promises less than the language does. A
// layer of run-time extents must have been given them.
bool onednn_computes(const Layer &layer);

// nullopt where oneDNN has no implementation for it.
std::optional<Tensor> onednn_output(const Layer &layer, const LayerData &data);

// oneDNN's answer to real numbers as the expected one. It is within the reference's bound of the exact result, and so
// is a kernel that is right: they differ by up to twice that.
ReferenceResult as_expected(const Tensor &onednn, const ReferenceResult &reference);

}  // namespace convc::test
