#pragma once

#include <stdexcept>

namespace reelfarm::render {

/// The request asks for what these weights or this machine cannot do; the text says what and what they can.
class RequestError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace reelfarm::render
