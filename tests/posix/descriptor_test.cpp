#include "posix/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

namespace reelfarm::posix {
namespace {

int open_something() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(Descriptor, ClosesWhatItOwns) {
  const int fd = open_something();
  {
    const Descriptor owner(fd);
    EXPECT_TRUE(owner);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
  EXPECT_FALSE(Descriptor());
}

TEST(Descriptor, AMoveLeavesOneOwner) {
  const int first = open_something();
  const int second = open_something();
  Descriptor owner(first);
  Descriptor other(second);
  owner = std::move(other);
  EXPECT_FALSE(is_open(first));
  EXPECT_EQ(owner.get(), second);
  const Descriptor last(std::move(owner));
  EXPECT_EQ(last.get(), second);
  EXPECT_TRUE(is_open(second));
}

TEST(Descriptor, WhatIsReleasedStaysOpen) {
  Descriptor owner(open_something());
  const int fd = owner.release();
  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(fd));
  const Descriptor closes(fd);
}

}  // namespace
}  // namespace reelfarm::posix
