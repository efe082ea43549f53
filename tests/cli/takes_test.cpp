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

TEST_F(Takes, RerollRendersTheWindowAndThoseThatDependOnItAndSaysBeforeWhatItTakes) {
  const std::string first = enqueue({"--prompt", "x", "--frames", "40", "--seed", "3", "--wait"}).at("job");
  const Ended rerolled = run({"reroll", first, "--window", "1", "--wait"});
  ASSERT_EQ(rerolled.code, 0) << rerolled.errors;
  EXPECT_THAT(rerolled.output, testing::StartsWith("reroll of " + first + " from window 1\n"));
  EXPECT_THAT(rerolled.output, HasSubstr("2 to render, of 3 of at most 17 frames"));
  const json takes = test::json_lines(run({"takes", "--json", first}).output);
  ASSERT_EQ(takes.size(), 2U);
  EXPECT_EQ(takes[0].at("job"), first);
  EXPECT_EQ(takes[1].at("take"), 2);
  EXPECT_EQ(takes[1].at("from_window"), 1);
  EXPECT_NE(takes[1].at("seed"), 3);
  EXPECT_EQ(takes[1].at("state"), "done");
  EXPECT_TRUE(takes[1].at("used"));
  EXPECT_TRUE(std::filesystem::exists(takes[0].at("output").get<std::string>()));
  EXPECT_TRUE(std::filesystem::exists(takes[1].at("output").get<std::string>()));
  const json windows = status(takes[1].at("job")).at("windows");
  EXPECT_EQ(windows[0].at("attempt"), 0) << "taken over";
  EXPECT_EQ(windows[1].at("attempt"), 1);
  EXPECT_EQ(windows[2].at("attempt"), 1);
}

TEST_F(Takes, AWindowIsAlsoNamedByATimeOfTheVideo) {
  // Windows of 17 frames that share one, at 24 frames a second: frame 17 is window 1's first.
  const std::string job = enqueue({"--prompt", "x", "--frames", "40", "--wait"}).at("job");
  const auto from = [&](const std::string& time) {
    const Ended ended = run({"reroll", job, "--at", time, "--dry-run"});
    return ended.output.substr(0, ended.output.find('\n')) + ended.errors;
  };
  EXPECT_EQ(json::parse(run({"reroll", job, "--at", "0:00.71", "--json", "--seed", "5", "--wait"}).output).at("seed"),
            5);
  EXPECT_EQ(test::json_lines(run({"takes", "--json", job}).output).at(1).at("from_window"), 1);
  EXPECT_THAT(from("0.70"), HasSubstr("window 0"));
  EXPECT_THAT(from("1:00"), HasSubstr("is 1.7 s long"));
  for (const char* bad : {"soon", "-1", "1:99", "1:1:1:1", "nan", ""})
    EXPECT_THAT(from(bad), HasSubstr("--at is")) << bad;
}

TEST_F(Takes, RerollRefusesWhatIsNoWindow) {
  const std::string job = enqueue({"--prompt", "x", "--wait"}).at("job");
  EXPECT_THAT(run({"reroll", job, "--window", "1"}).errors, HasSubstr("windows 0 to 0"));
  EXPECT_EQ(run({"reroll", job, "--window", "0", "--at", "0"}).code, 2);
  EXPECT_EQ(run({"reroll", job}).code, 2);
  // What stands for enqueue in the settings is no word about this call.
  line_->environment["REELFARM_WINDOW"] = "0";
  EXPECT_EQ(run({"reroll", job}).code, 2);
  line_->environment.erase("REELFARM_WINDOW");
}

TEST_F(Takes, UseChoosesTheTakeThatIsDelivered) {
  const std::string first = enqueue({"--prompt", "x", "--wait"}).at("job");
  const std::string second = json::parse(run({"resubmit", "--json", "--wait", first}).output).at("job");
  const auto used = [&] {
    for (const json& take : test::json_lines(run({"takes", "--json", second}).output)) {
      if (take.at("used")) return take.at("take").get<int>();
    }
    return 0;
  };
  EXPECT_EQ(used(), 2);
  EXPECT_EQ(run({"use", first, "--take", "1"}).output, first + "  take 1 is used\n");
  EXPECT_EQ(used(), 1);
  EXPECT_THAT(run({"use", second, "--take", "1"}).output, HasSubstr("as before"));
  EXPECT_THAT(run({"takes", first}).output, HasSubstr("*    1  " + first));
  const Ended unknown = run({"use", first, "--take", "3"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("there is no take 3"));
  EXPECT_EQ(run({"use", first}).code, 2);
}

}  // namespace
}  // namespace reelfarm
