#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "coordinator/data_marker.hpp"
#include "coordinator/inbox.hpp"
#include "coordinator/kept_state.hpp"
#include "coordinator/rebuild.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "tests/coordinator/farm_fixture.hpp"
#include "tests/coordinator/published_files.hpp"

namespace reelfarm::test {

/// A farm whose Redis can be lost.
class RebuildTest : public FarmTest {
 protected:
  void SetUp() override {
    open(store_options().farm);
    coordinator::claim_data_folder(data_, store_->adopt_farm_id());
    store_->register_bundle(sample_bundle());
  }
  /// All that is in Redis is gone: the next one has none of it.
  void lose_redis() { open(options_.farm + "-after"); }
  void open(const std::string& farm) {
    options_ = store_options();
    options_.farm = farm;
    store_.emplace(options_);
  }

  std::string accept(int frames) {
    queue::JobSpec spec = request();
    spec.frames = frames;
    std::string job = store_->submit(spec).job;
    coordinator::Inbox(*store_, data_).process();
    return job;
  }
  /// Renders the image and so many windows.
  void render(int windows) {
    const auto image = claim(*store_, queue::TaskKind::image);
    ASSERT_TRUE(image);
    const auto file = data_.job_image(image->task.spec.job) / "w0000_t1_a1_n.png";
    std::filesystem::create_directories(file.parent_path());
    artifacts::write_file_durably(file, "an image");
    store_->finish(image->token,
                   {"d", {data_.relative(file), artifacts::sha256_of_file(file), 8, 1}, std::nullopt, ""});
    for (int window = 0; window < windows; ++window) {
      const auto lease = claim(*store_, queue::TaskKind::window);
      ASSERT_TRUE(lease);
      ASSERT_EQ(store_->finish(lease->token, publish_window(data_, *lease)), queue::ReplyCode::ok);
    }
  }
  std::filesystem::path window_of(const std::string& job, int window) {
    return data_.absolute(store_->get_task(queue::task_id(job, queue::TaskKind::window, window))->artifact.path);
  }
  template <typename Change>
  void change_manifest(const std::filesystem::path& window, const Change& change) {
    auto manifest = artifacts::open_window(window, artifacts::Check::kSizes);
    change(manifest);
    artifacts::write_file_durably(window / artifacts::kManifestFile, artifacts::to_text(manifest));
  }
  std::string states(const std::string& job) {
    std::string text;
    for (const queue::TaskRecord& task : store_->get_tasks(job)) text += std::string(to_string(task.state)) + " ";
    return text;
  }
  void keep(const std::string& job) {
    EXPECT_TRUE(coordinator::keep_state(data_, *store_, store_->get_job(job).value()));
  }

  queue::StoreOptions options_;
  std::optional<queue::JobStore> store_;
};

}  // namespace reelfarm::test
