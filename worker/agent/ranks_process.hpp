#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace reelfarm::worker {

/// How a group's ranks are started.
struct LaunchPlan {
  std::vector<std::string> launcher = {"mpirun"};  ///< program and arguments that go before "-n RANKS PROGRAM ..."
  int ranks = 1;
  std::filesystem::path program;       ///< reelfarm-ranks
  std::vector<std::string> arguments;  ///< of the program
};

/// The MPI world of one group: a launcher and its ranks in a session of their own, killed as one unit.
/// The session ends with this process: the launcher gets SIGKILL when the thread that made the object dies, and each
/// rank asks for the same from its launcher.
class RanksProcess {
 public:
  /// Throws std::system_error when the launcher cannot be started.
  explicit RanksProcess(const LaunchPlan& plan);
  /// Kills what still runs.
  ~RanksProcess();
  RanksProcess(const RanksProcess&) = delete;
  RanksProcess& operator=(const RanksProcess&) = delete;

  /// The exit code of the launcher once it has ended, 128 + signal when a signal ended it; nothing while it runs.
  std::optional<int> exit_code();

  /// SIGKILL to every process of the session, again until none is left: on return the group is dead.
  void kill_all();

  pid_t session() const { return launcher_; }

 private:
  pid_t launcher_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace reelfarm::worker
