// A farm on a real Slurm of two nodes: what Slurm does to its jobs costs no video a byte and no window an attempt.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "tests/e2e/farm.hpp"
#include "tests/slurm/cluster.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::test {
namespace {

namespace fs = std::filesystem;
using e2e::content;
using e2e::eventually;
using nlohmann::json;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";
const fs::path kBundle = kReference / "latent_concat";

/// Two windows, long enough that every disturbance finds one running.
std::string job_of(int steps) {
  return "enqueue --prompt 'A cat walks on the grass' --frames 31 --seed 11 --image " +
         (kReference / "photo.png").string() + " --steps " + std::to_string(steps);
}

class SlurmFarm : public testing::Test {
 protected:
  void SetUp() override {
    if (!SlurmCluster::missing().empty()) GTEST_SKIP() << SlurmCluster::missing();
    cluster_.emplace(folder_.path());
    data_ = folder_.path() / "data";
  }
  void TearDown() override {
    if (!HasFailure()) return;
    for (const auto& entry : fs::directory_iterator(data_ / "logs")) {
      std::printf("--- %s\n%s\n", entry.path().c_str(), content(entry.path()).c_str());
    }
    std::printf("%s\n", e2e::shell("squeue -a; sinfo -N; scontrol show jobs").out.c_str());
  }

  e2e::Result reelfarm(const std::string& words) const {
    return e2e::shell("reelfarm " + words + " --data " + data_.string());
  }

  /// Numbers of the jobs that submit printed, by "farm" and "groups".
  std::map<std::string, std::string> submit(const std::string& options,
                                            const std::string& threads = "--threads 1") const {
    const e2e::Result result = e2e::shell("reelfarm slurm submit --data " + data_.string() + " --device cpu " +
                                          threads + " --bundle " + kBundle.string() + " " + options);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    std::map<std::string, std::string> ids;
    std::istringstream lines(result.out);
    for (std::string what, id, rest; lines >> what >> id && std::getline(lines, rest);) ids[what] = id;
    return ids;
  }

  bool both_groups_idle() const {
    return eventually([&] {
      std::istringstream lines(reelfarm("groups").out);
      int count = 0;
      for (std::string line; std::getline(lines, line);) count += line.find(" idle ") != std::string::npos ? 1 : 0;
      return count == 3;  // the stitcher is idle, too
    });
  }

  /// As soon as a farm answers. Null when none does.
  json ask(const std::string& words) const {
    json answer;
    eventually([&] {
      hurry();
      const e2e::Result result = reelfarm(words + " --json");
      answer = result.exit_code == 0 ? json::parse(result.out, nullptr, false) : json();
      return answer.is_object();
    });
    return answer;
  }
  bool running(const std::string& job, int window, int step) const {
    return eventually([&] {
      const json status = ask("status " + job);
      const json& windows = status["windows"];
      return windows.size() > std::size_t(window) && windows[window]["state"] == "running" &&
             windows[window]["step"] >= step;
    });
  }
  bool done(const std::string& job) const {
    return eventually([&] { return ask("status " + job)["state"] == "done"; });
  }
  /// Requeued jobs wait for nothing but their two minutes.
  void hurry() const {
    std::istringstream waiting(e2e::shell("squeue -h -r -t PENDING -o '%i %r'").out);
    for (std::string id, reason; waiting >> id && std::getline(waiting, reason);) {
      if (reason.find("BeginTime") == std::string::npos) continue;
      if (hurried_.insert(id + " " + std::to_string(restarts(id))).second) cluster_->end_requeue_delay(id);
    }
  }
  /// Groups in the queue, waiting, running or ending.
  static int groups() {
    std::istringstream names(e2e::shell("squeue -h -r -o %j").out);
    int count = 0;
    for (std::string name; names >> name;) count += name.ends_with("-group") ? 1 : 0;
    return count;
  }
  /// Whether they are gone in time.
  bool cancel_groups() const {
    cluster_->run("scancel $(squeue -h -r -o '%i %j' | grep -e -group | cut -d' ' -f1)");
    return eventually([] { return groups() == 0; });
  }
  std::string video(const std::string& job) const {
    const json output = ask("status " + job)["output"];
    return output.is_string() ? content(output.get<std::string>()) : "";
  }
  void expect_unharmed(const std::string& job) const {
    for (const json& task : ask("show " + job)["tasks"]) EXPECT_EQ(task["crashes"], 0) << task.dump();
  }
  int restarts(const std::string& job) const {
    const std::string text = e2e::shell("scontrol --oneliner show job " + job).out;
    const std::size_t at = text.find("Restarts=");
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + 9));
  }

  TemporaryFolder folder_;
  fs::path data_;
  mutable std::set<std::string> hurried_;
  std::optional<SlurmCluster> cluster_;
};

TEST_F(SlurmFarm, WhatSlurmDoesToItsJobsCostsNoVideoAByteAndNoWindowAnAttempt) {
  auto ids = submit("--groups 1 -- --nodelist=n1");
  const std::string job = job_of(300);
  const json calm = ask(job + " --wait");
  ASSERT_EQ(calm["state"], "done") << calm;
  const std::string expected = video(calm["job"]);
  ASSERT_FALSE(expected.empty());

  // The group is told that its time is over, as Slurm does by --signal, and goes back into the queue.
  const std::string told = ask(job)["job"];
  ASSERT_TRUE(running(told, 0, 10));
  cluster_->run("scancel --batch --signal=USR1 " + ids["groups"] + "_0");
  ASSERT_TRUE(eventually([&] { return restarts(ids["groups"] + "_0") == 1; }));
  ASSERT_TRUE(done(told)) << ask("show " + told);
  EXPECT_EQ(video(told) == expected, true) << "the bytes differ after the notice before a time limit";
  EXPECT_EQ(ask("status " + told)["windows"][0]["attempt"], 2);
  expect_unharmed(told);

  // An administrator requeues the group without notice, then the farm itself moves while the group renders.
  const std::string moved = ask(job)["job"];
  ASSERT_TRUE(running(moved, 0, 10));
  cluster_->run("scontrol requeue " + ids["groups"] + "_0");
  ASSERT_TRUE(eventually([&] { return restarts(ids["groups"] + "_0") == 2; }));
  ASSERT_TRUE(eventually([&] { return ask("status " + moved)["windows"][0]["state"] == "running"; }));
  const std::string address = json::parse(content(data_ / "farm.json"))["redis"];
  cluster_->run("scancel --batch --signal=USR1 " + ids["farm"]);
  ASSERT_TRUE(eventually([&] { return restarts(ids["farm"]) == 1; }));
  ASSERT_TRUE(done(moved)) << ask("show " + moved);
  EXPECT_NE(json::parse(content(data_ / "farm.json"))["redis"], address) << "the farm came back at the same address";
  EXPECT_EQ(video(moved) == expected, true) << "the bytes differ after requeue and a farm that moved";
  expect_unharmed(moved);

  // The node of the group loses its power; another group goes on with what it held.
  ASSERT_TRUE(cancel_groups());
  submit("--groups 1 --only-groups -- --nodelist=n2");
  const std::string dark = ask(job)["job"];
  ASSERT_TRUE(running(dark, 0, 10));
  submit("--groups 1 --only-groups -- --nodelist=n1");
  cluster_->fail_node(2);
  cluster_->restart_node(2);
  ASSERT_TRUE(done(dark)) << ask("show " + dark);
  EXPECT_EQ(video(dark) == expected, true) << "the bytes differ after the loss of a node";
  EXPECT_EQ(ask("status " + dark)["windows"][0]["attempt"], 2) << "the loss of a node found nothing to disturb";
  expect_unharmed(dark);

  // The user takes the groups back; what they held goes on with the next.
  const std::string taken = ask(job)["job"];
  ASSERT_TRUE(running(taken, 0, 10));
  ASSERT_TRUE(cancel_groups());
  ASSERT_TRUE(eventually([&] { return ask("status " + taken)["windows"][0]["state"] == "queued"; }))
      << ask("show " + taken);
  submit("--groups 1 --only-groups");
  ASSERT_TRUE(done(taken)) << ask("show " + taken);
  EXPECT_EQ(video(taken) == expected, true) << "the bytes differ after scancel";
  expect_unharmed(taken);
}

TEST_F(SlurmFarm, ATimeLimitAndAPreemptionCostNoVideoAByteAndNoWindowAnAttempt) {
  // The farm's job stays on the first node, the group is disturbed on the second.
  submit("--groups 1 -- --nodelist=n1");
  const std::string job = job_of(600);
  const json calm = ask(job + " --wait");
  ASSERT_EQ(calm["state"], "done") << calm;
  const std::string expected = video(calm["job"]);
  ASSERT_TRUE(cancel_groups());
  const std::string group = submit("--groups 1 --only-groups --time 30 --drain 60 -- --nodelist=n2")["groups"] + "_0";

  // slurmctld looks at the limits each half minute, and finds that less than a minute is left.
  const std::string limited = ask(job)["job"];
  ASSERT_TRUE(running(limited, 0, 10));
  cluster_->run("scontrol update jobid=" + group + " TimeLimit=1");
  ASSERT_TRUE(eventually([&] { return restarts(group) == 1; })) << e2e::shell("scontrol show job " + group).out;
  cluster_->run("scontrol update jobid=" + group + " TimeLimit=30");
  ASSERT_TRUE(done(limited)) << ask("show " + limited);
  EXPECT_EQ(video(limited) == expected, true) << "the bytes differ after a time limit";
  expect_unharmed(limited);

  // Somebody of a higher partition wants the node.
  const std::string displaced = ask(job)["job"];
  ASSERT_TRUE(running(displaced, 0, 10));
  cluster_->run("sbatch --partition=urgent --nodelist=n2 --exclusive --output=/dev/null --wrap=true");
  ASSERT_TRUE(eventually([&] { return restarts(group) == 2; })) << e2e::shell("scontrol show job " + group).out;
  ASSERT_TRUE(done(displaced)) << ask("show " + displaced);
  EXPECT_EQ(video(displaced) == expected, true) << "the bytes differ after a preemption";
  // Slurm takes a second or more to it: the first window may be over by then.
  const json windows = ask("status " + displaced)["windows"];
  EXPECT_TRUE(std::ranges::any_of(windows, [](const json& window) { return window["attempt"] == 2; }))
      << "the preemption found nothing to disturb: " << windows;
  expect_unharmed(displaced);
}

TEST_F(SlurmFarm, AutoscaleKeepsGroupsForTheBacklogAndNoneWithoutOne) {
  submit("--groups 1");
  const json calm = ask(job_of(4) + " --wait");
  ASSERT_EQ(calm["state"], "done") << calm;
  ASSERT_TRUE(cancel_groups());

  const auto look = [&] {
    const e2e::Result result = reelfarm(
        "slurm autoscale --once --max 2 --worth 1 --idle-exit 1 --device cpu --threads 1 --bundle " + kBundle.string());
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  };
  look();
  EXPECT_EQ(groups(), 0) << "groups without a backlog";
  std::vector<std::string> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(ask(job_of(200))["job"]);
  look();
  EXPECT_EQ(groups(), 2) << "three videos wait, and two groups are allowed";
  look();
  EXPECT_EQ(groups(), 2) << "what is there already was not counted";
  for (const std::string& job : jobs) ASSERT_TRUE(done(job)) << ask("show " + job);
  EXPECT_TRUE(eventually([&] { return groups() == 0; })) << "idle groups stay";
  look();
  EXPECT_EQ(groups(), 0);
}

TEST_F(SlurmFarm, MpirunStartsRanksOnBothNodesAndSrunOnOne) {
  // Slurm's PMIx plug-in cannot tell two nodes of one machine apart.
  for (const std::string launch : {"--nodes 2 --launcher mpirun", "--ranks-per-node 2 --launcher srun"}) {
    submit("--groups 1 " + launch + " --stage " + (folder_.path() / "local").string());
    const json clip = ask(job_of(4) + " --wait");
    EXPECT_EQ(clip["state"], "done") << launch << clip;
    ASSERT_TRUE(cancel_groups());
  }
  EXPECT_FALSE(fs::is_empty(folder_.path() / "local")) << "the weights were not staged";
}

TEST_F(SlurmFarm, GroupsThatShareAJobShareItsCores) {
  submit("--groups 2 --groups-per-job 2 --ranks-per-node 1", "");
  ASSERT_TRUE(both_groups_idle()) << reelfarm("groups").out;
  const std::string share = " threads=" + std::to_string(std::max(1U, std::thread::hardware_concurrency() / 2)) + " ";
  int found = 0;
  for (const auto& entry : fs::directory_iterator(data_ / "logs")) {
    const std::string text = content(entry.path());
    for (std::size_t at = text.find(share); at != std::string::npos; at = text.find(share, at + 1)) ++found;
  }
  EXPECT_EQ(found, 2) << "groups with" << share;
}

TEST_F(SlurmFarm, GroupsThatShareAJobDrainAndComeBackTogether) {
  const auto ids = submit("--groups 2 --groups-per-job 2 --ranks-per-node 1");
  ASSERT_TRUE(both_groups_idle()) << reelfarm("groups").out;
  const std::vector<std::string> jobs = {ask(job_of(300))["job"], ask(job_of(300))["job"]};
  for (const std::string& job : jobs) ASSERT_TRUE(running(job, 0, 10)) << "a group each";
  cluster_->run("scancel --batch --signal=USR1 " + ids.at("groups") + "_0");
  ASSERT_TRUE(eventually([&] { return restarts(ids.at("groups") + "_0") == 1; }));
  for (const std::string& job : jobs) {
    ASSERT_TRUE(done(job)) << ask("show " + job);
    EXPECT_EQ(ask("status " + job)["windows"][0]["attempt"], 2) << "it was given back, and leased again";
    expect_unharmed(job);
  }
}

}  // namespace
}  // namespace reelfarm::test
