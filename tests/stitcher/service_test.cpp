// The program reelfarm-stitcher against a real Redis, with windows that this test renders as barcodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "coordinator/data_marker.hpp"
#include "coordinator/planner.hpp"
#include "coordinator/request_check.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/artifacts/window_artifact.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "tests/coordinator/farm_fixture.hpp"
#include "tests/stitcher/synthetic.hpp"
#include "tests/video/video_fixture.hpp"

extern char** environ;

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using queue::TaskKind;
using queue::TaskState;
using ::testing::HasSubstr;

constexpr int kAsked = 34;  // Rendered at 48x48 and cropped: the barcode then begins at (1, 1).

/// A child process that is killed and waited for with its owner.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), std::string(REELFARM_BIN_DIR) + "/reelfarm-stitcher");
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    if (::posix_spawn(&pid_, words[0], nullptr, nullptr, words.data(), environ) != 0) throw std::runtime_error("spawn");
  }
  ~Program() {
    if (pid_ > 0) stop(SIGKILL);
  }
  void send(int signal) { ::kill(pid_, signal); }
  int stop(int signal) {
    send(signal);
    return wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = 30s) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

video::Image rendered(std::int64_t frame) {
  const video::Image code = stitcher::testing::barcode(frame);
  video::Image image = stitcher::testing::flat(48, 48, 90);
  for (int y = 0; y < code.height; ++y) std::copy_n(code.row(y), code.stride(), image.pixel(8, 8 + y));
  return image;
}

class StitcherProgram : public test::FarmTest {
 protected:
  StitcherProgram() : options_(store_options()) {
    options_.lease = 2s;
    store_.emplace(options_);
    coordinator::claim_data_folder(data_, store_->adopt_farm_id());
    limits_.window_frames = 17;
    limits_.needs_image = false;
    store_->register_bundle(limits_);
  }

  std::vector<std::string> arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"--redis",  options_.url,          "--farm",    options_.farm,
                                    "--data",   data_.root().string(), "--lease",   "2",
                                    "--preset", "ultrafast",           "--threads", "2"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::string add_job(std::int64_t frames, int overlap = 1, const std::string& name = "film") {
    queue::JobSpec spec = request();
    spec.frames = frames;
    spec.width = kAsked;
    spec.height = kAsked;
    spec.overlap_frames = overlap;
    spec.name = name;
    const std::string job = store_->submit(spec).job;
    const queue::JobSpec whole = coordinator::complete(spec, limits_).spec;
    EXPECT_TRUE(store_->accept(job, coordinator::plan_job(job, whole, limits_)));
    return job;
  }

  // Renders up to `count` windows of whatever job is first; how many there were.
  int render(int count) {
    queue::ClaimFilter filter;
    filter.owner = "renderer";
    filter.host = "here";
    filter.bundle_hash = limits_.hash;
    filter.fingerprint = "barcodes";
    int done = 0;
    while (done < count) {
      const auto lease = store_->claim(filter);
      if (!lease) break;
      finish_window(*lease);
      ++done;
    }
    return done;
  }

  void finish_window(const queue::Lease& lease) {
    const queue::TaskSpec& spec = lease.task.spec;
    artifacts::Staging staging(
        data_.job_windows(spec.job),
        artifacts::window_folder_name(spec.window, lease.job.take, lease.token.attempt, lease.token.nonce));
    video::FrameWriter writer(staging.path() / artifacts::kFramesFile, spec.render.width, spec.render.height, {24, 1});
    for (std::int64_t k = 0; k < spec.span.num_frames; ++k) writer.write(rendered(spec.span.first_frame + k));
    writer.finish();
    artifacts::WindowManifest manifest;
    manifest.job = spec.job;
    manifest.window = spec.window;
    manifest.fingerprint = "barcodes";
    manifest.first_frame = spec.span.first_frame;
    manifest.frame_count = spec.span.num_frames;
    manifest.width = spec.render.width;
    manifest.height = spec.render.height;
    const fs::path folder = staging.publish(manifest);
    queue::FinishReport report;
    report.artifact = {data_.relative(folder), artifacts::sha256_of_file(folder / artifacts::kManifestFile), 1,
                       spec.span.num_frames};
    report.digest = report.artifact.sha256;
    report.tail = report.artifact;
    ASSERT_EQ(store_->finish(lease.token, report), queue::ReplyCode::ok);
  }

  queue::JobRecord record(const std::string& job) { return *store_->get_job(job); }
  queue::TaskRecord stitch(const std::string& job) { return *store_->get_task(queue::task_id(job, TaskKind::stitch)); }

  // Every frame in its place, decoded by the ffmpeg program.
  void expect_barcodes(const fs::path& path, std::int64_t frames) {
    const auto decoded = video::testing::decode_with_ffmpeg(path, kAsked, kAsked);
    ASSERT_EQ(static_cast<std::int64_t>(decoded.size()), frames);
    for (std::size_t t = 0; t < decoded.size(); ++t) {
      ASSERT_EQ(stitcher::testing::read_barcode(video::crop(decoded[t], 1, 1, 32, 32)), static_cast<std::int64_t>(t));
    }
  }

  std::vector<fs::path> partials(const std::string& job) {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(data_.job_stitch(job), none)) found.push_back(entry.path());
    return found;
  }

  queue::StoreOptions options_;
  queue::BundleLimits limits_ = test::sample_bundle();
  std::optional<queue::JobStore> store_;
};

TEST_F(StitcherProgram, FollowsAJobAndPublishesItsVideo) {
  const std::string job = add_job(75, 5);
  Program program(arguments());
  ASSERT_EQ(render(2), 2);
  ASSERT_TRUE(eventually([&] { return stitch(job).progress.step == 2; })) << "two windows are there to be merged";
  EXPECT_EQ(stitch(job).state, TaskState::leased);
  EXPECT_EQ(partials(job).size(), 1u);
  render(100);
  ASSERT_TRUE(eventually([&] { return record(job).state == queue::JobState::done; })) << stitch(job).error;
  const fs::path video = data_.absolute(record(job).output);
  EXPECT_EQ(video.parent_path(), data_.videos());
  expect_barcodes(video, 75);
  const nlohmann::json stream = video::testing::probe(video)["streams"][0];
  EXPECT_EQ(stream["width"], kAsked);
  EXPECT_EQ(stream["color_space"], "bt709");
  EXPECT_EQ(stitch(job).artifact.sha256, artifacts::sha256_of_file(video));
  EXPECT_EQ(stitch(job).artifact.frames, 75);
  const nlohmann::json sidecar = nlohmann::json::parse(std::ifstream(fs::path(video).replace_extension(".json")));
  EXPECT_EQ(sidecar["prompt"], "a red kite over a lake");
  EXPECT_EQ(sidecar["seed"], 7);
  EXPECT_EQ(sidecar["bundle_hash"], limits_.hash);
  EXPECT_EQ(sidecar["partial"], false);
  EXPECT_EQ(sidecar["stitch"]["seams"].size(), sidecar["windows"].size() - 1);
  EXPECT_EQ(sidecar["windows"][1]["fingerprint"], "barcodes");
  EXPECT_TRUE(partials(job).empty());
  EXPECT_EQ(program.stop(SIGTERM), 0);
}

TEST_F(StitcherProgram, AJobThatWaitsBlocksNoOther) {
  const std::string waiting = add_job(60);
  ASSERT_EQ(render(1), 1);
  Program program(arguments({"--follow", "1"}));
  ASSERT_TRUE(eventually([&] { return stitch(waiting).progress.step == 1; }));
  // Held by hand, so that the renderer below works on the second job only.
  ASSERT_EQ(store_->pause(waiting).code, queue::ChangeCode::ok);
  const std::string second = add_job(40);
  render(100);
  ASSERT_TRUE(eventually([&] { return record(second).state == queue::JobState::done; }));
  EXPECT_EQ(stitch(waiting).state, TaskState::leased);
  ASSERT_EQ(store_->resume(waiting).code, queue::ChangeCode::ok);
  render(100);
  ASSERT_TRUE(eventually([&] { return record(waiting).state == queue::JobState::done; }));
  EXPECT_EQ(stitch(waiting).attempt, 1);
  expect_barcodes(data_.absolute(record(waiting).output), 60);
}

TEST_F(StitcherProgram, AKilledOneIsFollowedByAnotherWithTheSameBytes) {
  const std::string undisturbed = add_job(80, 5);
  render(100);
  std::string expected;
  {
    Program program(arguments());
    ASSERT_TRUE(eventually([&] { return record(undisturbed).state == queue::JobState::done; }));
    expected = stitch(undisturbed).artifact.sha256;
  }
  const std::string job = add_job(80, 5);
  ASSERT_EQ(render(2), 2);
  {
    Program program(arguments());
    ASSERT_TRUE(eventually([&] { return stitch(job).progress.step == 2; }));
    EXPECT_EQ(program.stop(SIGKILL), 128 + SIGKILL);
  }
  EXPECT_EQ(partials(job).size(), 1u) << "what was written stays playable";
  Program program(arguments());
  // The first reap only grants a full term.
  ASSERT_TRUE(eventually([&] { return store_->reap().requeued > 0; }));
  render(100);
  ASSERT_TRUE(eventually([&] { return record(job).state == queue::JobState::done; }));
  EXPECT_EQ(stitch(job).attempt, 2);
  EXPECT_EQ(stitch(job).artifact.sha256, expected);
  expect_barcodes(data_.absolute(record(job).output), 80);
}

TEST_F(StitcherProgram, ACancelledJobLeavesAPlayablePartialVideo) {
  const std::string job = add_job(80);
  ASSERT_EQ(render(2), 2);
  Program program(arguments());
  ASSERT_TRUE(eventually([&] { return stitch(job).progress.step == 2; }));
  ASSERT_EQ(store_->cancel(job, "enough").code, queue::ChangeCode::ok);
  ASSERT_TRUE(eventually([&] { return !record(job).output.empty(); }));
  EXPECT_EQ(record(job).state, queue::JobState::cancelled);
  EXPECT_TRUE(record(job).partial);
  const fs::path video = data_.absolute(record(job).output);
  EXPECT_THAT(video.string(), HasSubstr("_partial.mp4"));
  // Windows of 17 frames that share one.
  expect_barcodes(video, 33);
  EXPECT_EQ(nlohmann::json::parse(std::ifstream(fs::path(video).replace_extension(".json")))["partial"], true);
  // A retry goes on from what is done, and the whole video takes the partial one's place.
  ASSERT_EQ(store_->retry(job).code, queue::ChangeCode::ok);
  render(100);
  ASSERT_TRUE(eventually([&] { return record(job).state == queue::JobState::done; }));
  expect_barcodes(data_.absolute(record(job).output), 80);
  EXPECT_TRUE(eventually([&] { return !fs::exists(video); }));
}

TEST_F(StitcherProgram, SigtermGivesTasksBackAtOnce) {
  const std::string job = add_job(60);
  ASSERT_EQ(render(1), 1);
  Program program(arguments());
  ASSERT_TRUE(eventually([&] { return stitch(job).progress.step == 1; }));
  EXPECT_EQ(program.stop(SIGTERM), 0);
  EXPECT_EQ(stitch(job).state, TaskState::ready);
  EXPECT_EQ(stitch(job).crashes, 0);
  EXPECT_TRUE(partials(job).empty());
}

TEST_F(StitcherProgram, ADamagedWindowIsRenderedAgain) {
  const std::string job = add_job(30);
  ASSERT_EQ(render(2), 2);
  const auto tasks = store_->get_tasks(job);
  const fs::path frames = data_.absolute(tasks.at(0).artifact.path) / artifacts::kFramesFile;
  {
    std::fstream file(frames, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(700);
    file.put('\x55');
  }
  const auto window = [&] { return store_->get_task(tasks.at(0).spec.id).value(); };
  Program program(arguments({"--settle", "1"}));
  ASSERT_TRUE(eventually([&] { return stitch(job).not_before > store_->now(); }));
  EXPECT_EQ(window().state, TaskState::done) << "it may be that this host does not see all of it yet";
  ASSERT_TRUE(eventually([&] { return window().failures > 0; }));
  EXPECT_THAT(window().error, HasSubstr("its manifest says"));
  EXPECT_THAT(window().error, HasSubstr(frames.string()));
  EXPECT_EQ(window().error_class, "storage");
  ASSERT_TRUE(eventually([&] { return render(1) == 1; }));
  ASSERT_TRUE(eventually([&] { return record(job).state == queue::JobState::done; }));
  EXPECT_EQ(stitch(job).failures, 0);
  expect_barcodes(data_.absolute(record(job).output), 30);
}

TEST_F(StitcherProgram, SurvivesARedisThatGoesAwayForAWhile) {
  const std::string job = add_job(60);
  ASSERT_EQ(render(1), 1);
  Program program(arguments());
  ASSERT_TRUE(eventually([&] { return stitch(job).progress.step == 1; }));
  server_->kill();
  server_->start();
  render(100);
  // Its lease may have ended meanwhile; then the task is claimed again.
  ASSERT_TRUE(eventually([&] {
    store_->reap();
    return record(job).state == queue::JobState::done;
  }));
  expect_barcodes(data_.absolute(record(job).output), 60);
}

TEST_F(StitcherProgram, WaitsForItsDataFolderToBeTheFarms) {
  const std::string job = add_job(10);
  render(1);
  fs::rename(data_.marker(), data_.root() / "hidden");
  Program program(arguments());
  // What it says of itself shows that it has looked and left the task alone.
  const auto note = [&] {
    const auto stitchers = store_->list_stitchers();
    return stitchers.empty() ? std::string() : stitchers[0].note;
  };
  ASSERT_TRUE(eventually([&] { return note().find("farm.id") != std::string::npos; })) << note();
  EXPECT_EQ(stitch(job).attempt, 0);
  fs::rename(data_.root() / "hidden", data_.marker());
  ASSERT_TRUE(eventually([&] { return record(job).state == queue::JobState::done; }));
  EXPECT_TRUE(eventually([&] { return note().empty(); }));
}

TEST_F(StitcherProgram, IsKnownWhileItRunsAndGoneWhenItHangs) {
  options_.group_timeout = 2s;
  store_.emplace(options_);
  Program program(arguments());
  ASSERT_TRUE(eventually([&] { return store_->list_stitchers().size() == 1; }));
  EXPECT_FALSE(store_->list_stitchers().at(0).gone);
  EXPECT_TRUE(store_->list_stitchers().at(0).id.starts_with("stitcher-"));
  program.send(SIGSTOP);
  EXPECT_TRUE(eventually([&] { return store_->list_stitchers().at(0).gone; }));
  program.send(SIGCONT);
  EXPECT_TRUE(eventually([&] { return !store_->list_stitchers().at(0).gone; }));
  EXPECT_EQ(program.stop(SIGTERM), 0);
  EXPECT_TRUE(store_->list_stitchers().empty());
}

TEST_F(StitcherProgram, SaysWhatIsWrongWithItsOptions) {
  EXPECT_EQ(Program({"--data", "/tmp"}).wait(), 2);
  EXPECT_EQ(Program(arguments({"--follow", "0"})).wait(), 2);
  EXPECT_EQ(Program(arguments({"--colour", "x"})).wait(), 2);
  EXPECT_EQ(Program({"--redis", "unix:///absent.sock", "--data", "/tmp"}).wait(), 3);
  EXPECT_EQ(Program({"--help"}).wait(), 0);
}

}  // namespace
}  // namespace reelfarm::worker
