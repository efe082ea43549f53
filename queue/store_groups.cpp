// JobStore: worker groups, the bundles they bring, and whether they may take anything.
#include <algorithm>
#include <stdexcept>

#include "queue/codec.hpp"
#include "queue/detail/store_impl.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::queue {

using detail::Arguments;
using detail::HashFields;
using detail::Reply;
using detail::ReplyPtr;

void JobStore::register_group(const GroupRecord& group) {
  if (group.id.empty() || group.id.find(' ') != std::string::npos) {
    throw std::invalid_argument("group id \"" + group.id + "\" must be a word");
  }
  impl_->run("register_group", impl_->keys.group(group.id),
             {group.id, encode(group), std::string(to_string(group.state)), group.note, group.host, group.bundle_hash,
              group.fingerprint, group.dtype});
  impl_->registered_groups[group.id] = group;
}

bool JobStore::heartbeat_group(const std::string& group, GroupState state, const std::string& note) {
  const auto clock = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const Arguments arguments = {group, std::string(to_string(state)), note,
                               std::to_string(clock.time_since_epoch().count())};
  std::string answer = Reply(impl_->run("heartbeat_group", impl_->keys.group(group), arguments).get())[0].text();
  if (answer == "gone") {
    const auto known = impl_->registered_groups.find(group);
    if (known == impl_->registered_groups.end()) {
      throw TransitionError("heartbeat of group " + group + ": Redis does not know it; register it first");
    }
    const auto bundles = impl_->registered_bundles;
    for (const auto& [hash, limits] : bundles) register_bundle(limits);
    GroupRecord record = known->second;
    record.state = state;
    record.note = note;
    register_group(record);
  }
  return answer == "drain";
}

bool JobStore::pause_farm(const std::string& by) {
  return Reply(impl_->run("pause_farm", impl_->keys.farm_pause(), {"1", by}).get())[0].text() == "ok";
}

bool JobStore::resume_farm(const std::string& by) {
  return Reply(impl_->run("pause_farm", impl_->keys.farm_pause(), {"0", by}).get())[0].text() == "ok";
}

std::optional<FarmPause> JobStore::farm_pause() {
  const HashFields fields = impl_->hashes({impl_->keys.farm_pause()}).front();
  if (fields.empty()) return std::nullopt;
  return FarmPause{fields.text("by"), fields.time("since")};
}

bool JobStore::request_drain(const std::string& group, bool drain) {
  const ReplyPtr reply = impl_->run("drain_group", impl_->keys.group(group), {group, drain ? "1" : "0"});
  return Reply(reply.get())[0].text() == "ok";
}

void JobStore::remove_group(const std::string& group) {
  impl_->run("remove_group", impl_->keys.group(group), {group});
  impl_->registered_groups.erase(group);
}

std::vector<GroupRecord> JobStore::list_groups() {
  const ReplyPtr reply = impl_->connection.command({"ZRANGE", impl_->keys.groups(), "0", "-1"});
  const std::vector<std::string> ids = Reply(reply.get()).strings();
  std::vector<std::string> record_keys;
  for (const std::string& id : ids) record_keys.push_back(impl_->keys.group(id));
  const std::vector<HashFields> records = impl_->hashes(record_keys);
  const std::vector<FencingToken> held = leases();
  const std::int64_t now = impl_->now_ms();
  std::vector<GroupRecord> groups;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const HashFields& fields = records[i];
    if (fields.empty()) continue;
    GroupRecord group;
    try {
      group = decode_group(fields.text("record"));
      group.state = group_state_from(fields.text("state"));
    } catch (const CodecError& error) {
      group.id = ids[i];
      group.state = GroupState::failed;
      group.note = error.what();
    }
    if (group.note.empty()) group.note = fields.text("note");
    group.drain_requested = fields.flag("drain");
    group.registered = fields.time("registered");
    group.last_seen = fields.time("last_seen");
    group.clock_ahead = std::chrono::milliseconds(fields.integer("clock_ahead"));
    if (now - fields.integer("last_seen") > impl_->options.group_timeout.count()) group.state = GroupState::gone;
    for (const FencingToken& token : held) {
      if (token.owner == group.id) group.tasks.push_back(token.task);
    }
    // What it said of itself is some seconds old; its leases are of now.
    if (group.state == GroupState::idle && !group.tasks.empty()) group.state = GroupState::busy;
    groups.push_back(std::move(group));
  }
  return groups;
}

void JobStore::register_bundle(const BundleLimits& limits) {
  if (limits.name.empty() || limits.hash.empty() || limits.hash.find_first_of(": ") != std::string::npos) {
    throw std::invalid_argument("bundle \"" + limits.name + "\" with hash \"" + limits.hash +
                                "\": both must be set, and the hash without colon or space");
  }
  impl_->run("register_bundle", impl_->keys.bundle(limits.hash), {limits.hash, encode(limits)});
  impl_->registered_bundles.insert_or_assign(limits.hash, limits);
}

std::vector<BundleLimits> JobStore::list_bundles() {
  const ReplyPtr reply = impl_->connection.command({"ZREVRANGE", impl_->keys.bundles(), "0", "-1"});
  std::vector<Arguments> commands;
  for (const std::string& hash : Reply(reply.get()).strings()) commands.push_back({"GET", impl_->keys.bundle(hash)});
  std::vector<BundleLimits> bundles;
  for (const ReplyPtr& text : impl_->connection.pipeline(commands)) {
    if (const Reply document(text.get()); !document.is_nil()) bundles.push_back(decode_bundle_limits(document.text()));
  }
  return bundles;
}

std::vector<BundleLimits> JobStore::find_bundles(const std::string& name) {
  std::vector<BundleLimits> bundles = list_bundles();
  if (!name.empty()) std::erase_if(bundles, [&](const BundleLimits& limits) { return limits.name != name; });
  return bundles;
}

}  // namespace reelfarm::queue
