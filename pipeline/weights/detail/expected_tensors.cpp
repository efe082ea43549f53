#include "pipeline/weights/detail/expected_tensors.hpp"

#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/near_match.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights::detail {

void ExpectedTensors::linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias) {
  tensor(name + ".weight", {out, in});
  if (bias) tensor(name + ".bias", {out});
}

void ExpectedTensors::norm(const std::string& name, std::int64_t size) {
  tensor(name + ".weight", {size});
  tensor(name + ".bias", {size});
}

void ExpectedTensors::conv3d(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t t,
                             std::int64_t k) {
  tensor(name + ".weight", {out, in, t, k, k});
  tensor(name + ".bias", {out});
}

std::vector<std::string> ExpectedTensors::differences(const TensorSource& source, bool only_these) const {
  std::vector<std::string> lines;
  const std::vector<std::string> names = source.names();
  for (const auto& [name, shape] : shapes_) {
    const TensorInfo* found = source.find(name);
    if (found == nullptr) {
      lines.push_back(source.path().string() + ": tensor \"" + name + "\" is missing, expected shape " +
                      shown(nlohmann::json(shape)) + did_you_mean(name, names));
    } else if (found->shape != shape) {
      lines.push_back(found->file + ": tensor \"" + name + "\": expected shape " + shown(nlohmann::json(shape)) +
                      ", found " + shown(nlohmann::json(found->shape)));
    }
  }
  if (!only_these) return lines;
  for (const std::string& name : names)
    if (!shapes_.contains(name))
      lines.push_back(source.at(name).file + ": tensor \"" + name + "\" is unknown to a model of this configuration");
  return lines;
}

}  // namespace reelfarm::weights::detail
