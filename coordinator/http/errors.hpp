#pragma once

#include <stdexcept>
#include <string>

namespace reelfarm::http {

/// A server that cannot be set up: a bad address, a token file that cannot be used, a port that is taken.
class SetupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ends a request with a status and one sentence for the client.
class Refusal : public std::runtime_error {
 public:
  Refusal(int status, const std::string& text) : std::runtime_error(text), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

}  // namespace reelfarm::http
