// JobStore: the stitchers that are there.
#include <stdexcept>

#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::HashFields;
using detail::Reply;
using detail::ReplyPtr;

void JobStore::heartbeat_stitcher(const StitcherRecord& stitcher) {
  if (stitcher.id.empty() || stitcher.id.find(' ') != std::string::npos) {
    throw std::invalid_argument("stitcher id \"" + stitcher.id + "\" must be a word");
  }
  impl_->run(
      "heartbeat_stitcher", impl_->keys.stitcher(stitcher.id),
      {stitcher.id, stitcher.host, std::to_string(stitcher.pid), std::to_string(stitcher.follow), stitcher.note});
}

void JobStore::remove_stitcher(const std::string& stitcher) {
  impl_->run("remove_stitcher", impl_->keys.stitcher(stitcher), {stitcher});
}

std::vector<StitcherRecord> JobStore::list_stitchers() {
  const ReplyPtr reply = impl_->connection.command({"ZRANGE", impl_->keys.stitchers(), "0", "-1"});
  const std::vector<std::string> ids = Reply(reply.get()).strings();
  std::vector<std::string> record_keys;
  for (const std::string& id : ids) record_keys.push_back(impl_->keys.stitcher(id));
  const std::vector<HashFields> records = impl_->hashes(record_keys);
  const std::vector<FencingToken> held = leases();
  const ServerTime now = this->now();
  std::vector<StitcherRecord> stitchers;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (records[i].empty()) continue;
    StitcherRecord stitcher;
    stitcher.id = ids[i];
    stitcher.host = records[i].text("host");
    stitcher.pid = static_cast<int>(records[i].integer("pid"));
    stitcher.follow = static_cast<int>(records[i].integer("follow"));
    stitcher.note = records[i].text("note");
    stitcher.last_seen = records[i].time("last_seen");
    stitcher.gone = now - stitcher.last_seen > impl_->options.group_timeout;
    for (const FencingToken& token : held) {
      if (token.owner == stitcher.id) stitcher.tasks.push_back(token.task);
    }
    stitchers.push_back(std::move(stitcher));
  }
  return stitchers;
}

}  // namespace reelfarm::queue
