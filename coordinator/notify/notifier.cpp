#include "coordinator/notify/notifier.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "coordinator/keep_running.hpp"
#include "coordinator/notify/command.hpp"
#include "coordinator/notify/webhook.hpp"
#include "logging/log_format.hpp"
#include "queue/event.hpp"
#include "queue/notices.hpp"

namespace reelfarm::notify {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{250};
constexpr milliseconds kRetry{1000};
constexpr milliseconds kCommandLimit{30'000};

std::string id_of(const News& news, const std::string& receiver) {
  const std::string what =
      std::to_string(news.since.time_since_epoch().count()) + "\n" + receiver + "\n" + news.subject();
  return http::hmac_sha256("reelfarm notice", what).substr(0, 32);
}

std::string body_of(const News& news, const std::string& id) {
  nlohmann::json body = {{"id", id},
                         {"event", to_string(news.kind)},
                         {"scope", news.scope},
                         {"name", news.name},
                         {"project", news.project},
                         {"text", news.text},
                         {"since_ms", news.since.time_since_epoch().count()}};
  for (const auto& [state, count] : news.jobs) body["jobs"][std::string(queue::to_string(state))] = count;
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The line for people in a notice's body.
std::string text_in(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  return document.is_object() ? document.value("text", body) + "\n" : body + "\n";
}

/// What one connection to the farm knows of it.
struct Watch {
  explicit Watch(const queue::StoreOptions& options)
      : store(options), events(options), notices(options), farm(notices.watched_since()) {
    // How long nothing has advanced is in the events that are kept; what is read twice does no harm.
    queue::EventReader past(options, "0");
    for (auto some = past.read(milliseconds(0)); !some.empty(); some = past.read(milliseconds(0))) {
      for (const queue::Event& event : some) farm.see(event);
    }
    for (const queue::JobRecord& job : store.list_jobs()) farm.set(job);
  }

  /// Waits a moment for what changes. True when a job has.
  bool follow() {
    std::set<std::string> changed;
    for (const queue::Event& event : events.read(kPoll)) {
      farm.see(event);
      if (event.task.empty() && !event.job.empty()) changed.insert(event.job);
    }
    for (const std::string& id : changed) {
      if (const auto job = store.get_job(id)) {
        farm.set(*job);
      } else {
        farm.forget(id);
      }
    }
    return !changed.empty();
  }

  FarmNews::Moment moment() {
    const auto leases = store.leases();
    const bool anybody =
        std::ranges::any_of(leases, [](const auto& token) { return !token.task.ends_with(".stitch"); });
    return {store.now(), anybody, store.farm_pause().has_value()};
  }

  queue::JobStore store;
  queue::EventReader events;
  queue::NoticeStore notices;
  FarmNews farm;
  std::map<std::string, queue::ServerTime> told;  ///< by subject: asked Redis about already
};

/// A receiver that did not take the last it was told.
struct Rest {
  int failures = 0;  ///< one after another
  std::chrono::steady_clock::time_point until{};
};

}  // namespace

struct Notifier::Impl {
  explicit Impl(NotifierOptions with) : options(std::move(with)) {}

  void stop() {
    const std::lock_guard lock(mutex);
    stopping = true;
    wake.notify_all();
  }
  /// Waits; true when it is time to stop.
  bool pause(milliseconds duration) {
    std::unique_lock lock(mutex);
    return wake.wait_for(lock, duration, [this] { return stopping; });
  }
  /// Runs `step` until the end; a Redis that is away is waited for. `lost`: what was connected is to be let go.
  void keep_running(const char* what, const std::function<void()>& step, const std::function<void()>& lost);
  void watch();
  void enter(Watch& watch);
  void deliver();
  void deliver_one(queue::NoticeStore& notices, const queue::Notice& notice);
  milliseconds pause_after(int failures) const;
  std::string try_to_tell(const Receiver& receiver, const queue::Notice& notice) const;

  NotifierOptions options;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::map<std::string, Rest> resting;  ///< by receiver; the courier's own
  std::jthread watcher;
  std::jthread courier;
};

Notifier::Notifier(NotifierOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  impl_->watcher = std::jthread([impl = impl_.get()] { impl->watch(); });
  impl_->courier = std::jthread([impl = impl_.get()] { impl->deliver(); });
}

Notifier::~Notifier() {
  impl_->stop();
}

void Notifier::Impl::keep_running(const char* what, const std::function<void()>& step,
                                  const std::function<void()>& lost) {
  coordinator::keep_running(
      what, [this] { return pause(milliseconds(0)); }, step,
      [&] {
        lost();
        pause(kRetry);
      });
}

void Notifier::Impl::watch() {
  std::optional<Watch> farm;
  std::chrono::steady_clock::time_point next_look{};
  keep_running(
      "notify_watch",
      [&] {
        if (!farm) {
          farm.emplace(options.store);
          spdlog::info("notify=watching receivers={}", options.config.receivers.size());
        }
        const bool changed = farm->follow();
        if (const auto now = std::chrono::steady_clock::now(); changed || now >= next_look) {
          next_look = now + options.look_every;
          enter(*farm);
        }
      },
      [&] {
        farm.reset();
        next_look = {};
      });
}

void Notifier::Impl::enter(Watch& watch) {
  for (const News& news : watch.farm.news(watch.moment(), options.config.patience)) {
    const std::string subject = news.subject();
    if (const auto told = watch.told.find(subject); told != watch.told.end() && told->second >= news.since) continue;
    std::vector<queue::Notice> notices;
    for (const Receiver& receiver : options.config.receivers) {
      if (!receiver.wants(news)) continue;
      const std::string id = id_of(news, receiver.name);
      notices.push_back({.id = id, .receiver = receiver.name, .body = body_of(news, id)});
    }
    const bool added = watch.notices.add(subject, news.since, notices);
    watch.told[subject] = news.since;
    if (added) spdlog::info("notice={} receivers={} {}", to_string(news.kind), notices.size(), news.text);
  }
}

void Notifier::Impl::deliver() {
  std::optional<queue::NoticeStore> notices;
  keep_running(
      "notify_deliver",
      [&] {
        if (!notices) notices.emplace(options.store);
        if (const auto notice = notices->take(options.claimed_for)) {
          deliver_one(*notices, *notice);
        } else {
          pause(kPoll);
        }
      },
      [&] { notices.reset(); });
}

milliseconds Notifier::Impl::pause_after(int failures) const {
  constexpr int kMostDoublings = 20;
  return std::min(options.pause_cap, options.first_pause * (1 << std::min(failures, kMostDoublings)));
}

void Notifier::Impl::deliver_one(queue::NoticeStore& notices, const queue::Notice& notice) {
  const auto receiver = std::ranges::find(options.config.receivers, notice.receiver, &Receiver::name);
  if (receiver == options.config.receivers.end()) {
    spdlog::warn("notice={} receiver={} dropped: --notify names nobody of that name any more", notice.id,
                 logging::quoted(notice.receiver));
    notices.remove(notice.id);
    return;
  }
  // One that does not answer costs a try, and not one for each notice, while others wait for theirs.
  Rest& rest = resting[receiver->name];
  if (const auto now = std::chrono::steady_clock::now(); now < rest.until) {
    notices.put_off(notice.id, std::chrono::ceil<milliseconds>(rest.until - now));
    return;
  }
  const std::string problem = try_to_tell(*receiver, notice);
  rest =
      problem.empty() ? Rest{} : Rest{rest.failures + 1, std::chrono::steady_clock::now() + pause_after(rest.failures)};
  if (problem.empty()) {
    notices.remove(notice.id);
    spdlog::info("notice={} receiver={} tries={} delivered", notice.id, logging::quoted(notice.receiver),
                 notice.tries + 1);
  } else if (notice.waited >= options.give_up) {
    notices.remove(notice.id);
    spdlog::error("notice={} receiver={} tries={} given up: {}", notice.id, logging::quoted(notice.receiver),
                  notice.tries + 1, problem);
  } else {
    const milliseconds after = pause_after(notice.tries);
    notices.try_again(notice.id, after);
    spdlog::warn("notice={} receiver={} tries={} next_try_ms={} {}", notice.id, logging::quoted(notice.receiver),
                 notice.tries + 1, after.count(), problem);
  }
}

std::string Notifier::Impl::try_to_tell(const Receiver& receiver, const queue::Notice& notice) const {
  if (!receiver.webhook.empty()) return post_notice(receiver, notice.id, notice.body);
  return run_command(receiver.command, receiver.as_text ? text_in(notice.body) : notice.body + "\n", kCommandLimit);
}

}  // namespace reelfarm::notify
