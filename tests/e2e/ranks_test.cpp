// A farm whose group renders each window over two ranks.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/e2e/farm.hpp"

namespace reelfarm::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kBundle = fs::path(REELFARM_SOURCE_DIR) / "bundles" / "demo";
/// Ring of two: the mesh that merges what the ranks found, and so is not one rank's to the bit.
const std::string kTwoRanks = "--dtype fp32 --ranks 2 --mesh 1x2";
/// Three windows, the first from a frame that the prompt makes.
const std::string kJob =
    "enqueue --prompt 'a red circle moves right' --frames 60 --window 25 --overlap 5 --size 96x64 --steps 16 --seed 11";

/// Window by window the 8-bit RGB frames that were published, before any encoding that loses something.
std::string published_frames(const Farm& farm, const std::string& job) {
  std::vector<fs::path> windows;
  for (const auto& entry : fs::directory_iterator(farm.data() / "jobs" / job / "windows")) {
    if (fs::exists(entry.path() / "frames.mkv")) windows.push_back(entry.path() / "frames.mkv");
  }
  std::ranges::sort(windows);
  std::string frames;
  for (const fs::path& window : windows) {
    frames += shell("ffmpeg -v error -i " + window.string() + " -f rawvideo -pix_fmt rgb24 -").out;
  }
  return frames;
}

/// The process of a rank other than the one that the agent talks to.
std::vector<pid_t> second_ranks(const Farm& farm) {
  std::vector<pid_t> found;
  for (const pid_t pid : farm.processes("reelfarm-ranks")) {
    const std::string environment = content("/proc/" + std::to_string(pid) + "/environ");
    if (environment.find("OMPI_COMM_WORLD_RANK=1") != std::string::npos) found.push_back(pid);
  }
  return found;
}

bool is_gone(pid_t pid) {
  const std::string stat = content("/proc/" + std::to_string(pid) + "/stat");
  return stat.empty() || stat.find(") Z ") != std::string::npos;
}

TEST(FarmOfTwoRanks, MakesTheFramesOfOneRank) {
  std::string alone;
  {
    const Farm farm(kBundle, "--dtype fp32");
    alone = published_frames(farm, farm.json(kJob + " --wait")["job"]);
  }
  const Farm farm(kBundle, kTwoRanks);
  const std::string found = published_frames(farm, farm.json(kJob + " --wait")["job"]);
  ASSERT_EQ(found.size(), std::size_t{3} * 25 * 96 * 64 * 3);
  ASSERT_EQ(alone.size(), found.size());
  int worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    worst = std::max(worst, std::abs(int{static_cast<unsigned char>(found[i])} - static_cast<unsigned char>(alone[i])));
  }
  EXPECT_LE(worst, 1);
}

TEST(FarmOfTwoRanks, ALostRankEndsItsGroupAndTheNextOneMakesTheSameBytes) {
  const Farm farm(kBundle, kTwoRanks);
  const std::string expected = content(farm.json(kJob + " --wait")["output"].get<std::string>());
  ASSERT_FALSE(expected.empty());

  const std::string job = farm.json(kJob)["job"];
  ASSERT_TRUE(farm.reaches(job, 1, 3)) << farm.status(job).dump();
  const std::vector<pid_t> group = farm.processes("reelfarm-ranks");
  const std::vector<pid_t> victims = second_ranks(farm);
  ASSERT_EQ(victims.size(), 1u);
  ::kill(victims.front(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return std::ranges::all_of(group, is_gone); }, std::chrono::seconds(5)));

  ASSERT_TRUE(farm.becomes(job, "done")) << farm.status(job).dump();
  const nlohmann::json status = farm.status(job);
  EXPECT_EQ(status["windows"][0]["attempt"], 1);
  EXPECT_EQ(status["windows"][1]["attempt"], 2) << "the rank was not lost in this window";
  EXPECT_EQ(content(status["output"].get<std::string>()) == expected, true) << "the bytes differ";
}

TEST(FarmOfTwoRanks, ACancelledWindowLeavesTheGroupToTheNextJob) {
  const Farm farm(kBundle, kTwoRanks);
  const std::string job = farm.json(kJob)["job"];
  ASSERT_TRUE(farm.reaches(job, 1, 1)) << farm.status(job).dump();
  const std::vector<pid_t> before = second_ranks(farm);
  EXPECT_EQ(farm.run("cancel " + job).exit_code, 0);
  ASSERT_TRUE(farm.becomes(job, "cancelled")) << farm.status(job).dump();
  EXPECT_EQ(farm.json(kJob + " --wait")["state"], "done");
  EXPECT_EQ(second_ranks(farm), before) << "the ranks were started again";
}

TEST(FarmOfTwoRanks, APausedWindowGoesOnInTheSameRanksWithTheSameBytes) {
  const Farm farm(kBundle, kTwoRanks);
  const std::string expected = content(farm.json(kJob + " --wait")["output"].get<std::string>());
  const std::string job = farm.json(kJob)["job"];
  ASSERT_TRUE(farm.reaches(job, 1, 3)) << farm.status(job).dump();
  const std::vector<pid_t> before = second_ranks(farm);
  EXPECT_EQ(farm.run("pause " + job).exit_code, 0);
  ASSERT_TRUE(eventually([&] { return farm.status(job)["windows"][1]["state"] == "queued"; }))
      << farm.status(job).dump();
  const int reached = farm.status(job)["windows"][1]["step"];
  EXPECT_LT(reached, 16);
  EXPECT_EQ(farm.run("resume " + job).exit_code, 0);
  ASSERT_TRUE(farm.becomes(job, "done")) << farm.status(job).dump();
  EXPECT_EQ(second_ranks(farm), before) << "the ranks were started again";
  EXPECT_EQ(farm.status(job)["windows"][1]["attempt"], 2);
  EXPECT_EQ(content(farm.status(job)["output"].get<std::string>()) == expected, true) << "the bytes differ";
}

TEST(FarmOfTwoRanks, AMeshThatDoesNotFitKeepsTheFarmFromComingUp) {
  const fs::path data = scratch("data");
  const Result up = shell("reelfarm up --detach --device cpu --ranks 2 --mesh 3x1 --bundle " + kBundle.string() +
                          " --data " + data.string());
  EXPECT_EQ(up.exit_code, 2) << up.out << up.err;
  EXPECT_THAT(up.out + up.err, HasSubstr("--mesh 3x1 is no mesh of 2 rank(s)"));
  fs::remove_all(data);
}

}  // namespace
}  // namespace reelfarm::e2e
