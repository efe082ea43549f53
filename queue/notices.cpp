#include "queue/notices.hpp"

#include "queue/detail/store_impl.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::Reply;

namespace {

/// Longer than anything is looked at again (coordinator/notify/news.hpp).
constexpr std::chrono::hours kRemembered{24 * 30};

}  // namespace

struct NoticeStore::Impl {
  explicit Impl(const StoreOptions& store_options)
      : options(store_options), keys(options.farm), connection(detail::connection_options(options)) {}

  detail::ReplyPtr run(std::string_view script, const std::string& key, const Arguments& more) {
    Arguments arguments = {keys.prefix(), std::to_string(options.max_events)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return detail::run_script(connection, script, key, arguments, true);
  }

  StoreOptions options;
  Keys keys;
  detail::RedisConnection connection;
};

NoticeStore::NoticeStore(const StoreOptions& options) : impl_(std::make_unique<Impl>(options)) {}
NoticeStore::~NoticeStore() = default;
NoticeStore::NoticeStore(NoticeStore&&) noexcept = default;

ServerTime NoticeStore::watched_since() {
  const auto now = Reply(impl_->run("now", impl_->keys.clock_offset(), {}).get())[0].integer();
  impl_->connection.command({"SETNX", impl_->keys.notices_since(), std::to_string(now)});
  const auto since = impl_->connection.command({"GET", impl_->keys.notices_since()});
  return detail::server_time(std::stoll(Reply(since.get()).text()));
}

bool NoticeStore::add(const std::string& subject, ServerTime since, const std::vector<Notice>& notices) {
  Arguments arguments = {std::to_string(detail::milliseconds_of(since)), detail::milliseconds_text(kRemembered)};
  for (const Notice& notice : notices) arguments.insert(arguments.end(), {notice.id, notice.receiver, notice.body});
  const auto reply = impl_->run("add_notices", impl_->keys.notice_told(subject), arguments);
  return Reply(reply.get())[0].text() == "ok";
}

std::optional<Notice> NoticeStore::take(std::chrono::milliseconds patience) {
  const auto answer = impl_->run("take_notice", impl_->keys.notices(), {detail::milliseconds_text(patience)});
  const Reply reply(answer.get());
  if (reply[0].text() != "ok") return std::nullopt;
  return Notice{reply[1].text(), reply[2].text(), reply[3].text(), static_cast<int>(reply[4].integer()),
                std::chrono::milliseconds(reply[5].integer())};
}

void NoticeStore::remove(const std::string& id) {
  impl_->run("end_notice", impl_->keys.notices(), {id, "", "0"});
}

void NoticeStore::try_again(const std::string& id, std::chrono::milliseconds after) {
  impl_->run("end_notice", impl_->keys.notices(), {id, detail::milliseconds_text(after), "1"});
}

void NoticeStore::put_off(const std::string& id, std::chrono::milliseconds after) {
  impl_->run("end_notice", impl_->keys.notices(), {id, detail::milliseconds_text(after), "0"});
}

}  // namespace reelfarm::queue
