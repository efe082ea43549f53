#include "cli/gpus.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_folder.hpp"

namespace reelfarm::cli {
namespace {

TEST(CountGpus, TakesTheDriversDeviceFiles) {
  const test::TemporaryFolder devices;
  EXPECT_EQ(count_gpus(nullptr, devices.path()), 0);
  EXPECT_EQ(count_gpus(nullptr, devices.path() / "none"), 0);
  for (const char* name : {"nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm", "nvidia", "null"}) {
    std::ofstream(devices.path() / name) << "";
  }
  EXPECT_EQ(count_gpus(nullptr, devices.path()), 3);
}

TEST(CountGpus, AsManyAsTheEnvironmentShows) {
  const test::TemporaryFolder devices;
  std::ofstream(devices.path() / "nvidia0") << "";
  EXPECT_EQ(count_gpus("2,3", devices.path()), 2);
  EXPECT_EQ(count_gpus("GPU-8932f937-d72c,1", devices.path()), 2);
  EXPECT_EQ(count_gpus("", devices.path()), 0);
  EXPECT_EQ(count_gpus("-1", devices.path()), 0);
  EXPECT_EQ(count_gpus("0,-1,1", devices.path()), 1);
}

}  // namespace
}  // namespace reelfarm::cli
