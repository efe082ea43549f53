#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "pipeline/weights/config.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::weights::detail {

/// What decides whether tensors fit: config.json as diffusers would have written it for a HunyuanVideo transformer with
/// these shapes. `condition` is its image_condition_type where shapes leave a choice ("none" or "token_replace").
/// Throws WeightError where shapes say nothing: the axes of the rotary embedding of a head that is not 128 wide.
nlohmann::json inferred_transformer(const TensorSource& source, const std::string& condition);

/// The same for HunyuanVideo's VAE.
nlohmann::json inferred_vae(const TensorSource& source);

/// "latent_concat" for a transformer that takes an image beside its latents, nothing for one that may be either of the
/// others: text-to-video and token replace have the same tensors.
std::optional<std::string> condition_of(const TensorSource& source);

/// Layers of a kind, as the names count them: "transformer_blocks." -> 20.
int count_of(const TensorSource& source, const std::string& scope);

/// Throws WeightError that lists what of `source` does not fit `config` (the first ten lines).
void require_fit(const TensorSource& source, const std::string& part, const Config& config);

}  // namespace reelfarm::weights::detail
