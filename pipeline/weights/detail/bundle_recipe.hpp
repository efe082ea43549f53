#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/weights/bundle.hpp"
#include "pipeline/weights/convert.hpp"

namespace reelfarm::weights::detail {

/// A part of a bundle that is to be written.
struct PlannedPart {
  std::shared_ptr<const TensorSource> source;   ///< null: no weights
  std::shared_ptr<const TensorSource> overlay;  ///< tensors that take the place of the source's; null: none
  /// Makes of all that what is to be written; empty: it stays as it is. Reads no values.
  std::function<std::vector<TensorInfo>(const std::vector<TensorInfo>&)> change;
  std::string only;                             ///< the source's tensors that begin so; empty: all
  std::map<std::string, nlohmann::json> files;  ///< to be written
  std::filesystem::path folder;                 ///< whose other files are copied; empty: none
  std::vector<std::string> names;               ///< of those files; empty: all

  /// Whether the source's files can be taken as they are.
  bool plain() const;
  /// What is to be written, under our names. Throws WeightError for an overlay that does not fit.
  std::vector<TensorInfo> tensors() const;
};

/// All parts of the bundle that a request asks for.
struct BundleRecipe {
  std::map<std::string, PlannedPart> parts;
  nlohmann::json index;                    ///< model_index.json
  std::optional<nlohmann::json> reelfarm;  ///< reelfarm.json
};

/// Finds all parts and checks that they fit each other. Writes nothing. Throws WeightError that names what is missing
/// and how to give it.
BundleRecipe plan_bundle(const ConvertRequest& request);

}  // namespace reelfarm::weights::detail
