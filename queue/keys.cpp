#include "queue/keys.hpp"

#include <stdexcept>

namespace reelfarm::queue {

Keys::Keys(std::string_view farm) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  if (farm.empty() || farm.find_first_not_of(kAllowed) != std::string_view::npos) {
    throw std::invalid_argument("farm name \"" + std::string(farm) + "\": use letters, digits, '_', '.', '-'");
  }
  prefix_ = "{" + std::string(farm) + "}:";
}

std::string Keys::ready(std::string_view kind, std::string_view bundle_hash, std::string_view audience) const {
  std::string key = prefix_ + "task:ready:";
  key.append(kind).append(":").append(bundle_hash);
  if (!audience.empty()) key.append(":").append(audience);
  return key;
}

std::string Keys::with(std::string_view role, std::string_view id) const {
  std::string key = prefix_;
  return key.append(role).append(id);
}

}  // namespace reelfarm::queue
