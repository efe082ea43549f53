#pragma once

#include <stdexcept>
#include <string>

namespace reelfarm::parallel {

/// An MPI call failed. `code` is the call's return value, the text holds the call and MPI's own words.
class MpiError : public std::runtime_error {
 public:
  MpiError(const std::string& call, int code, const std::string& words)
      : std::runtime_error("MPI: " + call + " failed with code " + std::to_string(code) + ": " + words), code_(code) {}

  int code() const { return code_; }

 private:
  int code_;
};

/// An exchange between ranks did not come about: a peer is lost or late, or sent something else than was expected. The
/// text names the rank, the operation and what the rank was working on. The group is of no use afterwards.
class GroupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace reelfarm::parallel
