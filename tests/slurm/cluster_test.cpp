// The Slurm that the other tests of this folder stand on: what they take for granted of it.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/e2e/farm.hpp"
#include "tests/slurm/cluster.hpp"
#include "tests/slurm/process_tree.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::test {
namespace {

using e2e::eventually;

class Cluster : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!SlurmCluster::missing().empty()) return;
    folder_ = new TemporaryFolder();
    cluster_ = new SlurmCluster(folder_->path());
  }
  static void TearDownTestSuite() {
    delete cluster_;
    delete folder_;
  }
  void SetUp() override {
    if (!cluster_) GTEST_SKIP() << SlurmCluster::missing();
  }

  std::filesystem::path output() const { return folder_->path() / "out"; }
  /// Number of the job that a script becomes.
  std::string submit(const std::string& options, const std::string& body) const {
    const std::filesystem::path script = folder_->path() / "job.sh";
    std::ofstream(script) << "#!/bin/bash\n" << body << "\n";
    const std::string id =
        cluster_->run("sbatch --parsable -o " + output().string() + " " + options + " " + script.string());
    return id.substr(0, id.find('\n'));
  }
  static std::string written() { return e2e::content(folder_->path() / "out"); }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline SlurmCluster* cluster_ = nullptr;
};

TEST_F(Cluster, MpirunReachesBothNodesOfAnAllocation) {
  submit("-W -N2 --ntasks-per-node=1",
         "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n 2 bash -c 'echo $OMPI_COMM_WORLD_RANK on "
         "$SLURMD_NODENAME'");
  EXPECT_THAT(written(), testing::AllOf(testing::HasSubstr("0 on n1"), testing::HasSubstr("1 on n2")));
}

TEST_F(Cluster, AJobOfAFailedNodeIsQueuedAgainUnderItsNumber) {
  const std::string job =
      submit("-w n2 --requeue --open-mode=append", "echo restart ${SLURM_RESTART_COUNT:-0}; exec sleep 300");
  ASSERT_TRUE(eventually([&] { return written().find("restart 0") != std::string::npos; }));
  cluster_->fail_node(2);
  EXPECT_TRUE(eventually([&] { return cluster_->job_state(job) == "PENDING"; })) << cluster_->job_state(job);
  for (const pid_t pid : descendants(::getpid())) EXPECT_FALSE(has_variable(pid, "SLURMD_NODENAME=n2")) << pid;
  cluster_->restart_node(2);
  cluster_->end_requeue_delay(job);
  EXPECT_TRUE(eventually([&] { return written().find("restart 1") != std::string::npos; })) << written();
  cluster_->run("scancel " + job);
  EXPECT_TRUE(eventually([&] { return cluster_->job_state(job).empty() || cluster_->job_state(job) == "CANCELLED"; }));
}

}  // namespace
}  // namespace reelfarm::test
