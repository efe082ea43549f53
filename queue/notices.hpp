#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/job.hpp"

namespace reelfarm::queue {

struct StoreOptions;

/// Something that somebody is to be told.
struct Notice {
  std::string id;                       ///< the same whoever enters it, and whenever it is delivered
  std::string receiver{};               ///< by name
  std::string body{};                   ///< JSON
  int tries = 0;                        ///< that went before
  std::chrono::milliseconds waited{0};  ///< since it was entered
};

/// What the farm has to tell, in Redis: it outlives the coordinator that saw it, and of several coordinators one tells.
/// On a connection of its own. All methods throw ConnectionError, TimeoutError and ReplyError.
class NoticeStore {
 public:
  explicit NoticeStore(const StoreOptions& options);
  ~NoticeStore();
  NoticeStore(NoticeStore&&) noexcept;

  /// When notices were first wanted in this farm: what ended before is not told.
  ServerTime watched_since();

  /// Enters notices about `subject`, whose state came about at `since`. False: that, or a later one, was entered
  /// before, by anybody.
  bool add(const std::string& subject, ServerTime since, const std::vector<Notice>& notices);

  /// The one that is due longest. Nobody else gets it for `patience`: long enough to deliver it.
  std::optional<Notice> take(std::chrono::milliseconds patience);
  void remove(const std::string& id);                                      ///< delivered, or given up
  void try_again(const std::string& id, std::chrono::milliseconds after);  ///< that was a try
  void put_off(const std::string& id, std::chrono::milliseconds after);    ///< it was not tried

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::queue
