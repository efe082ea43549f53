#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "queue/errors.hpp"

namespace reelfarm::queue::detail {

/// The words of one enumeration, both ways.
template <typename Enum, std::size_t N>
struct EnumNames {
  std::string_view what;
  std::array<std::pair<Enum, std::string_view>, N> words;

  std::string_view name(Enum value) const {
    for (const auto& [candidate, word] : words) {
      if (candidate == value) return word;
    }
    return "unknown";
  }

  /// Throws CodecError naming the word and the ones that are known.
  Enum value(std::string_view word) const {
    std::string known;
    for (const auto& [candidate, text] : words) {
      if (text == word) return candidate;
      known += (known.empty() ? "" : ", ") + std::string(text);
    }
    throw CodecError(std::string(what) + ": unknown word \"" + std::string(word) + "\"; known: " + known);
  }
};

}  // namespace reelfarm::queue::detail
