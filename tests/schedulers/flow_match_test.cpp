#include "pipeline/schedulers/flow_match.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace reelfarm::schedulers {
namespace {

TEST(FlowMatchSchedule, FourStepsAtShiftFiveAreTheDistilledTable) {
  const FlowMatchSchedule schedule = flow_match_schedule(4, 5.0);
  EXPECT_EQ(schedule.sigmas, (std::vector<float>{1.0F, 0.9375F, 2.5F / 3.0F, 0.625F, 0.0F}));
  EXPECT_EQ(schedule.timesteps, (std::vector<float>{1000.0F, 937.5F, 2.5F / 3.0F * 1000.0F, 625.0F}));
}

TEST(FlowMatchSchedule, StepsAddUpFromNoiseToData) {
  for (const double shift : {0.5, 1.0, 7.0, 17.0}) {
    const FlowMatchSchedule schedule = flow_match_schedule(50, shift);
    double sum = 0;
    for (int step = 0; step < schedule.steps(); ++step) {
      EXPECT_LT(schedule.delta(step), 0);
      sum += schedule.delta(step);
    }
    EXPECT_NEAR(sum, -1.0, 1e-6);
  }
}

TEST(FlowMatchSchedule, RefusesNonsense) {
  EXPECT_THROW(flow_match_schedule(0, 5), std::invalid_argument);
  EXPECT_THROW(flow_match_schedule(4, 0), std::invalid_argument);
  EXPECT_THROW(flow_match_schedule(4, std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::schedulers
