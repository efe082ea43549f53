#pragma once

#include <initializer_list>
#include <string_view>

#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::text_encoders::detail {

/// The first of `scopes` below which `probe` is stored; "" stands for the reader itself. Versions of transformers save
/// one model under different prefixes. Throws weights::WeightError that lists the names that were tried.
nn::ParameterReader scope_that_has(const nn::ParameterReader& reader, std::initializer_list<std::string_view> scopes,
                                   std::string_view probe);

}  // namespace reelfarm::text_encoders::detail
