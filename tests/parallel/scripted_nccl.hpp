#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "parallel/device_queue.hpp"
#include "parallel/nccl_api.hpp"
#include "parallel/nccl_process_group.hpp"

namespace reelfarm::parallel::testing {

/// What goes wrong with NCCL on one rank. Exchanges are counted from 0; -1: never.
struct NcclScript {
  bool never_connects = false;
  int send_fails_at = -1;  ///< ncclSend of this exchange gives an error code
  int lost_at = -1;   ///< while this exchange is under way a peer is lost: NCCL reports it, the device waits for ever
  int hangs_at = -1;  ///< this exchange does not end on the device, and NCCL reports nothing
  std::string no_peers = {};  ///< what the driver says when memory is to be opened for peers; empty: it does so
  int copy_fails_at = -1;     ///< the driver refuses this copy to a peer
};

/// The wires between the ranks of a test, and their devices: memory is the host's.
class ScriptedFabric {
 public:
  struct Route {
    NcclId communicator;
    int from;
    int to;
    std::int64_t number;
    auto operator<=>(const Route&) const = default;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::map<Route, std::vector<char>> letters;
  std::map<NcclId, std::set<int>> connected;
  int ids = 0;
};

/// A lane whose NCCL is played by the fabric.
std::shared_ptr<NcclLane> scripted_lane(ScriptedFabric& fabric, const NcclScript& script);

/// As run_thread_ranks, with groups whose tensors go over a scripted NCCL: script(rank) says what goes wrong.
void run_scripted_ranks(int size, const std::function<void(ProcessGroup& group)>& body,
                        const std::function<NcclScript(int rank)>& script = {},
                        std::chrono::milliseconds patience = std::chrono::minutes(1));

}  // namespace reelfarm::parallel::testing
