// A whole farm whose Redis fails over to a replica that lacks the last moments: real ranks on the demo bundle.
#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include "tests/coordinator/replicated_redis.hpp"
#include "tests/e2e/farm.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path kBundle = fs::path(REELFARM_SOURCE_DIR) / "bundles" / "demo";
/// Four windows, the first from a frame that the prompt makes.
const std::string kJob =
    "enqueue --prompt 'a red circle moves right' --frames 80 --window 25 --overlap 5 --size 96x64 --steps 16 --seed 11";

class FarmFailover : public testing::Test {
 protected:
  /// What an undisturbed farm makes of the job.
  std::string undisturbed() { return content(farm_.json(kJob + " --wait")["output"].get<std::string>()); }
  std::string bytes_of(const std::string& job) {
    const nlohmann::json output = farm_.status(job)["output"];
    return output.is_string() ? content(output.get<std::string>()) : "";
  }

  test::TemporaryFolder folder_;
  test::ReplicatedRedis redis_{folder_.path()};
  Farm farm_{kBundle, "--redis " + redis_.url()};
};

TEST_F(FarmFailover, AReplicaThatLacksAWindowThatWasDoneGivesTheSameBytes) {
  const std::string expected = undisturbed();
  ASSERT_FALSE(expected.empty());
  const std::string job = farm_.json(kJob)["job"];
  ASSERT_TRUE(eventually([&] { return farm_.status(job)["windows"][0]["state"] == "done"; }));
  redis_.stop_replication();
  ASSERT_TRUE(farm_.reaches(job, 2, 3)) << farm_.status(job).dump();
  redis_.fail_over();
  ASSERT_TRUE(farm_.becomes(job, "done")) << farm_.status(job).dump();
  EXPECT_EQ(farm_.status(job)["windows"][0]["attempt"], 1) << "what the replica knew to be done was rendered again";
  EXPECT_EQ(bytes_of(job) == expected, true) << "the bytes differ";
}

TEST_F(FarmFailover, AReplicaThatLacksAWholeJobAndTheEndOfAnotherLosesNeither) {
  const std::string expected = undisturbed();
  const std::string first = farm_.json(kJob)["job"];
  ASSERT_TRUE(farm_.reaches(first, 0, 1)) << farm_.status(first).dump();
  redis_.stop_replication();
  ASSERT_TRUE(farm_.becomes(first, "done")) << farm_.status(first).dump();
  const std::string second = farm_.json(kJob)["job"];
  ASSERT_TRUE(farm_.reaches(second, 1, 2)) << farm_.status(second).dump();
  redis_.fail_over();
  ASSERT_TRUE(eventually([&] { return farm_.run("status " + second).exit_code == 0; }))
      << "its job.json brings it back";
  ASSERT_TRUE(farm_.becomes(second, "done")) << farm_.status(second).dump();
  EXPECT_EQ(farm_.status(first)["state"], "done");
  EXPECT_EQ(bytes_of(first) == expected, true) << "the bytes differ";
  EXPECT_EQ(bytes_of(second) == expected, true) << "the bytes differ";
}

}  // namespace
}  // namespace reelfarm::e2e
