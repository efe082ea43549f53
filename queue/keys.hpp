#pragma once

#include <string>
#include <string_view>

namespace reelfarm::queue {

/// Every Redis key of one farm. All share the hash tag {farm}, so a script may touch any of them on a cluster, and the
/// word after it is the role an ACL rule can be written for: inbox, request, job, task, lease, group, bundle, event,
/// farm. queue/lua/prelude/keys.lua builds the same names; a test compares the two.
class Keys {
 public:
  /// `farm` may hold [A-Za-z0-9_.-]; throws std::invalid_argument otherwise.
  explicit Keys(std::string_view farm);

  const std::string& prefix() const { return prefix_; }  ///< "{farm}:"

  std::string farm() const { return prefix_ + "farm:meta"; }                    ///< hash: schema, id
  std::string disk() const { return prefix_ + "farm:disk"; }                    ///< hash: how full DATA is
  std::string notices() const { return prefix_ + "farm:notices"; }              ///< zset notice -> due, ms
  std::string notices_since() const { return prefix_ + "farm:notices_since"; }  ///< ms: what ended before is not told
  std::string notice(std::string_view id) const { return with("farm:notice:entry:", id); }  ///< hash
  /// ms: up to when it was told, expires
  std::string notice_told(std::string_view subject) const { return with("farm:notice:told:", subject); }
  std::string inbox() const { return prefix_ + "inbox:index"; }                              ///< zset job -> sequence
  std::string inbox_entry(std::string_view job) const { return with("inbox:entry:", job); }  ///< hash
  std::string rejected(std::string_view job) const { return with("inbox:rejected:", job); }  ///< hash, expires
  std::string request(std::string_view request) const { return with("request:", request); }  ///< job id, expires
  std::string sequence() const { return prefix_ + "inbox:sequence"; }                        ///< counter
  std::string jobs() const { return prefix_ + "job:index"; }                                 ///< zset job -> sequence
  std::string finished_jobs() const { return prefix_ + "job:finished"; }                     ///< zset job -> ms
  std::string reserved() const { return prefix_ + "job:reserved"; }                          ///< hash job -> bytes
  std::string removing() const { return prefix_ + "job:removing"; }  ///< hash job -> video that goes too, or ""
  /// hash: by whom, since when; none: the farm goes on
  std::string farm_pause() const { return prefix_ + "job:farm_pause"; }
  std::string job(std::string_view job) const { return with("job:record:", job); }       ///< hash
  std::string job_tasks(std::string_view job) const { return with("job:tasks:", job); }  ///< list of task ids
  std::string job_after(std::string_view job) const { return with("job:after:", job); }  ///< set of held jobs
  std::string job_blocklist(std::string_view job) const {
    return with("job:blocklist:", job);
  }  ///< hash host -> crashes there
  /// hash owner -> claims there had been in all when it last crashed
  std::string job_crashed(std::string_view job) const { return with("job:crashed:", job); }
  std::string takes(std::string_view family) const { return with("job:takes:", family); }     ///< zset job -> take
  std::string used_take(std::string_view family) const { return with("job:used:", family); }  ///< number of a take
  std::string task(std::string_view task) const { return with("task:record:", task); }        ///< hash
  std::string delayed() const { return prefix_ + "task:delayed"; }            ///< zset task -> not before, ms
  std::string ready_stitch() const { return prefix_ + "task:ready:stitch"; }  ///< zset task -> rank
  /// zset task -> rank: tasks that any group with the bundle may claim, or only its audience: a fingerprint, "dtype=D".
  std::string ready(std::string_view kind, std::string_view bundle_hash, std::string_view audience = {}) const;
  std::string leases() const { return prefix_ + "lease:expiry"; }  ///< zset task -> expiry, ms; the only list of leases
  std::string claim_sequence() const { return prefix_ + "lease:sequence"; }  ///< counter of claims
  std::string claims() const { return prefix_ + "lease:claims"; }  ///< hash owner -> "nonce task" of its last claim
  std::string clock_offset() const {
    return prefix_ + "lease:clock_offset";
  }  ///< tests: ms added to the server's time, or "=ms" to stop it
  std::string groups() const { return prefix_ + "group:index"; }  ///< zset group -> last seen, ms
  std::string group(std::string_view group) const { return with("group:record:", group); }  ///< hash
  std::string stitchers() const { return prefix_ + "group:stitchers"; }                     ///< zset -> last seen, ms
  std::string stitcher(std::string_view id) const { return with("group:stitcher:", id); }   ///< hash
  std::string bundles() const { return prefix_ + "bundle:index"; }  ///< zset bundle hash -> last registered, ms
  std::string bundle(std::string_view hash) const { return with("bundle:record:", hash); }  ///< JSON
  std::string events() const { return prefix_ + "event:stream"; }                           ///< stream, bounded
  std::string dead_letters() const { return prefix_ + "event:dead"; }                       ///< stream, bounded

 private:
  std::string with(std::string_view role, std::string_view id) const;

  std::string prefix_;
};

}  // namespace reelfarm::queue
