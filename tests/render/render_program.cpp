#include "tests/render/render_program.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "pipeline/weights/tensor_source.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::render_test {

Floats read(const std::filesystem::path& file, const std::string& name) {
  const auto source = weights::TensorSource::open(file);
  const weights::TensorInfo& info = source->at(name);
  EXPECT_EQ(info.dtype, weights::DType::f32) << file << " " << name;
  Floats floats{info.shape, std::vector<float>(info.bytes.size() / sizeof(float))};
  std::memcpy(floats.values.data(), info.bytes.data(), info.bytes.size());
  return floats;
}

double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found.at(i)) - expected[i], 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / size);
}

Outcome shell(const std::string& command) {
  const test::TemporaryFolder folder;
  const std::filesystem::path log = folder / "log";
  const std::string path = std::string("PATH=") + REELFARM_BIN_DIR + ":$PATH; ";
  const int status = std::system((path + command + " > " + log.string() + " 2>&1 < /dev/null").c_str());
  std::ifstream stream(log);
  std::ostringstream text;
  text << stream.rdbuf();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text.str()};
}

Outcome render(const std::string& arguments) {
  return shell("reelfarm-render " + arguments);
}

}  // namespace reelfarm::render_test
