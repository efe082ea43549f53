#pragma once

#include <stdexcept>

namespace reelfarm::windows {

/// A request the grid, the size rule or the frame rate cannot serve; what() says the values, the rule and a way out.
class InvalidRequest : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace reelfarm::windows
