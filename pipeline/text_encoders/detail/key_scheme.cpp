#include "pipeline/text_encoders/detail/key_scheme.hpp"

#include <string>

namespace reelfarm::text_encoders::detail {

nn::ParameterReader scope_that_has(const nn::ParameterReader& reader, std::initializer_list<std::string_view> scopes,
                                   std::string_view probe) {
  std::string tried;
  for (const std::string_view scope : scopes) {
    nn::ParameterReader candidate = scope.empty() ? reader : reader.scope(scope);
    if (candidate.has(probe)) return candidate;
    tried += (tried.empty() ? "" : ", ") + candidate.full_name(probe);
  }
  throw weights::WeightError("none of the tensors " + tried +
                             " is there; do the config and the weights belong together?");
}

}  // namespace reelfarm::text_encoders::detail
