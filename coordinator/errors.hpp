#pragma once

#include <stdexcept>

namespace reelfarm::coordinator {

/// What a user typed or sent is wrong; what() is for the user. Nothing was queued.
class BadInput : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A job that cannot be done as asked; what() is for the user: the value, the rule, a way out.
class Rejected : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The job cannot be accepted yet; what() says for what it waits.
class NotYet : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// No worker group has registered a bundle so far.
class NoBundleYet : public NotYet {
 public:
  using NotYet::NotYet;
};

}  // namespace reelfarm::coordinator
