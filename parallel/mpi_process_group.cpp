#include "parallel/mpi_process_group.hpp"

#include <cstdio>

#include "parallel/mpi_calls.hpp"
#include "parallel/mpi_session.hpp"
#include "parallel/mpi_transfer.hpp"

namespace reelfarm::parallel {

MpiProcessGroup::MpiProcessGroup(MPI_Comm owned, std::chrono::milliseconds patience)
    : ProcessGroup(patience), comm_(owned) {
  const auto lock = one_mpi_call();
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
}

MpiProcessGroup::~MpiProcessGroup() {
  const auto lock = one_mpi_call();
  MPI_Comm_free(&comm_);
}

void MpiProcessGroup::broadcast(std::span<std::byte> bytes, int root) {
  for_pieces(bytes, [&](std::byte* piece, int count) {
    run("broadcast", "MPI_Ibcast",
        [&](MPI_Request& request) { return MPI_Ibcast(piece, count, MPI_BYTE, root, comm_, &request); });
  });
}

void MpiProcessGroup::barrier() {
  run("barrier", "MPI_Ibarrier", [&](MPI_Request& request) { return MPI_Ibarrier(comm_, &request); });
}

template <typename Start>
void MpiProcessGroup::run(const char* operation, const char* call, const Start& start) {
  MpiTransfer transfer(place(operation), patience());
  {
    const auto lock = one_mpi_call();
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(start(request), call);
    transfer.add(request);
  }
  transfer.wait();
}

std::unique_ptr<ProcessGroup> MpiProcessGroup::split(int colour) {
  MPI_Comm part = MPI_COMM_NULL;
  {
    const auto lock = one_mpi_call();
    check_mpi(MPI_Comm_split(comm_, colour, rank_, &part), "MPI_Comm_split");
  }
  return std::make_unique<MpiProcessGroup>(part, patience());
}

void MpiProcessGroup::abort(const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", place("abort").c_str(), why.c_str());
  MpiSession::abort_world(1);
}

std::unique_ptr<Transfer> MpiProcessGroup::post(std::vector<Send> sends, std::vector<Receive> receives,
                                                const char* operation) {
  auto transfer = std::make_unique<MpiTransfer>(place(operation), patience());
  for (const Receive& receive : receives) transfer->receive(comm_, receive);
  for (const Send& send : sends) transfer->send(comm_, send);
  return transfer;
}

}  // namespace reelfarm::parallel
