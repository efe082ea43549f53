#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"
#include "queue/private_redis.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::test {

/// An image-to-video bundle that can make its first frame.
inline queue::BundleLimits sample_bundle() {
  queue::BundleLimits limits;
  limits.name = "sample";
  limits.hash = std::string(64, 'a');
  limits.family = "hunyuan-i2v-latent-concat";
  limits.default_width = 64;
  limits.default_height = 48;
  limits.max_width = 1280;
  limits.max_height = 1280;
  limits.window_frames = 17;
  limits.overlap_frames = {1, 5};
  limits.default_steps = 4;
  limits.max_steps = 50;
  limits.shift = 5;
  limits.guidance = 1;
  limits.distilled = true;
  limits.has_t2i = true;
  limits.needs_image = true;
  limits.conditions = {"first"};
  limits.max_prompt_characters = 5000;
  return limits;
}

/// One real redis-server for all tests of a suite, emptied before each, and a data folder for each.
class FarmTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_folder_ = std::make_unique<TemporaryFolder>();
    queue::PrivateRedisOptions options;
    options.directory = server_folder_->path() / "redis";
    options.fsync = queue::AppendFsync::no;
    server_ = std::make_unique<queue::PrivateRedis>(options);
  }
  static void TearDownTestSuite() {
    server_.reset();
    server_folder_.reset();
  }

  /// Every test is a farm of its own on that server.
  static queue::StoreOptions store_options() {
    queue::StoreOptions options;
    options.url = server_->url();
    options.farm = std::string(testing::UnitTest::GetInstance()->current_test_info()->name());
    return options;
  }

  queue::JobSpec request(const std::string& prompt = "a red kite over a lake") const {
    queue::JobSpec spec;
    spec.prompt = prompt;
    spec.seed = 7;
    return spec;
  }

  static std::unique_ptr<TemporaryFolder> server_folder_;
  static std::unique_ptr<queue::PrivateRedis> server_;
  TemporaryFolder folder_;
  queue::DataFolder data_{folder_.path() / "data"};
};

inline std::unique_ptr<TemporaryFolder> FarmTest::server_folder_;
inline std::unique_ptr<queue::PrivateRedis> FarmTest::server_;

}  // namespace reelfarm::test
