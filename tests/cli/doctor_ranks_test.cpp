#include <gmock/gmock.h>

#include "cli/doctor/checks.hpp"
#include "tests/cli/command_line.hpp"

namespace reelfarm::cli {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const char* const kMpi = R"({"check":"mpi","state":"begun"}
{"check":"mpi","state":"begun"}
{"check":"mpi","state":"passed","ranks":2,"library":"Open MPI v4.1.4","right":true}
)";
const char* const kGpus = R"({"check":"gpus","state":"begun"}
{"check":"gpus","state":"passed","count":1,"driver":13000}
{"check":"gpu","gpu":0,"state":"begun"}
)";

std::string gpu(const std::string& more) {
  return R"({"check":"gpu","gpu":0,"name":"NVIDIA H100 80GB HBM3","memory":85520809984,"capability":90,)" + more +
         "}\n";
}

std::vector<std::string> lines(const posix::Ended& ended) {
  std::vector<std::string> texts;
  for (const Finding& finding : judge_ranks(ended, 60s)) {
    const char* health = finding.health == Health::ok ? "ok " : finding.health == Health::note ? "warning " : "error ";
    texts.push_back(health + finding.what + ": " + finding.text);
    EXPECT_EQ(finding.health == Health::ok, finding.hint.empty()) << finding.what;
  }
  return texts;
}

TEST(JudgeRanks, AMachineWithoutAGpuRendersOnTheCpu) {
  const std::string output = std::string(kMpi) + R"({"check":"gpus","state":"passed","count":0,"driver":0})";
  EXPECT_THAT(lines({.output = output}), ElementsAre("ok mpi: 2 ranks sum right over Open MPI v4.1.4",
                                                     "warning gpu: none visible, and no driver"));
}

TEST(JudgeRanks, AGpuIsToldWithWhatItIs) {
  const std::string output = std::string(kMpi) + kGpus +
                             gpu(R"("runtime":13000,"right":true,"kernels":"run","state":"passed")") +
                             R"({"check":"nccl","state":"passed","version":22809,"gpus":1,"right":true})";
  EXPECT_THAT(lines({.output = output}),
              ElementsAre(HasSubstr("ok mpi"), "ok gpu: 1 visible, the driver serves CUDA 13.0",
                          "ok gpu 0: NVIDIA H100 80GB HBM3, 79.6 GiB, compute capability 9.0, CUDA 13.0; products "
                          "right, our kernels run",
                          "ok nccl: version 2.28.9, one GPU: nothing to exchange"));
}

TEST(JudgeRanks, WrongResultsAreProblems) {
  const std::string output = R"({"check":"mpi","state":"passed","ranks":2,"library":"Open MPI v4.1.4","right":false})"
                             "\n" +
                             gpu(R"("runtime":13000,"right":false,"kernels":"run","state":"passed")") +
                             R"({"check":"nccl","state":"passed","version":22809,"gpus":2,"right":false})";
  EXPECT_THAT(lines({.output = output}),
              ElementsAre("error mpi: 2 ranks do not get the right sum over Open MPI v4.1.4",
                          testing::AllOf(HasSubstr("error gpu 0"), HasSubstr("not those of the CPU")),
                          "error nccl: version 2.28.9, 2 GPUs do not get the right sum"));
}

TEST(JudgeRanks, KernelsThatAreNotThereOrNotForThisCard) {
  const auto kernels = [](const std::string& word) {
    return lines({.output = gpu(R"("runtime":13000,"right":true,"state":"passed","kernels":")" + word + "\"")});
  };
  EXPECT_THAT(kernels("absent"), ElementsAre(HasSubstr("warning gpu 0")));
  EXPECT_THAT(kernels("no kernel image is available"),
              ElementsAre(testing::AllOf(HasSubstr("error gpu 0"), HasSubstr("no kernel image is available"))));
}

TEST(JudgeRanks, ADriverThatIsTooOldIsNamed) {
  const std::string output = R"({"check":"gpus","state":"passed","count":1,"driver":12040})"
                             "\n" +
                             gpu(R"("runtime":13000,"state":"failed","error":"CUDA driver version is insufficient")");
  const std::vector<Finding> findings = judge_ranks({.output = output}, 60s);
  EXPECT_EQ(findings.back().text, "CUDA driver version is insufficient");
  EXPECT_EQ(findings.back().hint, "install a driver for CUDA 13.0 or newer");
}

TEST(JudgeRanks, WhatHungIsNamed) {
  EXPECT_THAT(lines({.exit_code = 137, .signal = 9, .in_time = false, .output = R"({"check":"mpi","state":"begun"})"}),
              ElementsAre("error mpi: two ranks under mpirun got as far as this and did not end within 1 min 00 s"));
  EXPECT_THAT(
      lines(
          {.exit_code = 137, .signal = 9, .in_time = false, .output = std::string(kMpi) + kGpus, .errors = "words\n"}),
      ElementsAre(HasSubstr("ok mpi"), HasSubstr("ok gpu"),
                  testing::AllOf(HasSubstr("error gpu 0"), HasSubstr("did not end within"), HasSubstr("words"))));
}

TEST(JudgeRanks, RanksThatEndBeforeTheySayAnythingAreAProblem) {
  EXPECT_THAT(lines({.exit_code = 1, .errors = "There are not enough slots"}),
              ElementsAre("error mpi: two ranks under mpirun ended with code 1: There are not enough slots"));
  EXPECT_THAT(lines({.output = R"({"check":"mpi","state":"passed"})"}),
              ElementsAre(HasSubstr("error mpi: reelfarm-ranks said something else")));
}

/// A script in the place of mpirun.
std::vector<Finding> launched_by(const std::string& script, std::chrono::seconds limit) {
  return check_ranks({"sh", "-c", script}, "/nowhere/reelfarm-ranks", limit);
}

TEST(CheckRanks, ALauncherThatHangsIsKilled) {
  const auto findings = launched_by(R"(echo '{"check":"mpi","state":"begun"}'; sleep 1000)", 1s);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].what, "mpi");
  EXPECT_THAT(findings[0].text, HasSubstr("did not end within"));
}

TEST(CheckRanks, ALauncherThatIsNotThereIsNamed) {
  const auto findings = check_ranks({"/nowhere/mpirun"}, "/nowhere/reelfarm-ranks", 1s);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].text, HasSubstr("cannot start /nowhere/mpirun"));
}

#ifdef REELFARM_WITH_RANKS
// The real ranks under the real mpirun; on a machine without a GPU the GPU is a warning.
TEST(CheckRanks, TwoRanksSumRight) {
  test::CommandLine line;
  line.environment["PATH"] = std::string(REELFARM_BIN_DIR) + ":/usr/bin:/bin";
  const test::Ended ended = line.run({"doctor", "--redis", "unix:///nowhere/redis.sock"}, 200s);
  EXPECT_THAT(ended.output, testing::ContainsRegex("ok +mpi +2 ranks sum right over Open MPI"));
  EXPECT_THAT(ended.output, testing::ContainsRegex("(ok|warning) +gpu "));
}
#endif

}  // namespace
}  // namespace reelfarm::cli
