#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/weights/config.hpp"
#include "pipeline/weights/lora.hpp"
#include "pipeline/weights/manifest.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::weights {

/// A folder with all weights of a model, in the diffusers layout. See docs/bundle.md.
class Bundle {
 public:
  /// Reads model_index.json, the configurations and reelfarm.json; maps no weights. Throws WeightError.
  static Bundle open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  const BundleManifest& manifest() const { return manifest_; }

  /// Folder of a component, whether it exists or not.
  std::filesystem::path folder(const std::string& component) const { return path_ / component; }

  /// Components with a folder that this version uses, sorted.
  std::vector<std::string> components() const;

  /// Those of components() that have weights.
  std::vector<std::string> weighted_components() const;

  /// Component name -> class name, for those that model_index.json lists.
  const std::map<std::string, std::string>& classes() const { return classes_; }

  /// The component's configuration: config.json, scheduler_config.json or preprocessor_config.json.
  Config config(const std::string& component) const;

  /// Adds LoRAs to the video transformer, after those that are there already. Opens them and reads no values. Throws
  /// WeightError for ones that do not fit.
  void add_loras(const std::vector<Lora>& loras);
  const std::vector<Lora>& loras() const { return loras_; }

  /// Maps the component's weights.
  std::shared_ptr<const TensorSource> tensors(const std::string& component) const;

  /// What the family needs and the folder has not, one line each; empty for a complete bundle. Looks at names only.
  std::vector<std::string> missing_parts() const;

  /// Throws WeightError that lists missing_parts().
  void require_complete() const;

 private:
  Bundle(std::filesystem::path path, std::map<std::string, std::string> classes, BundleManifest manifest);

  std::filesystem::path path_;
  std::map<std::string, std::string> classes_;
  BundleManifest manifest_;
  std::vector<Lora> loras_;
};

}  // namespace reelfarm::weights
