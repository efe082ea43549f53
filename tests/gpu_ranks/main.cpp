// As tests/parallel/mpi_main.cpp, for ranks that each have a GPU: exit code 77, skipped, where they have not.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "parallel/mpi_session.hpp"
#include "pipeline/render/gpu_choice.hpp"
#include "tests/gpu_ranks/own_gpu.hpp"

int main(int argc, char** argv) {
  using namespace reelfarm;
  constexpr int kSkipped = 77;
  render::take_own_gpu("cuda", 0, std::getenv(parallel::MpiSession::kLocalRank), std::getenv(render::kVisibleGpus));
  parallel::MpiSession session(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  const auto world = parallel::MpiSession::world();
  if (!reelfarm::testing::every_rank_has_a_gpu()) {
    if (world->rank() == 0) std::puts("skipped: this machine has no GPU for each rank");
    return kSkipped;
  }
  if (world->rank() != 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
  }
  const int failed = RUN_ALL_TESTS();
  if (failed != 0) std::fprintf(stderr, "rank %d: tests failed\n", world->rank());
  world->barrier();
  return failed;
}
