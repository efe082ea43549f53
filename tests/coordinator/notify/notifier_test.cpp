// Notices from the farm's Redis to a real HTTP server and to real programs.
#include "coordinator/notify/notifier.hpp"

#include <gmock/gmock.h>
#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "coordinator/notify/command.hpp"
#include "queue/notices.hpp"
#include "tests/queue/support.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::notify {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using testing::HasSubstr;

bool eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

/// Answers with an error so often, and keeps what it was sent.
class WebhookServer {
 public:
  struct Request {
    std::string path;
    std::string id;
    std::string time;
    std::string signature;
    json body;
    std::string raw;
    bool taken = false;
  };

  WebhookServer() {
    server_.Post(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      const bool fails = failures_ > 0;
      if (fails) --failures_;
      response.status = fails ? 503 : 204;
      requests_.push_back({request.target, request.get_header_value("Reelfarm-Id"),
                           request.get_header_value("Reelfarm-Time"), request.get_header_value("Reelfarm-Signature"),
                           json::parse(request.body), request.body, !fails});
      came_.notify_all();
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() is heard by a server that runs already, and by no other.
    EXPECT_TRUE(eventually([this] { return server_.is_running(); }));
  }
  ~WebhookServer() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook?room=7"; }
  void fail(int times) {
    const std::lock_guard lock(mutex_);
    failures_ = times;
  }
  /// Waits until so many were taken, and gives everything that came.
  std::vector<Request> requests(std::size_t taken) {
    std::unique_lock lock(mutex_);
    const auto all_came = [&] {
      return std::ranges::count_if(requests_, &Request::taken) >= static_cast<std::ptrdiff_t>(taken);
    };
    EXPECT_TRUE(came_.wait_for(lock, std::chrono::seconds(30), all_came));
    return requests_;
  }

 private:
  httplib::Server server_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Request> requests_;
  int failures_ = 0;
  int port_ = 0;
  std::thread thread_;
};

class NotifierTest : public testing::Test {
 protected:
  NotifierOptions options() const {
    NotifierOptions options;
    options.store = store_.options();
    options.config.receivers = {{.name = "hook",
                                 .kinds = kinds_,
                                 .projects = {},
                                 .webhook = server_.url(),
                                 .secret = http::Token(kSecret),
                                 .command = {}}};
    options.look_every = milliseconds(20);
    options.first_pause = milliseconds(20);
    return options;
  }
  /// A job of one window that fails for good.
  std::string add_failed_job(const std::string& batch) {
    queue::JobSpec spec = queue::test::make_spec();
    spec.batch = batch;
    const std::string job = queue::test::add_job(store_, 1, false, spec);
    store_.fail(queue::test::must_claim(store_, queue::test::render_filter("g1")).token, queue::FailureClass::data,
                "bad");
    return job;
  }

  /// From then on what ends is told.
  bool is_watched() {
    return eventually([&] { return farm_.raw({"EXISTS", farm_.keys().notices_since()}).at(0) == "1"; });
  }

  static constexpr const char* kSecret = "0123456789abcdef";
  std::set<NewsKind> kinds_ = {NewsKind::failed, NewsKind::finished};
  WebhookServer server_;
  test::TemporaryFolder folder_;
  queue::test::TestFarm farm_;
  queue::JobStore store_ = farm_.make_store();
};

TEST_F(NotifierTest, IsTriedUntilItIsTakenAndSaysTheSameEachTime) {
  server_.fail(3);
  kinds_ = {NewsKind::failed};
  const Notifier notifier(options());
  ASSERT_TRUE(is_watched());
  const std::string job = add_failed_job("");
  const auto requests = server_.requests(1);
  ASSERT_EQ(requests.size(), 4U);
  for (const auto& request : requests) {
    EXPECT_EQ(request.path, "/hook?room=7");
    EXPECT_EQ(request.id, requests[0].id);
    EXPECT_EQ(request.raw, requests[0].raw);
    EXPECT_EQ(request.signature, "sha256=" + http::hmac_sha256(kSecret, request.time + "." + request.raw));
  }
  const json& body = requests[0].body;
  EXPECT_EQ(body["id"], requests[0].id);
  EXPECT_EQ(body["event"], "failed");
  EXPECT_EQ(body["name"], job);
  EXPECT_EQ(body["text"], "job " + job + " has failed: bad");
}

TEST_F(NotifierTest, OneThatIsStartedAgainTellsWhatItMissedAndNothingTwice) {
  {
    const Notifier first(options());
    ASSERT_TRUE(is_watched());
    add_failed_job("one");
    EXPECT_EQ(server_.requests(2).size(), 2U) << "of the job and of its batch";
  }
  add_failed_job("two");
  server_.fail(1);
  const Notifier second(options());
  const Notifier beside(options());
  add_failed_job("three");
  const auto requests = server_.requests(6);
  std::map<std::string, int> taken;
  std::set<std::string> subjects;
  for (const auto& request : requests) {
    if (!request.taken) continue;
    ++taken[request.id];
    subjects.insert(request.body["scope"].get<std::string>());
  }
  EXPECT_EQ(taken.size(), 6U);
  for (const auto& [id, times] : taken) EXPECT_EQ(times, 1);
  EXPECT_EQ(subjects, (std::set<std::string>{"batch", "job"}));
  // Nothing is left to tell, and a look later nothing has come after it.
  EXPECT_TRUE(eventually([&] { return farm_.raw({"ZCARD", farm_.keys().notices()}).at(0) == "0"; }));
}

TEST_F(NotifierTest, AReceiverThatIsAwayHoldsNobodyElseUp) {
  NotifierOptions with = options();
  WebhookServer other;
  with.first_pause = with.pause_cap = std::chrono::hours(1);
  with.config.receivers.push_back(
      {.name = "other", .kinds = kinds_, .projects = {}, .webhook = other.url(), .secret = {}, .command = {}});
  server_.fail(1'000);
  const Notifier notifier(with);
  ASSERT_TRUE(is_watched());
  for (int job = 0; job < 3; ++job) add_failed_job("");
  EXPECT_EQ(other.requests(3).size(), 3U);
  const auto later = std::to_string((store_.now() + std::chrono::minutes(30)).time_since_epoch().count());
  ASSERT_TRUE(eventually([&] { return farm_.raw({"ZCOUNT", farm_.keys().notices(), later, "+inf"}).at(0) == "3"; }));
  EXPECT_EQ(server_.requests(0).size(), 1U) << "one try for all of them";
}

TEST_F(NotifierTest, WhatWasToldIsNotToldAgainWhenItsLastJobIsRemoved) {
  queue::NoticeStore notices(farm_.options);
  const auto at = [](int second) { return queue::ServerTime(std::chrono::seconds(second)); };
  EXPECT_TRUE(notices.add("finished/batch/b", at(10), {}));
  EXPECT_FALSE(notices.add("finished/batch/b", at(10), {}));
  EXPECT_FALSE(notices.add("finished/batch/b", at(5), {})) << "since the job before it has ended";
  EXPECT_TRUE(notices.add("finished/batch/b", at(11), {}));
}

TEST_F(NotifierTest, ACommandGetsItOnItsStandardInput) {
  const auto file = folder_.path() / "told";
  NotifierOptions with = options();
  with.config.receivers = {
      {.name = "program",
       .kinds = {NewsKind::finished},
       .projects = {},
       .webhook = "",
       .secret = {},
       .command = {"/bin/sh", "-c", "cat > " + file.string() + ".new && mv " + file.string() + ".new " + file.string()},
       .as_text = true}};
  const Notifier notifier(with);
  ASSERT_TRUE(is_watched());
  add_failed_job("night");
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(file); }));
  std::ifstream in(file);
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text, "batch night has finished: 1 failed");
}

TEST(Command, SaysHowItWentWrong) {
  const milliseconds limit(10'000);
  EXPECT_EQ(run_command({"true"}, "unread", limit), "");
  EXPECT_THAT(run_command({"sh", "-c", "echo no such room >&2; exit 3"}, "", limit),
              HasSubstr("sh ended with code 3: no such room"));
  EXPECT_THAT(run_command({"sh", "-c", "kill -9 $$"}, "", limit), HasSubstr("signal 9"));
  EXPECT_THAT(run_command({"/nowhere/at-all"}, "", limit), HasSubstr("cannot start /nowhere/at-all"));
  EXPECT_THAT(run_command({"sh", "-c", "echo begun; sleep 1000"}, "", milliseconds(300)),
              HasSubstr("did not end in time and was killed: begun"));
  EXPECT_EQ(run_command({"sh", "-c", "test \"$(wc -c)\" = 1000000"}, std::string(1000000, 'x'), limit), "");
}

}  // namespace
}  // namespace reelfarm::notify
