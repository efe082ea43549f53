#include "worker/agent/disk_room.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/support/temporary_folder.hpp"

namespace reelfarm::worker {
namespace {

constexpr std::uint64_t kExbibyte = std::uint64_t{1} << 60;

TEST(DiskRoom, AWindowMayWriteAllItsFramesUncompressedAndAQuarterMore) {
  queue::TaskSpec window;
  window.render.width = 960;
  window.render.height = 544;
  window.span.num_frames = 121;
  EXPECT_EQ(bytes_of(window), 960u * 544u * 3u * 121u * 5u / 4u);
  window.kind = queue::TaskKind::image;
  EXPECT_EQ(bytes_of(window), 960u * 544u * 3u * 5u / 4u);
}

TEST(DiskRoom, AFailureIsTheDisksOnlyWhereItLacksRoom) {
  const test::TemporaryFolder data;
  DiskRoom room(data.path());
  EXPECT_FALSE(room.was_lacking(1));
  EXPECT_EQ(room.complaint(), "");
  EXPECT_TRUE(room.was_lacking(kExbibyte));
  EXPECT_NE(room.complaint().find(data.path().string()), std::string::npos) << room.complaint();
  EXPECT_NE(room.complaint().find("1099511627776 MiB"), std::string::npos) << room.complaint();
}

}  // namespace
}  // namespace reelfarm::worker
