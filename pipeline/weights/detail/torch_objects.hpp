#pragma once

#include "pipeline/weights/detail/pickle_reader.hpp"

namespace reelfarm::weights::detail {

/// What torch.save makes tensors of: storages, views of them, parameters, ordered dictionaries, sizes and dtypes.
class TorchObjects : public PickleRules {
 public:
  bool allows(std::string_view global) const override;
  PickleValue call(const std::string& global, const std::vector<const PickleValue*>& arguments,
                   const std::string& where) const override;
  /// ("storage", class, key, device, elements)
  PickleValue persistent(const PickleValue& id, const std::string& where) const override;
};

}  // namespace reelfarm::weights::detail
