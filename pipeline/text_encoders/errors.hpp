#pragma once

#include <stdexcept>

namespace reelfarm::text_encoders {

/// A prompt or an image that cannot be encoded as it was given. The message says what was found and what is allowed.
struct PromptError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

}  // namespace reelfarm::text_encoders
