#include "parallel/mpi_session.hpp"

#include <ATen/ATen.h>
#include <mpi.h>

#include <cstdlib>
#include <numeric>

#include "parallel/errors.hpp"
#include "parallel/mpi_calls.hpp"
#include "parallel/mpi_process_group.hpp"

namespace reelfarm::parallel {

MpiSession::MpiSession(int& argc, char**& argv) {
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (provided < MPI_THREAD_SERIALIZED) {
    throw MpiError("MPI_Init_thread", provided, "this MPI library offers less than MPI_THREAD_SERIALIZED");
  }
}

MpiSession::~MpiSession() {
  MPI_Finalize();
}

std::string MpiSession::library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  const auto lock = one_mpi_call();
  check_mpi(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  const std::string words = text;
  return words.substr(0, words.find_first_of(",\n"));  // behind it: who built it where
}

std::unique_ptr<ProcessGroup> MpiSession::world(std::chrono::milliseconds patience) {
  MPI_Comm own = MPI_COMM_NULL;
  {
    const auto lock = one_mpi_call();
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &own), "MPI_Comm_dup");
  }
  return std::make_unique<MpiProcessGroup>(own, patience);
}

int MpiSession::ranks_on_this_machine() {
  const auto lock = one_mpi_call();
  MPI_Comm local = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local), "MPI_Comm_split_type");
  int count = 1;
  const int code = MPI_Comm_size(local, &count);
  MPI_Comm_free(&local);
  check_mpi(code, "MPI_Comm_size");
  return count;
}

int MpiSession::ranks_of_each_machine(ProcessGroup& world) {
  const at::Tensor counts = world.all_gather(at::full({1}, ranks_on_this_machine(), at::kInt)).flatten();
  int common = 0;
  for (std::int64_t rank = 0; rank < counts.numel(); ++rank) common = std::gcd(common, counts[rank].item<int>());
  return common;
}

void MpiSession::abort_world(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace reelfarm::parallel
