#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cli/job_farm.hpp"

namespace reelfarm {
namespace {

using nlohmann::json;
using test::Ended;
using testing::HasSubstr;

class Takes : public test::JobFarm {};

TEST_F(Takes, ResubmitRendersTheSameJobAgainAsANewTake) {
  const json first = enqueue({"--prompt", "a kite", "--frames", "40", "--seed", "11", "--name", "kite", "--wait"});
  const json second = json::parse(run({"resubmit", "--json", "--wait", first.at("job")}).output);
  EXPECT_EQ(second.at("state"), "done");
  EXPECT_NE(second.at("job"), first.at("job"));
  EXPECT_EQ(second.at("seed"), 11);
  const json spec = show(second.at("job")).at("spec");
  EXPECT_EQ(spec.at("prompt"), "a kite");
  EXPECT_EQ(spec.at("name"), "kite");
  EXPECT_EQ(spec.at("frames"), 40);
  EXPECT_EQ(spec.at("parent"), first.at("job"));
  EXPECT_EQ(spec.at("take"), 2);
  EXPECT_EQ(status(first.at("job")).at("state"), "done");
}

TEST_F(Takes, ResubmitChangesWhatIsSet) {
  const json first = enqueue({"--prompt", "a kite", "--frames", "40", "--seed", "11", "--wait"});
  const json second = json::parse(run({"resubmit", "--json", first.at("job"), "--set", "seed=12", "--set", "steps=6",
                                       "--set", "seconds=1", "--set", "tag=a", "--set", "tag=b=c"})
                                      .output);
  const json spec = show(second.at("job")).at("spec");
  EXPECT_EQ(spec.at("seed"), 12);
  EXPECT_EQ(spec.at("steps"), 6);
  EXPECT_EQ(spec.at("frames"), 24);
  EXPECT_EQ(spec.at("tags"), json({"a", "b=c"}));
  EXPECT_EQ(spec.at("prompt"), "a kite");
}

TEST_F(Takes, ResubmitRefusesWhatEnqueueRefusesAndQueuesNothing) {
  const std::string job = enqueue({"--prompt", "x", "--wait"}).at("job");
  const std::size_t before = jobs_there();
  const auto refused = [&](const std::string& setting, const std::string& words) {
    const Ended ended = run({"resubmit", job, "--set", setting});
    EXPECT_EQ(ended.code, 2) << setting;
    EXPECT_THAT(ended.errors, HasSubstr(words));
  };
  refused("step=6", "did you mean 'steps'?");
  refused("steps", "must be key=value");
  refused("steps=many", "--set steps is 'many'");
  refused("steps=0", "steps is 0");
  refused("window=18", "18");
  refused("image=", "--set image is empty");
  EXPECT_EQ(run({"resubmit", job, "--set", "steps=5", "--set", "steps=6"}).code, 2);
  EXPECT_EQ(jobs_there(), before);
}

TEST_F(Takes, ADryRunOfResubmitSaysWhatItTakes) {
  const std::string job = enqueue({"--prompt", "x", "--frames", "40", "--wait"}).at("job");
  const std::size_t before = jobs_there();
  const Ended ended = run({"resubmit", job, "--dry-run"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("3 of at most 17 frames"));
  EXPECT_THAT(ended.output, HasSubstr("dry run"));
  EXPECT_EQ(jobs_there(), before);
}

}  // namespace
}  // namespace reelfarm
