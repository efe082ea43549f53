#include "threads/conveyor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace reelfarm::threads {
namespace {

using ::testing::ElementsAre;

TEST(Conveyor, DoesAllInItsOrderOnAnotherThread) {
  std::vector<int> done;
  std::thread::id where;
  Conveyor<std::unique_ptr<int>> conveyor(
      [&](std::unique_ptr<int> work) {
        done.push_back(*work);
        where = std::this_thread::get_id();
      },
      1);
  for (const int work : {1, 2, 3}) conveyor.put(std::make_unique<int>(work));
  conveyor.finish();
  EXPECT_THAT(done, ElementsAre(1, 2, 3));
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(Conveyor, ThrowsToTheCallerWhatTheWorkThrewAndDoesNoMore) {
  std::vector<int> begun;
  Conveyor<int> conveyor(
      [&](int work) {
        begun.push_back(work);
        if (work == 2) throw std::runtime_error("no room on the disk");
      },
      1);
  const auto put_many = [&] {
    for (int work = 1; work <= 100; ++work) conveyor.put(work);
  };
  EXPECT_THROW(put_many(), std::runtime_error);
  EXPECT_THROW(conveyor.finish(), std::runtime_error);
  EXPECT_THAT(begun, ElementsAre(1, 2));
}

TEST(Conveyor, AnErrorOfTheLastPieceComesFromFinish) {
  Conveyor<int> conveyor([](int) { throw std::runtime_error("the encoder's last words"); });
  conveyor.put(1);
  EXPECT_THROW(conveyor.finish(), std::runtime_error);
}

TEST(Conveyor, ItsEndDropsWhatWaits) {
  std::mutex mutex;
  std::condition_variable changed;
  bool begun = false;
  bool go_on = false;
  const auto work = std::make_shared<int>(1);
  std::thread releasing;
  {
    std::vector<std::shared_ptr<int>> done;
    Conveyor<std::shared_ptr<int>> conveyor([&](std::shared_ptr<int> piece) {
      std::unique_lock lock(mutex);
      begun = true;
      changed.notify_all();
      changed.wait(lock, [&] { return go_on; });
      done.push_back(std::move(piece));
      EXPECT_EQ(done.size(), 1);
    });
    conveyor.put(work);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun; });
    lock.unlock();
    for (int i = 0; i < 10; ++i) conveyor.put(work);
    // The first piece ends only when the others are dropped, which the end of the conveyor does before it waits.
    releasing = std::thread([&] {
      while (work.use_count() > 2) std::this_thread::yield();
      const std::lock_guard release(mutex);
      go_on = true;
      changed.notify_all();
    });
  }
  releasing.join();
  EXPECT_EQ(work.use_count(), 1);
}

}  // namespace
}  // namespace reelfarm::threads
