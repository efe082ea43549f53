#include <gmock/gmock.h>

#include "cli/slurm/autoscale.hpp"
#include "cli/slurm/plan.hpp"
#include "tests/cli/command_line.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::cli {
namespace {

using testing::HasSubstr;

TEST(WantedGroups, AreOneForEachChainThatTheWorkPaysFor) {
  const AutoscaleLimits limits{.least = 0, .most = 8, .worth_s = 600};
  EXPECT_EQ(wanted_groups({0, 0, 0}, limits), 0);
  EXPECT_EQ(wanted_groups({1, 12, 36000}, limits), 1) << "a chain's windows follow each other";
  EXPECT_EQ(wanted_groups({5, 60, 0}, limits), 5) << "without history: one each";
  EXPECT_EQ(wanted_groups({5, 10, 1300}, limits), 2) << "1300 s pay for two starts of 600 s";
  EXPECT_EQ(wanted_groups({5, 5, 20}, limits), 1) << "little work is still work";
  EXPECT_EQ(wanted_groups({100, 1200, 1e7}, limits), 8);
}

TEST(WantedGroups, AtLeastSoManyOnlyWhileThereIsWork) {
  const AutoscaleLimits limits{.least = 3, .most = 4, .worth_s = 600};
  EXPECT_EQ(wanted_groups({0, 0, 0}, limits), 0);
  EXPECT_EQ(wanted_groups({1, 1, 10}, limits), 3);
  EXPECT_EQ(wanted_groups({9, 90, 1e6}, limits), 4);
}

TEST(Backlog, IsWhatGroupsCouldTake) {
  queue::test::TestFarm farm;
  queue::JobStore store = farm.make_store();
  EXPECT_EQ(read_backlog(store).chains, 0);
  queue::test::add_job(store, 3);
  const std::string paused = queue::test::add_job(store, 2);
  Backlog backlog = read_backlog(store);
  EXPECT_EQ(backlog.chains, 2);
  EXPECT_EQ(backlog.windows, 5);
  EXPECT_EQ(backlog.seconds, 0) << "this farm has rendered nothing yet";
  store.pause(paused);
  backlog = read_backlog(store);
  EXPECT_EQ(backlog.chains, 1);
  EXPECT_EQ(backlog.windows, 3);
  store.pause_farm("ann");
  EXPECT_EQ(read_backlog(store).windows, 0) << "nothing would be rendered";
}

class SlurmSubmit : public testing::Test {
 protected:
  SlurmSubmit() { std::filesystem::create_directories(line_.path("weights of a model")); }
  test::Ended submit(std::vector<std::string> words) {
    words.insert(words.begin(), {"slurm", "submit", "--data", line_.path("data").string(), "--bundle",
                                 line_.path("weights of a model").string()});
    return line_.run(words);
  }

  test::CommandLine line_;
};

TEST_F(SlurmSubmit, DryRunPrintsWhatSbatchWouldGet) {
  const test::Ended ended = submit({"--dry-run",
                                    "--groups",
                                    "16",
                                    "--at-once",
                                    "4",
                                    "--nodes",
                                    "2",
                                    "--gpus-per-node",
                                    "8",
                                    "--time",
                                    "8:00:00",
                                    "--partition",
                                    "gpu",
                                    "--account",
                                    "film",
                                    "--reservation",
                                    "night",
                                    "--drain",
                                    "200",
                                    "--stage",
                                    "/local",
                                    "--dtype",
                                    "bf16",
                                    "--hours",
                                    "20:00-07:00",
                                    "--listen",
                                    "8080",
                                    "--log-format",
                                    "json",
                                    "--",
                                    "--qos=low prio",
                                    "--exclude=n7"});
  ASSERT_EQ(ended.code, 0) << ended.errors;
  for (const char* text : {"#SBATCH --array=0-15%4\n", "#SBATCH --nodes=2\n", "#SBATCH --ntasks-per-node=8\n",
                           "#SBATCH --gpus-per-node=8\n", "#SBATCH --time=8:00:00\n", "#SBATCH --partition=gpu\n",
                           "#SBATCH --account=film\n", "#SBATCH --reservation=night\n", "#SBATCH --signal=B:USR1@200\n",
                           "#SBATCH --requeue\n", "ranks='16'\n", "stage='/local'\n", "--map-by ppr:8:node",
                           "worker_options=('--dtype' 'bf16' '--hours' '20:00-07:00' '--log-format' 'json')\n",
                           "'--log-format' 'json' '--listen' '8080')\n", "sbatch '--qos=low prio' '--exclude=n7' '",
                           "weights of a model'\n"}) {
    EXPECT_THAT(ended.output, HasSubstr(text));
  }
  EXPECT_FALSE(std::filesystem::exists(line_.path("data") / "slurm")) << "a dry run writes nothing";
}

TEST_F(SlurmSubmit, EachGpuOfAJobGetsAGroupUnlessToldOtherwise) {
  const auto expect = [&](std::vector<std::string> words, const std::vector<std::string>& lines) {
    words.insert(words.begin(), {"--dry-run", "--gpus-per-node", "8"});
    const test::Ended ended = submit(words);
    ASSERT_EQ(ended.code, 0) << ended.errors;
    for (const std::string& line : lines) EXPECT_THAT(ended.output, HasSubstr(line + "\n"));
  };
  expect({}, {"#SBATCH --array=0-0", "#SBATCH --ntasks-per-node=8", "groups='8'", "ranks='1'"});
  expect({"--groups", "16"}, {"#SBATCH --array=0-1", "groups='8'", "ranks='1'"});
  expect({"--groups", "4", "--ranks-per-node", "8"}, {"#SBATCH --array=0-3", "groups='1'", "ranks='8'"});
  expect({"--ranks-per-node", "2"}, {"#SBATCH --ntasks-per-node=8", "groups='4'", "ranks='2'"});
  expect({"--nodes", "2", "--mesh", "8x2"}, {"#SBATCH --ntasks-per-node=8", "groups='1'", "ranks='16'"});
  expect({"--launcher", "srun"}, {"#SBATCH --ntasks-per-node=8", "groups='1'", "ranks='8'"});
}

TEST_F(SlurmSubmit, GroupsMayShareTheGpusOfAJob) {
  const test::Ended ended =
      submit({"--dry-run", "--groups", "16", "--at-once", "8", "--gpus-per-node", "8", "--groups-per-job", "4"});
  ASSERT_EQ(ended.code, 0) << ended.errors;
  for (const char* text : {"#SBATCH --array=0-3%2\n", "#SBATCH --ntasks-per-node=8\n", "#SBATCH --gpus-per-node=8\n",
                           "groups='4'\n", "ranks='2'\n"}) {
    EXPECT_THAT(ended.output, HasSubstr(text));
  }
}

TEST_F(SlurmSubmit, WhatItPrintsIsAScript) {
  const test::Ended ended = submit({"--dry-run", "--container", "/bin/true", "--gpus-per-node", "1"});
  ASSERT_EQ(ended.code, 0) << ended.errors;
  line_.write("both.sh", ended.output);
  test::Running bash({"/bin/bash", "-n", line_.path("both.sh").string()}, line_.environment, line_.folder());
  EXPECT_EQ(bash.wait().code, 0) << bash.errors();
  EXPECT_THAT(ended.output, HasSubstr("worker=('apptainer' 'exec' '--nv'"));
}

TEST_F(SlurmSubmit, BadInputIsRefusedBeforeAnythingIsWritten) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--groups", "0"}, "--groups is '0'"},
      {{"--partition", "gpu --exclusive"}, "may hold no blanks"},
      {{"--stage", "scratch"}, "absolute path"},
      {{"--launcher", "ssh"}, "expected mpirun or srun"},
      {{"--container", "/bin/true", "--nodes", "2"}, "--container with --nodes"},
      {{"--hours", "night"}, "'night' is no span of the day"},
      {{"--listen", "0.0.0.0:8080"}, "needs a token"},
      {{"--listen", "8080", "--token-file", "/no/token"}, "is not there"},
      {{"--listen", "here"}, "here"},
      {{"--groups-per-job", "8", "--groups", "12"}, "--groups 12: a job holds 8 groups of 1 rank(s)"},
      {{"--gpus-per-node", "8", "--groups", "16", "--at-once", "4"}, "--at-once 4: a job holds 8 groups"},
      {{"--groups-per-job", "2", "--nodes", "2"}, "--groups-per-job 2 with --nodes"},
      {{"--groups-per-job", "4", "--gpus-per-node", "8", "--ranks-per-node", "4"}, "more than --gpus-per-node 8"},
      {{"--gpus-per-node", "8", "--mesh", "8x1"}, "no mesh of the 1 rank(s) of a group: --ranks-per-node"},
      {{"--gpus-per-node", "8", "--ranks-per-node", "8", "--mesh", "8"}, "--mesh 8 (ulysses x ring)"},
      {{"now"}, "stand behind '--'"},
      {{"--container", "/no/image.sif"}, "is not there"},
  };
  for (const auto& [words, text] : cases) {
    const test::Ended ended = submit(words);
    EXPECT_EQ(ended.code, 2) << text;
    EXPECT_THAT(ended.errors, HasSubstr(text));
  }
  EXPECT_FALSE(std::filesystem::exists(line_.path("data")));
}

TEST_F(SlurmSubmit, AutoscaleCountsWholeJobs) {
  const test::Ended ended =
      line_.run({"slurm", "autoscale", "--once", "--data", line_.path("data").string(), "--bundle",
                 line_.path("weights of a model").string(), "--max", "12", "--groups-per-job", "8"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("--max 12 is no multiple of the 8 groups of a job"));
}

TEST_F(SlurmSubmit, WithoutSlurmItSaysSo) {
  line_.environment["PATH"] = "/nowhere";
  const test::Ended ended = submit({});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("is this a machine that submits to Slurm?"));
}

TEST(ShellQuoted, IsOneWordWhateverIsInIt) {
  EXPECT_EQ(shell_quoted("it's $HOME"), "'it'\\''s $HOME'");
}

}  // namespace
}  // namespace reelfarm::cli
