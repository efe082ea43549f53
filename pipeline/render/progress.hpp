#pragma once

#include <functional>
#include <stdexcept>

namespace reelfarm::render {

/// The stages of a program's start (load, warm_up) and of a window, in order. Names as in the queue's progress records.
enum class Phase { load, warm_up, encode, step, decode, write };

constexpr const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::load:
      return "load";
    case Phase::warm_up:
      return "warm-up";
    case Phase::encode:
      return "encode";
    case Phase::step:
      return "step";
    case Phase::decode:
      return "decode";
    case Phase::write:
      return "write";
  }
  return "";
}

/// A sign of life from inside the work: per block of a network, per tile, per frame.
struct Progress {
  Phase phase = Phase::load;
  int step = 0;         ///< finished denoise steps
  int steps = 0;        ///< of this window; 0 outside of it
  double fraction = 0;  ///< of the phase, 0..1
};

/// Called on the thread that works. May throw to abandon the work; nothing is half-written then.
using OnProgress = std::function<void(const Progress&)>;

}  // namespace reelfarm::render
