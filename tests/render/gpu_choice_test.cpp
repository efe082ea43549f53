#include "pipeline/render/gpu_choice.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::render {
namespace {

/// A machine with so many GPUs.
auto machine(int gpus) {
  return [gpus](const std::string& name) { return std::stoi(name) < gpus; };
}

TEST(GpuChoice, UsersOfOneMachineTakeEachTheirOwn) {
  for (int place = 0; place < 4; ++place) EXPECT_EQ(gpu_at(place, "", machine(4)), std::to_string(place));
}

TEST(GpuChoice, MoreUsersThanGpusShareThemInTurn) {
  EXPECT_EQ(gpu_at(4, "", machine(4)), "0");
  EXPECT_EQ(gpu_at(7, "", machine(3)), "1");
}

TEST(GpuChoice, OfWhatIsVisibleOnlyThatIsTaken) {
  const auto never = [](const std::string&) -> bool { throw std::logic_error("what is visible was not listed"); };
  EXPECT_EQ(gpu_at(0, "2,GPU-8f6e,5", never), "2");
  EXPECT_EQ(gpu_at(1, "2,GPU-8f6e,5", never), "GPU-8f6e");
  EXPECT_EQ(gpu_at(3, "2,GPU-8f6e,5", never), "2");
}

TEST(GpuChoice, AMachineWithoutGpusHasNone) {
  EXPECT_EQ(gpu_at(2, "", machine(0)), "");
}

TEST(GpuChoice, TheDriverIsAskedForOneGpuAtATime) {
  EXPECT_FALSE(gpu_exists("4095"));
  EXPECT_EQ(gpu_exists("0"), nn::cuda_device_present());
}

}  // namespace
}  // namespace reelfarm::render
