// convert and quantize onto a small file system of their own that runs full meanwhile, in a mount namespace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/weights/bundle.hpp"
#include "pipeline/weights/convert.hpp"
#include "pipeline/weights/quantize.hpp"
#include "tests/support/small_disk.hpp"
#include "tests/weights/saved_bundle.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::TemporaryFolder;

constexpr std::uintmax_t kRoom = 64 << 20;

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    // Once for the process: it stays in the namespace.
    static const std::string problem = test::enter_mount_namespace();
    if (!problem.empty()) GTEST_SKIP() << "no mount namespace for a small file system (" << problem << ")";
    disk_.emplace(folder_ / "disk", kRoom);
    fs::create_directory(place());
  }

  fs::path place() const { return disk_->data() / "place"; }
  fs::path target() const { return place() / "new"; }
  fs::path ballast() const { return disk_->data() / "ballast"; }
  void fill() const {
    std::ofstream(ballast()) << std::string(fs::space(disk_->data()).available, 'x');
    ASSERT_LE(fs::space(disk_->data()).available, 4096U);
  }
  std::vector<std::string> left_over() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(place())) names.push_back(entry.path().filename().string());
    return names;
  }
  /// Takes all room when the first part is begun, and expects the writing to fail; then again with room.
  template <typename Request, typename Write>
  void expect_all_or_nothing(Request request, const Write& write) const {
    request.source = saved_.path();
    request.target = target();
    bool filled = false;
    request.on_part = [&](const std::string&, std::uint64_t) {
      if (!std::exchange(filled, true)) fill();
    };
    EXPECT_THAT(message_of<WeightError>([&] { write(request); }),
                AllOf(HasSubstr(place().string()), HasSubstr("No space left on device")));
    EXPECT_TRUE(filled);
    EXPECT_THAT(left_over(), IsEmpty()) << "neither the bundle nor what it was built in";
    fs::remove(ballast());
    write(request);
    EXPECT_THAT(left_over(), ElementsAre("new"));
    EXPECT_THAT(Bundle::open(target()).missing_parts(), IsEmpty());
  }

  TemporaryFolder folder_;
  std::optional<test::SmallDisk> disk_;
  const testing::SavedBundle saved_{"t2v"};
};

TEST_F(FullDisk, ConvertLeavesNothingAndSaysWhichDisk) {
  expect_all_or_nothing(ConvertRequest(), [](const ConvertRequest& request) { convert(request); });
}

TEST_F(FullDisk, QuantizeLeavesNothingAndSaysWhichDisk) {
  expect_all_or_nothing(QuantizeRequest(), [](const QuantizeRequest& request) { quantize(request); });
}

TEST_F(FullDisk, WhatCannotFitIsRefusedByTheProgramBeforeItWrites) {
  fill();
  const fs::path log = folder_ / "log";
  for (const std::string words : {"convert ", "quantize --format int8 "}) {
    const std::string command = "'" REELFARM_BIN_DIR "/reelfarm-bundle' " + words + saved_.path().string() + " --to " +
                                target().string() + " > " + log.string() + " 2>&1";
    const int status = std::system(command.c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 2) << words;
    std::ostringstream text;
    text << std::ifstream(log).rdbuf();
    EXPECT_THAT(text.str(), AllOf(HasSubstr(target().string() + " needs"), HasSubstr("its file system has"))) << words;
    EXPECT_THAT(left_over(), IsEmpty()) << words;
  }
}

}  // namespace
}  // namespace reelfarm::weights
