#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::weights {

/// What a set of tensors is, as their names say; the name of the file says nothing.
struct WeightForm {
  enum class Part { transformer, vae, other };

  Part part = Part::other;
  std::string names = "diffusers";    ///< whose names the tensors have
  std::vector<std::string> wrappers;  ///< what stood before them and was taken off: "module.", ...
  std::vector<std::string> aside;     ///< tensors of other parts, which were left out
  bool overlay = false;               ///< a part of a transformer, to be laid over a whole one
  bool scaled = false;                ///< 8-bit weights with scales

  /// "a transformer with Tencent's names under module."
  std::string description() const;
};

}  // namespace reelfarm::weights
