#include "pipeline/weights/detail/weight_kind.hpp"

namespace reelfarm::weights::detail {

WeightKind kind_of(const std::string& name, std::size_t dimensions) {
  const bool block = name.starts_with("transformer_blocks.") || name.starts_with("single_transformer_blocks.");
  if (!block || dimensions != 2 || !name.ends_with(".weight")) return WeightKind::rest;
  for (const char* modulation : {".norm1.linear.", ".norm1_context.linear.", ".norm.linear."})
    if (name.find(modulation) != std::string::npos) return WeightKind::modulation;
  return WeightKind::product;
}

}  // namespace reelfarm::weights::detail
