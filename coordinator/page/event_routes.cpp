#include <atomic>
#include <nlohmann/json.hpp>

#include "coordinator/http/errors.hpp"
#include "coordinator/page/routes.hpp"

namespace reelfarm::page {

using nlohmann::json;

namespace {

constexpr int kMaxSubscribers = 32;
constexpr std::chrono::milliseconds kLook{1000};
constexpr std::chrono::milliseconds kGather{250};  ///< changes that come closer together are one message
constexpr std::chrono::seconds kBeat{15};          ///< for proxies that end a connection on which nothing happens

/// One of the places for subscribers, each of which keeps a thread.
class Place {
 public:
  explicit Place(std::atomic<int>& taken) : taken_(taken) {
    if (++taken_ > kMaxSubscribers) {
      --taken_;
      throw http::Refusal(503, "too many pages follow the farm already");
    }
  }
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::atomic<int>& taken_;
};

std::string message(const Changes& changes) {
  const json data = {{"jobs", changes.jobs}, {"groups", changes.groups}, {"everything", changes.everything}};
  return "event: change\ndata: " + data.dump() + "\n\n";
}

}  // namespace

void add_event_routes(http::Router& router, Context& context) {
  router.add(http::Method::get, "/api/events", http::Access::token,
             [&watch = context.watch, taken = std::make_shared<std::atomic<int>>(0)](const http::Request&) {
               http::Reply reply;
               reply.type = "text/event-stream";
               reply.stream = [&watch, taken, place = std::make_shared<Place>(*taken), seen = watch.newest(),
                               last = std::chrono::steady_clock::time_point()]() mutable -> std::optional<std::string> {
                 if (watch.stopped()) return std::nullopt;
                 const auto now = std::chrono::steady_clock::now();
                 const bool first = last == std::chrono::steady_clock::time_point();
                 // Whoever subscribes reads the farm once it hears this: what changes from here on is not missed.
                 if (first) {
                   last = now;
                   return "retry: 2000\n\n" + message({{}, true, true});
                 }
                 std::uint64_t ahead = seen;
                 if (!watch.wait(ahead, kLook)) {
                   if (now - last < kBeat) return "";
                   last = now;
                   return ": beat\n\n";
                 }
                 std::this_thread::sleep_for(kGather);
                 last = now;
                 const auto changes = watch.wait(seen, std::chrono::milliseconds(0));
                 return changes ? message(*changes) : "";
               };
               return reply;
             });
}

}  // namespace reelfarm::page
