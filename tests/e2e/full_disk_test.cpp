// A disk that runs full while a window is written: on a small file system of its own, in a mount namespace.
#include <gtest/gtest.h>

#include <fstream>
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

TEST(FullDisk, PausesTheGroupWhichSaysSoAndGoesOnWhenThereIsRoom) {
  if (const std::string problem = test::enter_mount_namespace(); !problem.empty()) {
    GTEST_SKIP() << "no mount namespace for a small file system (" << problem << ")";
  }
  const test::SmallDisk disk(scratch("disk"), 8 << 20);
  Farm farm(kReference / "latent_concat", "", disk.data());
  const fs::path jobs = farm.data() / "jobs";
  const std::string enqueue = "enqueue --prompt 'a cat' --seed 3 --image " + (kReference / "photo.png").string();

  // The photograph itself does not fit: refused, and nothing is queued.
  fill(jobs / "ballast", 100 << 10);
  const Result refused = farm.run(enqueue + " --frames 17");
  EXPECT_EQ(refused.exit_code, 2) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("No space left on device"), std::string::npos) << refused.err;
  EXPECT_NE(farm.run("status").out.find("no jobs"), std::string::npos);
  fs::remove(jobs / "ballast");
  EXPECT_EQ(farm.run(enqueue + " --frames 17 --wait").exit_code, 0);

  // The photograph is there; room for the plan and some of three windows of 17 frames, 0.1 to 0.35 MB each.
  fill(jobs / "ballast", 400 << 10);
  const std::string job = farm.json(enqueue + " --frames 49")["job"];
  ASSERT_TRUE(eventually([&] {
    const nlohmann::json groups = farm.json("groups");
    return groups.dump().find("is full") != std::string::npos;
  })) << farm.json("groups").dump()
      << farm.status(job).dump();
  const nlohmann::json before = farm.status(job);
  EXPECT_EQ(before["state"], "running") << before.dump();
  ASSERT_EQ(before["windows"].size(), 3u);

  fs::remove(jobs / "ballast");
  ASSERT_TRUE(eventually([&] { return farm.status(job)["state"] == "done"; })) << farm.status(job).dump();
  const nlohmann::json after = farm.status(job);
  for (std::size_t j = 0; j < 3; ++j) {
    if (before["windows"][j]["state"] == "done") {
      EXPECT_EQ(after["windows"][j]["attempt"], before["windows"][j]["attempt"]) << "window " << j << " ran again";
    }
  }
  EXPECT_EQ(probe(after["output"].get<std::string>())["nb_read_frames"], "49");
}

}  // namespace
}  // namespace reelfarm::e2e
