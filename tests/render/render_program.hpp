#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace reelfarm::render_test {

struct Floats {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// An fp32 tensor of a safetensors file.
Floats read(const std::filesystem::path& file, const std::string& name);

/// |found - expected| / |expected|.
double relative_error(const std::vector<float>& found, const std::vector<float>& expected);

struct Outcome {
  int exit_code = -1;
  std::string output;  ///< stdout and stderr together
};

/// Runs a shell command in which `reelfarm-render` is the one of this build.
Outcome shell(const std::string& command);

/// `reelfarm-render ARGUMENTS`.
Outcome render(const std::string& arguments);

}  // namespace reelfarm::render_test
