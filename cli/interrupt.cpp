#include "cli/interrupt.hpp"

namespace reelfarm::cli {
namespace {

volatile sig_atomic_t interrupt_seen = 0;

void mark(int) {
  interrupt_seen = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupt_seen = 0;
  struct sigaction action {};
  action.sa_handler = mark;
  // A blocking read from Redis goes on; the mark is looked at after it.
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &before_interrupt_);
  ::sigaction(SIGTERM, &action, &before_terminate_);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &before_interrupt_, nullptr);
  ::sigaction(SIGTERM, &before_terminate_, nullptr);
}

bool InterruptGuard::interrupted() const {
  return interrupt_seen != 0;
}

}  // namespace reelfarm::cli
