#include "parallel/mpi_session.hpp"

#include <mpi.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "parallel/errors.hpp"

namespace reelfarm::parallel {
namespace {

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char words[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, words, &length);
  throw MpiError(call, code, std::string(words, static_cast<std::size_t>(length)));
}

/// Waits for a request with short sleeps: Open MPI's own wait spins on a core that another rank could render with.
void wait_asleep(MPI_Request& request) {
  long pause_ns = 20'000;
  constexpr long kLongestPauseNs = 2'000'000;
  for (;;) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) return;
    const timespec pause{0, pause_ns};
    nanosleep(&pause, nullptr);
    pause_ns = std::min(pause_ns * 2, kLongestPauseNs);
  }
}

class MpiProcessGroup final : public ProcessGroup {
 public:
  explicit MpiProcessGroup(MPI_Comm parent) {
    check(MPI_Comm_dup(parent, &comm_), "MPI_Comm_dup");
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  }
  ~MpiProcessGroup() override { MPI_Comm_free(&comm_); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void broadcast(std::span<std::byte> bytes, int root) override {
    // MPI counts are ints: larger buffers go in pieces.
    constexpr std::size_t kPiece = std::size_t{1} << 30;
    for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
      const auto piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
      MPI_Request request = MPI_REQUEST_NULL;
      check(MPI_Ibcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, root, comm_, &request), "MPI_Ibcast");
      wait_asleep(request);
    }
  }

  void barrier() override {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ibarrier(comm_, &request), "MPI_Ibarrier");
    wait_asleep(request);
  }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace

MpiSession::MpiSession(int& argc, char**& argv) {
  int provided = MPI_THREAD_SINGLE;
  check(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (provided < MPI_THREAD_SERIALIZED) {
    throw MpiError("MPI_Init_thread", provided, "this MPI library offers less than MPI_THREAD_SERIALIZED");
  }
}

MpiSession::~MpiSession() {
  MPI_Finalize();
}

std::unique_ptr<ProcessGroup> MpiSession::world() {
  return std::make_unique<MpiProcessGroup>(MPI_COMM_WORLD);
}

int MpiSession::ranks_on_this_machine() {
  MPI_Comm local = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local), "MPI_Comm_split_type");
  int count = 1;
  const int code = MPI_Comm_size(local, &count);
  MPI_Comm_free(&local);
  check(code, "MPI_Comm_size");
  return count;
}

void MpiSession::abort_world(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace reelfarm::parallel
