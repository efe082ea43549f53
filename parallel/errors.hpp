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

}  // namespace reelfarm::parallel
