#include "worker/ranks/published_window.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/support/temporary_folder.hpp"
#include "worker/ranks/publisher.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

TaskOrder an_order() {
  TaskOrder order;
  order.task = "j.w0003";
  order.job = "j";
  order.window = 3;
  order.attempt = 1;
  order.nonce = "n1";
  order.folder = "jobs/j/windows";
  order.artifact_key = "key";
  order.tail = "/somewhere";
  order.tail_sha256 = "tail";
  order.width = 32;
  order.height = 16;
  order.num_latents = 2;
  order.tail_latents = 1;
  return order;
}

class PublishedWindows : public testing::Test {
 protected:
  FileReference publish(const TaskOrder& order, const std::string& fingerprint = "print") {
    const at::Tensor frames = at::arange(5 * 16 * 32 * 3).remainder(251).to(at::kByte).view({5, 16, 32, 3});
    WindowPublisher publisher(data_.path(), order, fingerprint);
    publisher.write(frames);
    tail_ = publish_tail(data_.path(), order, {frames.narrow(0, 4, 1), at::zeros({1, 16, 1, 2, 4})});
    return publisher.publish(tail_, R"({"decode_seconds": 1})");
  }

  std::optional<PublishedWindow> find(const TaskOrder& order, const std::string& fingerprint = "print") {
    return find_published(data_.path(), order, fingerprint,
                          [this](const std::string& text) { notes_.push_back(text); });
  }

  test::TemporaryFolder data_;
  FileReference tail_;
  std::vector<std::string> notes_;
};

TEST_F(PublishedWindows, AnotherAttemptFindsWhatWasPublished) {
  EXPECT_FALSE(find(an_order()));
  const FileReference file = publish(an_order());
  TaskOrder again = an_order();
  again.attempt = 2;
  again.nonce = "n2";
  const auto found = find(again);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file.path, file.path);
  EXPECT_EQ(found->file.sha256, file.sha256);
  EXPECT_EQ(found->file.bytes, file.bytes);
  EXPECT_EQ(found->file.frames, 5);
  EXPECT_EQ(found->tail.sha256, tail_.sha256);
  EXPECT_EQ(found->tail.frames, 1);
  EXPECT_NE(found->metrics.find("decode_seconds"), std::string::npos);
}

TEST_F(PublishedWindows, WhatMayHaveOtherBitsIsPassedBy) {
  publish(an_order());
  EXPECT_FALSE(find(an_order(), "other"));
  for (const auto& change : std::vector<void (*)(TaskOrder&)>{
           [](TaskOrder& order) { order.window = 4; }, [](TaskOrder& order) { order.take = 2; },
           [](TaskOrder& order) { order.artifact_key = "reroll"; },
           [](TaskOrder& order) { order.tail_sha256 = "another start"; }}) {
    TaskOrder order = an_order();
    change(order);
    EXPECT_FALSE(find(order));
  }
  EXPECT_TRUE(notes_.empty());
}

TEST_F(PublishedWindows, ADamagedOneIsPassedByAndNamed) {
  const FileReference file = publish(an_order());
  const fs::path frames = data_.path() / file.path / "frames.mkv";
  {
    std::fstream stream(frames, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-3, std::ios::end);
    stream.put('x');
  }
  EXPECT_FALSE(find(an_order()));
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find("frames.mkv"), std::string::npos) << notes_[0];
  TaskOrder other = an_order();
  other.attempt = 2;
  other.nonce = "n2";
  const FileReference whole = publish(other);
  const auto found = find(an_order());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file.path, whole.path);
}

}  // namespace
}  // namespace reelfarm::worker
