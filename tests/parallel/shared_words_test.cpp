#include "parallel/shared_words.hpp"

#include <gmock/gmock.h>

#include <system_error>
#include <utility>

namespace reelfarm::parallel {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(SharedWords, AreTheSameForThoseWhoOpenThem) {
  SharedWords made = SharedWords::create(3000);
  EXPECT_GE(made.bytes(), 3000 * sizeof(std::uint32_t));
  EXPECT_EQ(made.data()[0], 0);
  EXPECT_EQ(made.data()[2999], 0);
  const SharedWords opened = SharedWords::open(made.name(), 3000);
  EXPECT_NE(opened.data(), made.data());
  made.data()[2999] = 7;
  EXPECT_EQ(opened.data()[2999], 7);
  opened.data()[0] = 8;
  EXPECT_EQ(std::exchange(made, SharedWords::create(1)).data()[0], 8) << "moved";
}

TEST(SharedWords, AreKeptByThoseWhoHaveThemWhenTheNameIsGone) {
  SharedWords made = SharedWords::create(1);
  const SharedWords opened = SharedWords::open(made.name(), 1);
  made.forget();
  EXPECT_THAT([&] { SharedWords::open(made.name(), 1); },
              ThrowsMessage<std::system_error>(HasSubstr("shm_open of shared memory " + made.name())));
  made.data()[0] = 5;
  EXPECT_EQ(opened.data()[0], 5);
}

TEST(SharedWords, LeaveNoNameBehind) {
  std::string name;
  {
    const SharedWords made = SharedWords::create(1);
    name = made.name();
  }
  EXPECT_THROW(SharedWords::open(name, 1), std::system_error);
}

}  // namespace
}  // namespace reelfarm::parallel
