#include "queue/event.hpp"

#include "queue/detail/records.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/errors.hpp"
#include "queue/keys.hpp"

namespace reelfarm::queue {

using detail::Reply;
using detail::ReplyPtr;

struct EventReader::Impl {
  explicit Impl(const StoreOptions& options)
      : stream(Keys(options.farm).events()), connection(detail::connection_options(options)) {}

  std::string stream;
  detail::RedisConnection connection;
  std::string last;
};

EventReader::EventReader(const StoreOptions& options, std::string after) : impl_(std::make_unique<Impl>(options)) {
  impl_->last = std::move(after);
  if (impl_->last != "$") return;
  const ReplyPtr reply = impl_->connection.command({"XREVRANGE", impl_->stream, "+", "-", "COUNT", "1"});
  const Reply newest(reply.get());
  impl_->last = newest.size() == 0 ? "0" : newest[0][0].text();
}

EventReader::~EventReader() = default;
EventReader::EventReader(EventReader&&) noexcept = default;

std::vector<Event> EventReader::read(std::chrono::milliseconds wait, int limit) {
  detail::Arguments command = {"XREAD", "COUNT", std::to_string(limit)};
  // BLOCK 0 would mean for ever.
  if (wait.count() > 0) command.insert(command.end(), {"BLOCK", std::to_string(wait.count())});
  command.insert(command.end(), {"STREAMS", impl_->stream, impl_->last});
  const ReplyPtr reply = impl_->connection.blocking_command(command, wait);
  const Reply streams(reply.get());
  std::vector<Event> events;
  if (streams.is_nil() || streams.size() == 0) return events;
  const Reply entries = streams[0][1];
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Event event;
    event.id = entries[i][0].text();
    impl_->last = event.id;
    const detail::HashFields fields(entries[i][1]);
    event.type = fields.text("type");
    event.job = fields.text("job");
    event.task = fields.text("task");
    event.owner = fields.text("owner");
    event.state = fields.text("state");
    event.error_class = fields.text("class");
    event.text = fields.text("text");
    event.attempt = fields.integer("attempt");
    event.step = static_cast<int>(fields.integer("step"));
    event.steps = static_cast<int>(fields.integer("steps"));
    event.time = detail::server_time(std::stoll(event.id));
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace reelfarm::queue
