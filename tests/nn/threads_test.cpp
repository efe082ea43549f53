#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

namespace reelfarm::nn {
namespace {

// LibTorch's headers run the loop on one thread when they are compiled without OpenMP, and say nothing.
TEST(Threads, LoopsOfOursAreShared) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::int64_t turns = 0;
  at::parallel_for(0, 30, 1, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    turns += end - begin;
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 3U);
  EXPECT_EQ(turns, 30);
}

}  // namespace
}  // namespace reelfarm::nn
