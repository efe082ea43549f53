#pragma once

#include <mpi.h>

#include <mutex>

namespace reelfarm::parallel {

/// Held around every MPI call: MPI_THREAD_SERIALIZED allows several threads, one at a time. No call made under it
/// waits for another rank, but for those that set up and end a session.
std::unique_lock<std::mutex> one_mpi_call();

/// Throws MpiError with MPI's own words unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

}  // namespace reelfarm::parallel
