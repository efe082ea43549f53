#pragma once

#include <string>
#include <vector>

namespace reelfarm::weights::detail {

/// The model that a set of names looks like when it is none of ours: "Wan", "LTX-Video", "FLUX", ..., "a LoRA"; empty
/// when it looks like none. Wrappers are taken off the names before.
std::string looks_like(const std::vector<std::string>& names);

/// The model that a LoRA was made for when it is none of ours, as the names of its layers say; empty when they say
/// nothing. Those of FLUX fit a part of HunyuanVideo's, shapes and all: a LoRA that changes exactly its 19 and 38
/// blocks of a model with more is taken for one. `model` are the layers of the transformer that it was given for.
std::string lora_looks_like(const std::vector<std::string>& layers, const std::vector<std::string>& model);

}  // namespace reelfarm::weights::detail
