#include "queue/working_hours.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <optional>

namespace reelfarm::queue {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::system_clock;

/// Runs in a time zone that changes its clocks, whatever this machine's is.
class Hours : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* zone = std::getenv("TZ")) before_ = zone;
    // Written out (tzset(3)): the machine may have no zone files. Clocks go forward at 2:00 on the last Sunday of
    // March, and back at 3:00 on the last of October.
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    ::tzset();
  }
  void TearDown() override {
    if (before_) {
      ::setenv("TZ", before_->c_str(), 1);
    } else {
      ::unsetenv("TZ");
    }
    ::tzset();
  }
  static system_clock::time_point utc(int year, int month, int day, int hour, int minute = 0) {
    const std::chrono::sys_days date{std::chrono::year(year) / month / day};
    return date + hours(hour) + minutes(minute);
  }

  std::optional<std::string> before_;
};

TEST_F(Hours, BeginInsideAndEndOutside) {
  const WorkingHours day("09:30-17:00");
  EXPECT_FALSE(day.contain(utc(2026, 1, 15, 8, 29)));
  EXPECT_TRUE(day.contain(utc(2026, 1, 15, 8, 30)));
  EXPECT_TRUE(day.contain(utc(2026, 1, 15, 15, 59)));
  EXPECT_FALSE(day.contain(utc(2026, 1, 15, 16, 0)));
}

TEST_F(Hours, GoOverMidnight) {
  const WorkingHours night("20:00-07:00");
  EXPECT_FALSE(night.contain(utc(2026, 1, 15, 18, 59)));
  EXPECT_TRUE(night.contain(utc(2026, 1, 15, 19, 0)));
  EXPECT_TRUE(night.contain(utc(2026, 1, 15, 23, 30)));
  EXPECT_TRUE(night.contain(utc(2026, 1, 16, 5, 59)));
  EXPECT_FALSE(night.contain(utc(2026, 1, 16, 6, 0)));
  EXPECT_FALSE(night.contain(utc(2026, 1, 16, 11, 0)));
}

TEST_F(Hours, SeveralSpansAndTheEndOfADay) {
  const WorkingHours both("12:00-13:00,22:00-24:00");
  EXPECT_TRUE(both.contain(utc(2026, 1, 15, 11, 30)));
  EXPECT_FALSE(both.contain(utc(2026, 1, 15, 12, 30)));
  EXPECT_TRUE(both.contain(utc(2026, 1, 15, 22, 59)));
  EXPECT_FALSE(both.contain(utc(2026, 1, 15, 23, 0)));
}

// A night of 29 March has 10 hours between 20:00 and 7:00, one of 25 October 12.
TEST_F(Hours, GoByTheClockOnTheWallWhenItIsChanged) {
  const WorkingHours night("20:00-07:00");
  const auto minutes_worked = [&](system_clock::time_point noon_before) {
    int count = 0;
    for (int minute = 0; minute < 24 * 60; ++minute) count += night.contain(noon_before + minutes(minute)) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(minutes_worked(utc(2026, 3, 28, 11)), 10 * 60);
  EXPECT_EQ(minutes_worked(utc(2026, 10, 24, 10)), 12 * 60);
  EXPECT_EQ(minutes_worked(utc(2026, 6, 10, 10)), 11 * 60);
  const WorkingHours skipped("02:00-03:00");
  EXPECT_FALSE(skipped.contain(utc(2026, 3, 29, 0, 59)));
  EXPECT_FALSE(skipped.contain(utc(2026, 3, 29, 1, 0)));
  EXPECT_TRUE(skipped.contain(utc(2026, 10, 25, 0, 30)));
  EXPECT_TRUE(skipped.contain(utc(2026, 10, 25, 1, 30)));
}

TEST(HoursText, OtherFormsAreRefused) {
  for (const char* text : {"", "20:00", "20-7", "20:00-", "-07:00", "25:00-07:00", "20:60-07:00", "24:00-07:00",
                           "20:00-07:00,", "20:0-07:00", "08:00-08:00", "20:00-07:00 ", "20:00-24:01", "1:-2-03:00",
                           "+1:00-02:00", "020:00-07:00", "20:00-07:00-08:00"}) {
    EXPECT_THROW(WorkingHours{text}, std::invalid_argument) << text;
  }
  EXPECT_EQ(WorkingHours("9:00-17:00").text(), "9:00-17:00");
}

}  // namespace
}  // namespace reelfarm::queue
