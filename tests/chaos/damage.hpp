#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "tests/chaos/farm.hpp"

namespace reelfarm::chaos {

/// Changes one byte of a published window that its job still needs: in its frames, or in the tail that the next window
/// starts from. `draw` decides which of them. Returns the window's folder relative to DATA; nothing when there is no
/// such window, or one that was damaged before. Throws queue::ConnectionError.
std::optional<std::filesystem::path> damage_a_window(Farm& farm, std::uint64_t draw);

}  // namespace reelfarm::chaos
