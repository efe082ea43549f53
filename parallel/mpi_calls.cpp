#include "parallel/mpi_calls.hpp"

#include <string>

#include "parallel/errors.hpp"

namespace reelfarm::parallel {

std::unique_lock<std::mutex> one_mpi_call() {
  static std::mutex mutex;
  return std::unique_lock(mutex);
}

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char words[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, words, &length);
  throw MpiError(call, code, std::string(words, static_cast<std::size_t>(length)));
}

}  // namespace reelfarm::parallel
