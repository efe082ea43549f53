#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/tokenizers/detail/normalizer.hpp"
#include "pipeline/tokenizers/detail/regex.hpp"

namespace reelfarm::tokenizers::detail {

struct AddedToken {
  std::int64_t id = 0;
  std::string content;
  bool single_word = false;  ///< only between characters that belong to no word
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool normalized = true;    ///< looked for in the normalized text
  bool special = false;
  std::string sought;  ///< the content, normalized if `normalized`; set by AddedTokens::finish
};

/// A token that was found whole, or text between such tokens.
struct Segment {
  std::optional<std::int64_t> id;
  std::string text;
};

/// Tokens that are cut out of the text before anything else looks at it.
class AddedTokens {
 public:
  AddedTokens();
  AddedTokens(const AddedTokens&) = delete;  // it points into itself
  AddedTokens& operator=(const AddedTokens&) = delete;

  /// A token whose text is there already is replaced.
  void add(AddedToken token);

  /// Call once, after the last add: normalizes the tokens that are looked for in normalized text.
  void finish(const Normalizer& normalizer);

  /// Cuts out tokens that are looked for as written, normalizes the rest, and cuts out the others.
  std::vector<Segment> split(std::string_view text, const Normalizer& normalizer) const;

  const AddedToken* find(std::string_view content) const;
  const AddedToken* find(std::int64_t id) const;
  std::int64_t largest_id() const;

 private:
  /// By the first byte of what is sought, longest first.
  using Needles = std::unordered_map<char, std::vector<const AddedToken*>>;

  void cut(const std::string& text, const Needles& needles, std::vector<Segment>& segments) const;
  bool is_word_at(std::string_view text, std::size_t offset, bool before) const;

  std::map<std::string, AddedToken, std::less<>> tokens_;
  std::map<std::int64_t, const AddedToken*> by_id_;
  Needles as_written_;
  Needles normalized_;
  Regex word_;
};

/// Reads one entry of "added_tokens".
AddedToken read_added_token(const nlohmann::json& entry);

}  // namespace reelfarm::tokenizers::detail
