// A disk that runs full while a window is written: on a small file system of its own, in a mount namespace.
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>

#include "tests/e2e/farm.hpp"
#include "tests/support/small_disk.hpp"

namespace reelfarm::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";

/// Leaves `free` bytes of the file system that `file` is on.
void fill(const fs::path& file, std::uintmax_t free) {
  const std::uintmax_t available = fs::space(file.parent_path()).available;
  ASSERT_GT(available, free);
  std::ofstream(file) << std::string(available - free, 'x');
}

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string problem = test::enter_mount_namespace(); !problem.empty()) {
      GTEST_SKIP() << "no mount namespace for a small file system (" << problem << ")";
    }
    disk_.emplace(scratch("disk"), 64 << 20);
    farm_.emplace(kReference / "latent_concat", "", disk_->data());
  }

  fs::path ballast() const { return farm_->data() / "jobs" / "ballast"; }

  static std::string enqueue(const std::string& more) {
    return "enqueue --prompt 'a cat' --seed 3 --image " + (kReference / "photo.png").string() + " " + more;
  }

  bool why_says(const std::string& job, const std::string& words) const {
    return farm_->run("why " + job).out.find(words) != std::string::npos;
  }

  testing::AssertionResult ends_well(const std::string& job, const std::string& frames) const {
    if (!eventually([&] { return farm_->status(job)["state"] == "done"; })) {
      return testing::AssertionFailure() << farm_->status(job).dump() << farm_->run("why " + job).out;
    }
    const nlohmann::json video = probe(farm_->status(job)["output"].get<std::string>());
    if (video["nb_read_frames"] != frames) return testing::AssertionFailure() << video.dump();
    return testing::AssertionSuccess();
  }

  std::optional<test::SmallDisk> disk_;
  std::optional<Farm> farm_;
};

TEST_F(FullDisk, IsAnErrorAtSubmitAWaitBeforeTheStartAndAPauseWhileRendering) {
  // The photograph itself does not fit: refused, and nothing is queued.
  fill(ballast(), 100 << 10);
  const Result refused = farm_->run(enqueue("--frames 17"));
  EXPECT_EQ(refused.exit_code, 2) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("No space left on device"), std::string::npos) << refused.err;
  EXPECT_NE(farm_->run("status").out.find("no jobs"), std::string::npos);
  fs::remove(ballast());
  EXPECT_EQ(farm_->run(enqueue("--frames 17 --wait")).exit_code, 0);

  // The photograph is there; what the windows may need is not free.
  fill(ballast(), 2 << 20);
  const std::string waiting = farm_->json(enqueue("--frames 49 --accept-timeout 1"))["job"];
  ASSERT_TRUE(eventually([&] { return why_says(waiting, "disk"); })) << farm_->run("why " + waiting).out;
  EXPECT_EQ(farm_->status(waiting)["state"], "submitted");
  fs::remove(ballast());
  EXPECT_TRUE(ends_well(waiting, "49"));

  // Full while windows are rendered: what is done stays, the rest waits, and nothing fails.
  const std::string job = farm_->json(enqueue("--frames 160 --steps 60"))["job"];
  ASSERT_TRUE(eventually([&] {
    const nlohmann::json windows = farm_->status(job)["windows"];
    return !windows.empty() && windows[0]["state"] == "done";
  }));
  fill(ballast(), 100 << 10);
  ASSERT_TRUE(eventually([&] { return why_says(job, "disk"); })) << farm_->run("why " + job).out;
  const nlohmann::json before = farm_->status(job);
  EXPECT_EQ(before["state"], "running") << before.dump();
  EXPECT_NE(before["windows"].back()["state"], "done");
  fs::remove(ballast());
  EXPECT_TRUE(ends_well(job, "160"));
  const nlohmann::json after = farm_->status(job);
  for (std::size_t j = 0; j < before["windows"].size(); ++j) {
    if (before["windows"][j]["state"] != "done") continue;
    EXPECT_EQ(after["windows"][j]["attempt"], before["windows"][j]["attempt"]) << "window " << j << " ran again";
  }
}

}  // namespace
}  // namespace reelfarm::e2e
