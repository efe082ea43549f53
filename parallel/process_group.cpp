#include "parallel/process_group.hpp"

#include <cstdint>
#include <stdexcept>

namespace reelfarm::parallel {

std::string ProcessGroup::broadcast_text(std::string text, int root) {
  std::uint64_t length = text.size();
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  if (length != 0) broadcast(std::as_writable_bytes(std::span(text)), root);
  return text;
}

void SingleProcessGroup::broadcast(std::span<std::byte>, int root) {
  if (root != 0) throw std::invalid_argument("broadcast: root " + std::to_string(root) + " in a group of 1 rank");
}

}  // namespace reelfarm::parallel
