#include "coordinator/inbox.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "coordinator/data_marker.hpp"
#include "coordinator/planner.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "tests/coordinator/farm_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

using testing::HasSubstr;

class InboxTest : public test::FarmTest {
 protected:
  void SetUp() override {
    store_.emplace(store_options());
    claim_data_folder(data_, store_->adopt_farm_id());
    store_->register_bundle(test::sample_bundle());
    inbox_.emplace(*store_, data_);
  }
  std::optional<queue::JobStore> store_;
  std::optional<Inbox> inbox_;
};

TEST_F(InboxTest, APlannedJobIsQueuedAndItsFileHoldsThePlan) {
  queue::JobSpec spec = request();
  spec.frames = 40;
  const std::string job = store_->submit(spec).job;
  const InboxResult result = inbox_->process();
  EXPECT_EQ(result.accepted, 1);
  const auto record = store_->get_job(job);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, queue::JobState::queued);
  EXPECT_EQ(record->windows, 3);
  EXPECT_EQ(record->spec.steps, 4);
  EXPECT_FALSE(record->asked.steps);
  EXPECT_GT(record->bytes_needed, 0U);
  const auto file = read_job_file(data_, job);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->plan.tasks.size(), 5U);
  EXPECT_EQ(to_text(parse_job_file(to_text(*file))), to_text(*file));
  EXPECT_EQ(inbox_->process().accepted, 0);
  EXPECT_EQ(store_->get_tasks(job).size(), 5U);
}

TEST_F(InboxTest, APromptOfTooManyTokensIsRejectedOnceItsTokenizerIsThere) {
  queue::BundleLimits limits = test::sample_bundle();
  limits.prompt_limits = {{true, "text_encoder", "tokenizer", "{}", 0, 3},
                          {false, "text_encoder", "tokenizer", "A film: {}", 2, 20}};
  store_->register_bundle(limits);
  queue::JobSpec spec = request();
  spec.prompt = "a red ball moving left over the sea";
  // Without the tokenizer the ranks count.
  const std::string early = store_->submit(spec).job;
  EXPECT_EQ(inbox_->process().accepted, 1);
  std::filesystem::create_directories(data_.tokenizer(limits.hash, "tokenizer"));
  std::filesystem::copy(std::filesystem::path(REELFARM_SOURCE_DIR) / "bundles/demo/tokenizer",
                        data_.tokenizer(limits.hash, "tokenizer"));
  const std::string late = store_->submit(spec).job;
  EXPECT_EQ(inbox_->process().rejected, 1);
  EXPECT_THAT(store_->get_job(late)->error.message, HasSubstr("for text_encoder, which takes at most 3"));
  // With an image nothing is drawn from text, and the other limit is wide enough.
  spec.image = queue::ImageInput{std::string(64, 'b'), "png", "photo.png"};
  std::ofstream(data_.input(spec.image->sha256)) << "pixels";
  store_->submit(spec);
  EXPECT_EQ(inbox_->process().accepted, 1);
}

TEST_F(InboxTest, ABadJobIsRejectedWithTheReasonAndLeavesNothing) {
  queue::JobSpec spec = request();
  spec.bundle = "simple";
  const std::string job = store_->submit(spec).job;
  EXPECT_EQ(inbox_->process().rejected, 1);
  const auto record = store_->get_job(job);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, queue::JobState::failed);
  EXPECT_EQ(record->error.error_class, "rejected");
  EXPECT_THAT(record->error.message, HasSubstr("did you mean 'sample'?"));
  EXPECT_FALSE(std::filesystem::exists(data_.job(job)));
}

TEST_F(InboxTest, AnImageThatIsNotInTheFarmIsRejected) {
  queue::JobSpec spec = request();
  spec.image = queue::ImageInput{std::string(64, 'd'), "png", "photo.png"};
  const std::string job = store_->submit(spec).job;
  EXPECT_EQ(inbox_->process().rejected, 1);
  EXPECT_THAT(store_->get_job(job)->error.message, HasSubstr("photo.png"));
}

TEST_F(InboxTest, AJobAfterAnUnknownJobIsRejected) {
  queue::JobSpec spec = request();
  spec.after = queue::make_job_id();
  const std::string job = store_->submit(spec).job;
  EXPECT_EQ(inbox_->process().rejected, 1);
  EXPECT_THAT(store_->get_job(job)->error.message, HasSubstr("there is no such job"));
}

TEST_F(InboxTest, TheFileThatIsThereDecidesAfterACrashBeforeAccept) {
  const std::string job = store_->submit(request()).job;
  JobFile file;
  file.job = job;
  file.asked = request();
  file.bundle = test::sample_bundle();
  queue::JobSpec decided = request();
  decided.frames = 33;
  file.plan = plan_job(job, complete(decided, file.bundle).spec, file.bundle);
  create_job_file(data_, file);
  EXPECT_EQ(inbox_->process().accepted, 1);
  EXPECT_EQ(store_->get_job(job)->spec.frames, 33);
}

TEST_F(InboxTest, AnUnreadableJobFileOfAJobInTheInboxIsMadeAgain) {
  const std::string job = store_->submit(request()).job;
  std::filesystem::create_directories(data_.job(job));
  std::ofstream(data_.job_file(job)) << "{\"schema\": 1, \"jo";
  EXPECT_EQ(inbox_->process().accepted, 1);
  EXPECT_EQ(read_job_file(data_, job)->plan.spec.frames, 17);
}

TEST_F(InboxTest, AFullOrUnwritableDiskKeepsTheJobInTheInbox) {
  const std::string job = store_->submit(request()).job;
  // A file where the job's folder should be stands for a disk that takes no more; it stops root as well.
  std::ofstream(data_.job(job)) << "x";
  EXPECT_EQ(inbox_->process().waiting, 1);
  EXPECT_EQ(store_->get_job(job)->state, queue::JobState::submitted);
  std::filesystem::remove(data_.job(job));
  EXPECT_EQ(inbox_->process().accepted, 1);
}

TEST_F(InboxTest, AJobCancelledInTheInboxLeavesNoFile) {
  const std::string job = store_->submit(request()).job;
  store_->cancel(job);
  inbox_->process();
  EXPECT_EQ(store_->get_job(job)->state, queue::JobState::cancelled);
  EXPECT_FALSE(std::filesystem::exists(data_.job(job)));
}

TEST_F(InboxTest, TwoCoordinatorsAcceptEachJobOnceWithOnePlan) {
  constexpr int kJobs = 200;
  std::vector<queue::JobSpec> specs(kJobs, request());
  for (int index = 0; index < kJobs; ++index) specs[static_cast<std::size_t>(index)].frames = 5 + index;
  std::vector<std::string> jobs;
  for (const auto& submitted : store_->submit_batch(specs)) jobs.push_back(submitted.job);
  const queue::StoreOptions options = store_options();
  const auto work = [&] {
    queue::JobStore store(options);
    Inbox inbox(store, data_);
    for (int pass = 0; pass < 50 && !store.read_inbox(1).empty(); ++pass) inbox.process();
  };
  {
    std::jthread one(work);
    std::jthread other(work);
  }
  EXPECT_TRUE(store_->read_inbox().empty());
  for (int index = 0; index < kJobs; ++index) {
    const std::string& job = jobs[static_cast<std::size_t>(index)];
    const auto record = store_->get_job(job);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->state, queue::JobState::queued);
    const auto file = read_job_file(data_, job);
    ASSERT_TRUE(file);
    EXPECT_EQ(store_->get_tasks(job).size(), file->plan.tasks.size());
    EXPECT_EQ(record->spec.frames, 5 + index);
  }
}

class EmptyFarmTest : public test::FarmTest {};

TEST_F(EmptyFarmTest, JobsStayInTheInboxUntilAGroupRegistersABundle) {
  queue::JobStore store(store_options());
  claim_data_folder(data_, store.adopt_farm_id());
  Inbox inbox(store, data_);
  const std::string job = store.submit(request()).job;
  EXPECT_EQ(inbox.process().waiting, 1);
  EXPECT_EQ(store.get_job(job)->state, queue::JobState::submitted);
  store.register_bundle(test::sample_bundle());
  EXPECT_EQ(inbox.process().accepted, 1);
}

TEST_F(EmptyFarmTest, ADataFolderOfAnotherFarmIsRefused) {
  claim_data_folder(data_, "farm-one");
  claim_data_folder(data_, "farm-one");
  try {
    claim_data_folder(data_, "farm-two");
    FAIL() << "DATA belongs to farm-one";
  } catch (const queue::DataFolderError& error) {
    EXPECT_THAT(error.what(), HasSubstr("belongs to farm farm-one"));
  }
}

TEST_F(EmptyFarmTest, ADataFolderThatCannotBeMadeIsAClearError) {
  std::ofstream(folder_.path() / "data") << "a file";
  try {
    claim_data_folder(data_, "farm-one");
    FAIL() << "a file is in the way";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr((folder_.path() / "data").string()));
  }
}

}  // namespace
}  // namespace reelfarm::coordinator
