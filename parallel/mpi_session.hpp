#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "parallel/process_group.hpp"

namespace reelfarm::parallel {

/// MPI_Init_thread at construction, MPI_Finalize at destruction; at most one in the life of a process (MPI 3.1
/// section 8.7). Errors are returned and thrown as MpiError instead of ending the process.
class MpiSession {
 public:
  /// Throws MpiError when MPI does not start, or does not offer MPI_THREAD_SERIALIZED.
  MpiSession(int& argc, char**& argv);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  /// What the MPI library says of itself, as "Open MPI v4.1.4"; while a session lives.
  static std::string library();

  /// The environment variable in which Open MPI's mpirun tells a rank its place on its machine.
  static constexpr const char* kLocalRank = "OMPI_COMM_WORLD_LOCAL_RANK";

  /// Waits are as long as another rank's work. A lost rank is noticed by mpirun long before.
  static constexpr std::chrono::milliseconds kPatience = std::chrono::minutes(30);

  /// Collective, while a session lives. A group over all ranks of the world, with a communicator of its own; it must be
  /// destroyed before the session. No wait of the group takes longer than `patience`.
  static std::unique_ptr<ProcessGroup> world(std::chrono::milliseconds patience = kPatience);

  /// Collective, while a session lives. Ranks of the world that run on this machine, this one included.
  static int ranks_on_this_machine();

  /// Collective over `world`, a group of world(). The largest number that divides the ranks of each machine, on all
  /// ranks the same.
  static int ranks_of_each_machine(ProcessGroup& world);

  /// Ends every rank of the world at once; for a rank that cannot go on while others wait for it in a collective.
  [[noreturn]] static void abort_world(int exit_code);
};

}  // namespace reelfarm::parallel
