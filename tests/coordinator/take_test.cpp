#include "coordinator/take.hpp"

#include <gmock/gmock.h>

#include "coordinator/data_marker.hpp"
#include "coordinator/inbox.hpp"
#include "tests/coordinator/farm_fixture.hpp"
#include "tests/coordinator/published_files.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A farm with one done job of four windows.
class TakeTest : public test::FarmTest {
 protected:
  void SetUp() override {
    store_.emplace(store_options());
    claim_data_folder(data_, "farm");
    store_->register_bundle(test::sample_bundle());
    inbox_.emplace(*store_, data_);
    queue::JobSpec spec = request();
    spec.frames = 60;
    first_ = accept(spec);
    test::render_all(*store_, data_);
    ASSERT_EQ(store_->get_job(first_)->state, queue::JobState::done);
    ASSERT_EQ(store_->get_job(first_)->windows, 4);
  }

  std::string accept(const queue::JobSpec& spec) {
    std::string job = store_->submit(spec).job;
    inbox_->process();
    return job;
  }
  queue::JobSpec take_from(int window) {
    queue::JobSpec spec = store_->get_job(first_)->spec;
    spec.parent = first_;
    spec.from_window = window;
    spec.request_id.clear();
    return spec;
  }
  std::string refusal(const queue::JobSpec& spec) { return store_->get_job(accept(spec))->error.message; }
  std::string states(const std::string& job) {
    std::string text;
    for (const queue::TaskRecord& task : store_->get_tasks(job)) text += std::string(to_string(task.state)) + " ";
    return text;
  }

  std::optional<queue::JobStore> store_;
  std::optional<Inbox> inbox_;
  std::string first_;
};

TEST_F(TakeTest, RendersFromItsWindowOnAndNothingElse) {
  const std::string take = accept(take_from(2));
  EXPECT_EQ(states(take), "done done done ready waiting ready ");
  const queue::JobRecord record = store_->get_job(take).value();
  EXPECT_EQ(record.spec.take, 2);
  EXPECT_EQ(record.spec.family, first_);
  EXPECT_EQ(record.fingerprint, test::kFingerprint);
  EXPECT_LT(record.bytes_needed, store_->get_job(first_)->bytes_needed);
  const auto before = store_->get_tasks(first_);
  const auto after = store_->get_tasks(take);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool same = i < 3;  // the image and two windows
    EXPECT_EQ(before[i].spec.artifact_key == after[i].spec.artifact_key, same) << i;
    EXPECT_EQ(before[i].spec.render.seed == after[i].spec.render.seed, same || i == 5) << i;
  }
  const auto lease = test::claim(*store_, queue::TaskKind::window);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->task.spec.window, 2);
  EXPECT_THAT(lease->inputs.at(0).tail->path, HasSubstr(take)) << "the tail is the take's own file";
  EXPECT_TRUE(fs::exists(data_.absolute(lease->inputs.at(0).tail->path)));
}

TEST_F(TakeTest, OwnsWhatItTookOver) {
  const std::string take = accept(take_from(2));
  fs::remove_all(data_.job(first_));
  ASSERT_EQ(store_->forget(first_).code, queue::ChangeCode::ok);
  for (const queue::TaskRecord& task : store_->get_tasks(take)) {
    if (task.state != queue::TaskState::done || task.spec.kind != queue::TaskKind::window) continue;
    const auto manifest = artifacts::open_window(data_.absolute(task.artifact.path), artifacts::Check::kHashes);
    EXPECT_EQ(manifest.job, take);
    EXPECT_EQ(manifest.window, task.spec.window);
    EXPECT_EQ(manifest.seed, task.spec.render.seed);
    EXPECT_EQ(task.tail.sha256,
              artifacts::open_window(data_.absolute(task.artifact.path), artifacts::Check::kSizes).files.back().sha256);
  }
  test::render_all(*store_, data_);
  EXPECT_EQ(store_->get_job(take)->state, queue::JobState::done);
  EXPECT_EQ(store_->get_task(queue::task_id(take, queue::TaskKind::window, 1))->attempt, 0);
}

TEST_F(TakeTest, OfATakeGoesOnFromThatTakesWindows) {
  const std::string second = accept(take_from(3));
  test::render_all(*store_, data_);
  queue::JobSpec spec = take_from(3);
  spec.parent = second;
  spec.prompt = "a blue kite over a lake";
  const std::string third = accept(spec);
  EXPECT_EQ(store_->get_job(third)->spec.take, 3);
  EXPECT_EQ(store_->get_job(third)->spec.family, first_);
  const auto tasks = store_->get_tasks(third);
  EXPECT_EQ(tasks[1].spec.render.prompt, "a red kite over a lake");
  EXPECT_EQ(tasks[4].spec.render.prompt, "a blue kite over a lake");
}

TEST_F(TakeTest, IsTheSameWhenItsCoordinatorIsKilledBeforeItAccepts) {
  const std::string job = store_->submit(take_from(1)).job;
  const auto parent = find_parent(*store_, data_, take_from(1));
  ASSERT_TRUE(parent);
  queue::Plan plan = parent->file.plan;
  plan.spec.from_window = 1;
  for (queue::TaskSpec& task : plan.tasks) {
    task.job = job;
    task.id = queue::task_id(job, task.kind, task.window);
  }
  take_over(data_, *parent, job, plan);
  EXPECT_EQ(inbox_->process().accepted, 1);
  EXPECT_EQ(states(job), "done done ready waiting waiting ready ");
  const auto file = read_job_file(data_, job);
  ASSERT_TRUE(file);
  EXPECT_EQ(to_text(parse_job_file(to_text(*file))), to_text(*file));
  EXPECT_EQ(file->plan.finished.size(), 2U);
}

TEST_F(TakeTest, ThatCannotBeIsRefusedWithTheReason) {
  EXPECT_THAT(refusal(take_from(4)), HasSubstr("windows 0 to 3"));
  queue::JobSpec longer = take_from(1);
  longer.frames = 61;
  EXPECT_THAT(refusal(longer), HasSubstr("the length is another"));
  queue::JobSpec stranger = take_from(1);
  stranger.parent = queue::make_job_id();
  EXPECT_THAT(refusal(stranger), HasSubstr("there is no such job"));
  fs::remove_all(data_.absolute(store_->get_tasks(first_)[2].artifact.path));
  EXPECT_THAT(refusal(take_from(2)), HasSubstr("window 1 of job " + first_));
  EXPECT_THAT(refusal(take_from(2)), HasSubstr("use resubmit"));
  EXPECT_EQ(store_->takes(first_).size(), 1U);
  const std::string earlier = accept(take_from(1));
  EXPECT_EQ(store_->get_job(earlier)->spec.take, 2) << "those refused took no number";
}

TEST_F(TakeTest, NeedsTheWindowsBeforeItDone) {
  queue::JobSpec spec = request();
  spec.frames = 60;
  const std::string running = accept(spec);
  queue::JobSpec take = take_from(2);
  take.parent = running;
  EXPECT_THAT(refusal(take), HasSubstr("the first frame of job " + running + " is ready"));
}

TEST_F(TakeTest, WithoutAWindowIsRenderedWhole) {
  queue::JobSpec spec = take_from(0);
  spec.from_window.reset();
  const std::string take = accept(spec);
  EXPECT_EQ(store_->get_job(take)->spec.take, 2);
  EXPECT_EQ(states(take), "ready waiting waiting waiting waiting waiting ");
  EXPECT_NE(store_->get_tasks(take)[0].spec.render.seed, store_->get_tasks(first_)[0].spec.render.seed);
}

}  // namespace
}  // namespace reelfarm::coordinator
