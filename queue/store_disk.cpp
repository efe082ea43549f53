// JobStore: the room in DATA.
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::HashFields;
using detail::Reply;
using detail::ReplyPtr;

void JobStore::report_disk(const DiskState& disk) {
  impl_->run("report_disk", impl_->keys.disk(),
             {disk.full ? "1" : "0", std::to_string(disk.free), std::to_string(disk.capacity),
              std::to_string(disk.high_water)});
}

std::optional<DiskState> JobStore::disk_state() {
  const HashFields fields = impl_->hashes({impl_->keys.disk()}).front();
  if (fields.empty()) return std::nullopt;
  DiskState disk;
  disk.full = fields.flag("full");
  disk.free = static_cast<std::uint64_t>(fields.integer("free"));
  disk.capacity = static_cast<std::uint64_t>(fields.integer("capacity"));
  disk.high_water = fields.real("high_water");
  disk.measured = fields.time("measured");
  return disk;
}

std::uint64_t JobStore::reserved_bytes() {
  const ReplyPtr reply = impl_->connection.command({"HVALS", impl_->keys.reserved()});
  std::uint64_t bytes = 0;
  for (const std::string& job : Reply(reply.get()).strings()) bytes += std::stoull(job);
  return bytes;
}

}  // namespace reelfarm::queue
