#include "pipeline/artifacts/file_lock.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <future>

#include "pipeline/artifacts/errors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::artifacts {
namespace {

using namespace std::chrono_literals;

class FileLocks : public ::testing::Test {
 protected:
  const test::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "some.lock";
};

TEST_F(FileLocks, OneAtATimeHasIt) {
  {
    const auto first = FileLock::try_take(path_, 0ms);
    ASSERT_TRUE(first);
    EXPECT_FALSE(FileLock::try_take(path_, 0ms));
    EXPECT_FALSE(FileLock::try_take(path_, 150ms)) << "nobody let go of it";
  }
  EXPECT_TRUE(FileLock::try_take(path_, 0ms)) << "let go of";
}

TEST_F(FileLocks, WhoWaitsGetsItWhenItIsLetGo) {
  auto held = std::make_optional(FileLock::take(path_));
  auto patient = std::async(std::launch::async, [&] { return FileLock::try_take(path_, 60s).has_value(); });
  auto endless = std::async(std::launch::async, [&] { return FileLock::take(path_), true; });
  EXPECT_EQ(endless.wait_for(200ms), std::future_status::timeout);
  held.reset();
  EXPECT_TRUE(endless.get());
  EXPECT_TRUE(patient.get());
}

TEST_F(FileLocks, AFileThatCannotBeMadeIsNamed) {
  EXPECT_THAT([&] { FileLock::take(folder_.path() / "missing/some.lock"); },
              ::testing::ThrowsMessage<StorageError>(
                  ::testing::AllOf(::testing::HasSubstr("missing/some.lock"), ::testing::HasSubstr("No such file"))));
}

}  // namespace
}  // namespace reelfarm::artifacts
