#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/video/png_writer.hpp"
#include "queue/detail/redis_connection.hpp"
#include "tests/cli/job_farm.hpp"

namespace reelfarm {
namespace {

using nlohmann::json;
using test::CommandLine;
using test::Ended;
using test::eventually;
using test::Running;
using testing::HasSubstr;

class Jobs : public test::JobFarm {};

TEST_F(Jobs, TheJsonOfEnqueueAndStatusHasTheFieldsThatScriptsRelyOn) {
  const json job = enqueue({"--prompt", "a kite", "--frames", "40", "--name", "kite", "--project", "p", "--wait"});
  for (const char* key : {"job", "state", "seed", "windows", "frames", "output"}) EXPECT_TRUE(job.contains(key)) << key;
  EXPECT_EQ(job.at("state"), "done");
  EXPECT_TRUE(job.at("seed").is_number_unsigned());
  const json now = status(job.at("job"));
  EXPECT_EQ(now.at("name"), "kite");
  EXPECT_EQ(now.at("project"), "p");
  EXPECT_EQ(now.at("frames"), 40);
  EXPECT_EQ(now.at("error"), nullptr);
  EXPECT_TRUE(std::filesystem::exists(now.at("output").get<std::string>()));
  ASSERT_EQ(now.at("windows").size(), 3U);
  const json& window = now.at("windows").at(2);
  EXPECT_EQ(window.at("index"), 2);
  EXPECT_EQ(window.at("state"), "done");
  EXPECT_EQ(window.at("attempt"), 1);
  EXPECT_EQ(window.at("step"), 4);
  EXPECT_EQ(window.at("steps"), 4);
  EXPECT_TRUE(window.at("seconds").is_number());
}

TEST_F(Jobs, AFileOfJobsIsSubmittedInOrderWithDefaultsFromTheOptions) {
  line_->write("three.jsonl",
               "{\"prompt\": \"one\", \"frames\": 5}\n"
               "{\"prompt\": \"two\", \"seconds\": 1, \"project\": \"own\", \"tag\": [\"a\", \"b\"]}\n"
               "{\"prompt\": \"three\", \"image_fit\": \"pad\", \"seed\": 7}\n");
  const Ended ended =
      line_->run({"enqueue", "--file", "three.jsonl", "--project", "shared", "--frames", "9", "--json"});
  ASSERT_EQ(ended.code, 0) << ended.errors;
  const auto jobs = test::json_lines(ended.output);
  ASSERT_EQ(jobs.size(), 3U);
  EXPECT_EQ(jobs[0].at("frames"), 5);
  EXPECT_EQ(jobs[1].at("frames"), 24);
  EXPECT_EQ(jobs[2].at("frames"), 9);
  EXPECT_EQ(jobs[2].at("seed"), 7);
  EXPECT_EQ(status(jobs[0].at("job")).at("project"), "shared");
  EXPECT_EQ(status(jobs[1].at("job")).at("project"), "own");
  EXPECT_THAT(jobs[0].at("batch").get<std::string>(), testing::StartsWith("batch-"));
  for (const json& job : jobs) EXPECT_EQ(job.at("batch"), jobs[0].at("batch"));
  const auto named = test::json_lines(
      line_->run({"enqueue", "--file", "three.jsonl", "--batch", "night", "--frames", "9", "--json"}).output);
  ASSERT_EQ(named.size(), 3U);
  EXPECT_EQ(named[2].at("batch"), "night");
  EXPECT_EQ(show(named[2].at("job")).at("spec").at("batch"), "night");
}

TEST_F(Jobs, VariantsCountTheirSeedsUp) {
  const Ended ended = line_->run({"enqueue", "--prompt", "x", "--seed", "100", "--variants", "3", "--json"});
  const auto jobs = test::json_lines(ended.output);
  ASSERT_EQ(jobs.size(), 3U) << ended.errors;
  for (std::size_t index = 0; index < 3; ++index) EXPECT_EQ(jobs[index].at("seed"), 100 + index);
  EXPECT_THAT(jobs[0].at("batch").get<std::string>(), testing::StartsWith("batch-"));
  EXPECT_EQ(jobs[2].at("batch"), jobs[0].at("batch"));
  EXPECT_EQ(enqueue({"--prompt", "x"}).at("batch"), nullptr) << "it is alone";
}

TEST_F(Jobs, ASecondSubmitWithTheSameRequestIdIsTheFirstJob) {
  const json first = enqueue({"--prompt", "x", "--request-id", "night-1", "--seed", "5"});
  const json second = enqueue({"--prompt", "x", "--request-id", "night-1", "--seed", "6"});
  EXPECT_EQ(second.at("job"), first.at("job"));
  EXPECT_EQ(second.at("seed"), 5);
}

TEST_F(Jobs, ADryRunSaysWhatItTakesAndQueuesNothing) {
  const std::size_t before = jobs_there();
  const Ended ended = line_->run({"enqueue", "--prompt", "x", "--frames", "34", "--dry-run"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("3 of at most 17 frames"));
  EXPECT_THAT(ended.output, HasSubstr("33 frames instead of 34 (1 fewer) need 2 windows instead of 3"));
  EXPECT_THAT(ended.output, HasSubstr("MiB"));
  EXPECT_EQ(jobs_there(), before);
}

TEST_F(Jobs, AnImageIsCopiedByContentAndTheOriginalIsNotNeededAgain) {
  const auto file = line_->path("photo.png");
  video::write_png(video::Image(64, 48), file);
  const std::string hash = artifacts::sha256_of_file(file);
  const json job = enqueue({"--prompt", "x", "--image", "photo.png", "--image-fit", "pad", "--wait"});
  EXPECT_EQ(job.at("state"), "done");
  std::filesystem::remove(file);
  EXPECT_EQ(artifacts::sha256_of_file(data() / "inputs" / hash), hash);
  const json shown = show(job.at("job"));
  EXPECT_EQ(shown.at("spec").at("image").at("sha256"), hash);
  EXPECT_EQ(shown.at("spec").at("image").at("kind"), "png");
  EXPECT_EQ(shown.at("spec").at("image").at("name"), "photo.png");
  EXPECT_EQ(shown.at("asked").at("steps"), nullptr);
  EXPECT_EQ(shown.at("spec").at("steps"), 4);
  EXPECT_EQ(shown.at("tasks").size(), 2U);  // no image task beside the window and the stitch
}

TEST_F(Jobs, AnImageWhoseFileNameIsNotUtf8IsTaken) {
  video::write_png(video::Image(64, 48), line_->path("caf\xe9.png"));
  EXPECT_EQ(enqueue({"--prompt", "x", "--image", "caf\xe9.png", "--wait"}).at("state"), "done");
}

TEST_F(Jobs, TheWaitingClientPutsTheCopyAndNeverOverAFile) {
  line_->write("mine.mp4", "mine");
  const json job = enqueue({"--prompt", "x", "--output", "mine.mp4", "--wait"});
  EXPECT_EQ(job.at("output"), line_->path("mine_v2.mp4").string());
  EXPECT_TRUE(std::filesystem::exists(line_->path("mine_v2.mp4")));
  const json with_template = enqueue({"--prompt", "x", "--seed", "9", "--name", "kite", "--output",
                                      "o/{project}/{name}_{seed}_v{take}.mp4", "--wait"});
  EXPECT_EQ(with_template.at("output"), line_->path("o/default/kite_9_v1.mp4").string());
  EXPECT_EQ(enqueue({"--prompt", "x", "--output", "mine.mp4", "--overwrite", "--wait"}).at("output"),
            line_->path("mine.mp4").string());
}

TEST_F(Jobs, TheCoordinatorPutsTheCopyUnderItsRootAndOtherwiseEnqueueSaysThatNobodyWill) {
  const auto wanted = line_->path("published/a/x.mp4");
  const json job = enqueue({"--prompt", "x", "--output", wanted.string()});
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(wanted); }));
  EXPECT_EQ(job.at("output"), wanted.string());
  const json waited = enqueue({"--prompt", "x", "--output", wanted.string(), "--wait"});
  EXPECT_EQ(waited.at("output"), line_->path("published/a/x_v2.mp4").string());
  const Ended outside = line_->run({"enqueue", "--prompt", "x", "--output", line_->path("y.mp4").string()});
  EXPECT_EQ(outside.code, 0);
  EXPECT_THAT(outside.errors, HasSubstr("nobody will put a copy at " + line_->path("y.mp4").string()));
  const Ended watched = line_->run({"watch", outside.output.substr(0, 13)});
  EXPECT_EQ(watched.code, 0) << watched.errors;
  EXPECT_EQ(watched.output, line_->path("y.mp4").string() + "\n");
  EXPECT_TRUE(std::filesystem::exists(line_->path("y.mp4")));
}

TEST_F(Jobs, AFailedJobIsExitCode4WithItsReason) {
  const Ended ended = line_->run({"enqueue", "--prompt", "FAIL", "--wait", "--json"});
  EXPECT_EQ(ended.code, 4);
  EXPECT_EQ(json::parse(ended.output).at("state"), "failed");
  EXPECT_THAT(json::parse(ended.output).at("error").get<std::string>(), HasSubstr("the test asked for a failure"));
  EXPECT_THAT(ended.errors, HasSubstr("state=failed"));
}

TEST_F(Jobs, ACancelledJobIsExitCode5) {
  Running waiting = line_->start({"enqueue", "--prompt", "SLOW", "--frames", "40", "--name", "slow-one", "--wait"});
  std::string job;
  ASSERT_TRUE(eventually([&] {
    job = waiting.output().substr(0, 13);
    return job.size() == 13 && waiting.errors().find("window=0 state=running") != std::string::npos;
  }));
  const Ended cancelled = line_->run({"cancel", job, "--json"});
  EXPECT_EQ(cancelled.code, 0) << cancelled.errors;
  const Ended ended = waiting.wait();
  EXPECT_EQ(ended.code, 5) << ended.errors;
  EXPECT_THAT(ended.errors, HasSubstr("state=cancelled"));
  EXPECT_THAT(line_->run({"why", job}).output, testing::ContainsRegex("cancelled at .*: by .*@"));
  EXPECT_EQ(line_->run({"cancel", job}).code, 0);
}

TEST_F(Jobs, CtrlCDetachesAndTheJobGoesOn) {
  Running waiting = line_->start({"enqueue", "--prompt", "SLOW", "--wait", "--json"});
  ASSERT_TRUE(eventually([&] { return waiting.errors().find("window=0 state=running") != std::string::npos; }));
  waiting.signal(SIGINT);
  const Ended ended = waiting.wait();
  EXPECT_EQ(ended.code, 130);
  EXPECT_THAT(ended.errors, HasSubstr("the job goes on"));
  const json job = json::parse(ended.output);
  EXPECT_EQ(status(job.at("job")).at("state"), "running");
  EXPECT_EQ(line_->run({"cancel", job.at("job")}).code, 0);
}

TEST_F(Jobs, AWaitingClientOutlivesARedisThatLosesTheJob) {
  Running waiting = line_->start({"enqueue", "--prompt", "SLOW", "--wait", "--json"});
  ASSERT_TRUE(eventually([&] { return waiting.errors().find("window=0 state=running") != std::string::npos; }));
  const auto coordinator = json::parse(std::ifstream(data() / "run/coordinator.json")).at("pid").get<pid_t>();
  ::kill(coordinator, SIGSTOP);
  const std::string url = json::parse(std::ifstream(data() / "farm.json")).at("redis");
  queue::detail::ConnectionOptions options;
  options.url = queue::RedisUrl::parse(url);
  queue::detail::RedisConnection(options).command({"FLUSHALL"});
  EXPECT_TRUE(eventually([&] { return waiting.errors().find("Redis has lost job") != std::string::npos; }))
      << waiting.errors();
  ::kill(coordinator, SIGCONT);
  const auto job = [&] {
    const std::string text = waiting.errors();
    return text.substr(text.find("job=") + 4, 13);
  };
  EXPECT_TRUE(eventually([&] { return line_->run({"cancel", job()}).code == 0; }));
  const Ended ended = waiting.wait();
  EXPECT_EQ(ended.code, 5) << ended.errors;
}

TEST_F(Jobs, PauseResumePriorityAndRetryChangeAJob) {
  // A slow job keeps the only group busy, so that the next one stays queued.
  const json blocker = enqueue({"--prompt", "SLOW"});
  ASSERT_TRUE(reaches(blocker.at("job"), "running"));
  const std::string job = enqueue({"--prompt", "x"}).at("job");
  EXPECT_EQ(line_->run({"set-priority", job, "50"}).code, 0);
  EXPECT_EQ(show(job).at("priority"), 50);
  EXPECT_EQ(line_->run({"set-priority", job, "101"}).code, 2);
  EXPECT_EQ(line_->run({"pause", job}).code, 0);
  EXPECT_EQ(status(job).at("state"), "paused");
  EXPECT_EQ(line_->run({"cancel", blocker.at("job")}).code, 0);
  EXPECT_EQ(line_->run({"resume", job}).code, 0);
  EXPECT_TRUE(reaches(job, "done"));
  const json failed = json::parse(line_->run({"enqueue", "--prompt", "FAIL", "--wait", "--json"}).output);
  EXPECT_EQ(line_->run({"retry", failed.at("job")}).code, 0);
  EXPECT_EQ(line_->run({"retry", job}).code, 2);  // it is done
}

TEST_F(Jobs, TheWholeFarmIsPausedAndGoesOn) {
  const Ended paused = line_->run({"pause", "--all", "--json"});
  EXPECT_EQ(json::parse(paused.output), (json{{"paused", true}, {"changed", true}})) << paused.errors;
  EXPECT_THAT(line_->run({"pause", "--all"}).output, HasSubstr("(as before)"));
  const std::string job = enqueue({"--prompt", "x"}).at("job");
  EXPECT_EQ(json::parse(line_->run({"why", "--json", job}).output).at("reasons").at(0).at("reason"), "farm_paused");
  EXPECT_THAT(line_->run({"groups"}).output, HasSubstr("the farm is paused by "));
  EXPECT_THAT(line_->run({"status"}).output, HasSubstr("the farm is paused by "));
  EXPECT_EQ(status(job).at("state"), "queued");
  EXPECT_EQ(line_->run({"resume", "--all"}).code, 0);
  EXPECT_TRUE(reaches(job, "done"));
  EXPECT_THAT(line_->run({"resume", "--all"}).output, HasSubstr("(as before)"));
  EXPECT_THAT(line_->run({"pause"}).errors, HasSubstr("give jobs, or --all"));
  EXPECT_EQ(line_->run({"pause", "--all", job}).code, 2);
}

TEST_F(Jobs, AJobAfterAnotherIsHeldUntilThatIsDone) {
  const json blocker = enqueue({"--prompt", "SLOW"});
  const std::string job = enqueue({"--prompt", "x", "--after", blocker.at("job")}).at("job");
  EXPECT_EQ(status(job).at("state"), "held");
  EXPECT_THAT(line_->run({"why", job}).output, HasSubstr("held until job " + blocker.at("job").get<std::string>()));
  EXPECT_EQ(json::parse(line_->run({"why", "--json", job}).output).at("reasons").at(0).at("reason"), "held");
  EXPECT_EQ(line_->run({"cancel", blocker.at("job")}).code, 0);
}

TEST_F(Jobs, LogsTellWhatHappenedAndStopAtTheEnd) {
  const json job = enqueue({"--prompt", "x", "--frames", "40", "--wait"});
  const Ended logs = line_->run({"logs", "--follow", job.at("job")});
  EXPECT_EQ(logs.code, 0) << logs.errors;
  for (const char* word : {"submitted", "accepted", "claimed", "tail", "done"})
    EXPECT_THAT(logs.output, HasSubstr(word));
  EXPECT_EQ(line_->run({"logs", job.at("job"), "-f"}).output, logs.output);
  const Ended one = line_->run({"logs", "--window", "1", job.at("job")});
  EXPECT_THAT(one.output, HasSubstr("w0001"));
  EXPECT_THAT(one.output, testing::Not(HasSubstr("w0000")));
  EXPECT_EQ(line_->run({"logs", "--window", "3", job.at("job")}).code, 2);
}

TEST_F(Jobs, GroupsAreListed) {
  const Ended groups = line_->run({"groups", "--json"});
  const auto found = test::json_lines(groups.output);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[1].at("stitcher").get<std::string>().starts_with("stitcher-"));
  EXPECT_NE(found[1].at("state"), "gone");
  EXPECT_EQ(found[0].at("bundle"), "double");
  EXPECT_EQ(line_->run({"drain", found[0].at("group")}).code, 0);
  EXPECT_TRUE(test::json_lines(line_->run({"groups", "--json"}).output)[0].at("drain_requested").get<bool>());
  EXPECT_EQ(line_->run({"undrain", found[0].at("group")}).code, 0);
  EXPECT_EQ(line_->run({"drain", "nobody"}).code, 2);
}

TEST_F(Jobs, TheReportTellsOfTheNight) {
  enqueue({"--prompt", "x", "--wait"});
  run({"enqueue", "--prompt", "FAIL", "--wait"});
  const Ended text = run({"report"});
  EXPECT_EQ(text.code, 0) << text.errors;
  EXPECT_THAT(text.output, HasSubstr("the test asked for a failure"));
  const json report = json::parse(run({"report", "--since", "2d", "--json"}).output);
  EXPECT_GE(report.at("jobs").at("done"), 1);
  EXPECT_GE(report.at("jobs").at("failed"), 1);
  EXPECT_GE(report.at("windows").at("count"), 1);
  for (const char* since : {"12", "h", "-1h", "nanh", "0m", "yesterday"}) {
    const Ended bad = run({"report", "--since", since});
    EXPECT_EQ(bad.code, 2);
    EXPECT_THAT(bad.errors, HasSubstr("--since")) << since;
  }
}

TEST_F(Jobs, WatchShowsOneJobToItsEnd) {
  const json job = enqueue({"--prompt", "x", "--frames", "40"});
  const Ended watched = line_->run({"watch", job.at("job")});
  EXPECT_EQ(watched.code, 0) << watched.errors;
  EXPECT_THAT(watched.output, HasSubstr(".mp4"));
  EXPECT_THAT(watched.errors, HasSubstr("state=done"));
}

TEST_F(Jobs, TheNearestPlaceDecidesASetting) {
  const auto steps = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"--prompt", "x"};
    words.insert(words.end(), more.begin(), more.end());
    const json job = enqueue(words);
    return show(job.at("job")).at("spec").at("steps").get<int>();
  };
  EXPECT_EQ(steps({}), 4);
  std::filesystem::create_directories(line_->path("home/.config"));
  line_->write("home/.config/reelfarm.ini", "steps = 6\n");
  EXPECT_EQ(steps({}), 6);
  line_->write("reelfarm.ini", "steps = 7\n[up]\nsteps = 1\n");
  EXPECT_EQ(steps({}), 7);
  line_->write("reelfarm.ini", "steps = 7\n[enqueue]\nsteps = 8\n");
  EXPECT_EQ(steps({}), 8);
  line_->write("given.ini", "steps = 9\n");
  EXPECT_EQ(steps({"--config", "given.ini"}), 9);
  line_->environment["REELFARM_STEPS"] = "10";
  EXPECT_EQ(steps({"--config", "given.ini"}), 10);
  EXPECT_EQ(steps({"--config", "given.ini", "--steps", "11"}), 11);
  line_->environment.erase("REELFARM_STEPS");
  std::filesystem::remove(line_->path("reelfarm.ini"));
  std::filesystem::remove(line_->path("home/.config/reelfarm.ini"));
}

/// A bundle that cannot do what is asked; `up` of its own, since a worker has one bundle.
class OtherBundles : public testing::Test {
 protected:
  Ended enqueue_on(const std::string& bundle, const std::vector<std::string>& more) {
    std::filesystem::create_directories(line_.path("weights"));
    line_.environment["REELFARM_TEST_BUNDLE"] = bundle;
    line_.environment["REELFARM_DATA"] = line_.path("data").string();
    const Ended up = line_.run({"up", "--detach", "--bundle", line_.path("weights").string()});
    EXPECT_EQ(up.code, 0) << up.errors;
    std::vector<std::string> words = {"enqueue", "--prompt", "x"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = line_.run(words);
    EXPECT_EQ(line_.run({"status", "--json"}).output, "");
    EXPECT_EQ(line_.run({"down", "--now"}).code, 0);
    return ended;
  }
  CommandLine line_;
};

TEST_F(OtherBundles, WithoutTextToImageAnImageIsNeeded) {
  const Ended ended = enqueue_on("no-t2i", {});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("give --image"));
}

TEST_F(OtherBundles, TextOnlyWeightsRenderOneWindow) {
  const Ended ended = enqueue_on("text-only", {"--frames", "18"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("ask for at most 17 frames"));
}

}  // namespace
}  // namespace reelfarm
