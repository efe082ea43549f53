#pragma once

#include <cstddef>
#include <string>

namespace reelfarm::weights::detail {

/// What a transformer's tensor is, under the names of diffusers.
enum class WeightKind {
  product,     ///< a matrix of a block, multiplied with every token
  modulation,  ///< a matrix of a block, multiplied once a prompt
  rest,
};

WeightKind kind_of(const std::string& name, std::size_t dimensions);

}  // namespace reelfarm::weights::detail
