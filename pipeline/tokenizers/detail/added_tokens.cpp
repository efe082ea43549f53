#include "pipeline/tokenizers/detail/added_tokens.hpp"

#include <algorithm>

#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/detail/utf8.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

/// Start of the character that ends at `end`.
std::size_t previous_character(std::string_view text, std::size_t end) {
  std::size_t begin = end - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

std::size_t skip_space_left(std::string_view text, std::size_t begin) {
  while (begin > 0) {
    const std::size_t previous = previous_character(text, begin);
    std::size_t offset = previous;
    if (!is_white_space(next_code_point(text, offset))) break;
    begin = previous;
  }
  return begin;
}

std::size_t skip_space_right(std::string_view text, std::size_t end) {
  while (end < text.size()) {
    std::size_t offset = end;
    if (!is_white_space(next_code_point(text, offset))) break;
    end = offset;
  }
  return end;
}

}  // namespace

AddedTokens::AddedTokens() : word_(rust_word_class()) {}

void AddedTokens::add(AddedToken token) {
  if (token.content.empty()) return;
  by_id_.erase(token.id);
  auto& slot = tokens_[token.content];
  slot = std::move(token);
  by_id_[slot.id] = &slot;
}

void AddedTokens::finish(const Normalizer& normalizer) {
  for (auto& [content, token] : tokens_) {
    token.sought = token.normalized ? normalizer(content) : content;
    if (token.sought.empty()) continue;
    auto& needles = token.normalized ? normalized_ : as_written_;
    needles[token.sought.front()].push_back(&token);
  }
  for (Needles* needles : {&as_written_, &normalized_})
    for (auto& [first, list] : *needles)
      std::stable_sort(list.begin(), list.end(),
                       [](const AddedToken* a, const AddedToken* b) { return a->sought.size() > b->sought.size(); });
}

std::vector<Segment> AddedTokens::split(std::string_view text, const Normalizer& normalizer) const {
  std::vector<Segment> written;
  cut(std::string(text), as_written_, written);
  std::vector<Segment> segments;
  for (Segment& segment : written) {
    if (segment.id)
      segments.push_back(std::move(segment));
    else
      cut(normalizer(std::move(segment.text)), normalized_, segments);
  }
  return segments;
}

void AddedTokens::cut(const std::string& text, const Needles& needles, std::vector<Segment>& segments) const {
  std::size_t taken = 0;
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* found = nullptr;
    if (const auto list = needles.find(text[at]); list != needles.end())
      for (const AddedToken* token : list->second)
        if (text.compare(at, token->sought.size(), token->sought) == 0) {
          found = token;
          break;
        }
    if (found == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + found->sought.size();
    at = end;
    if (found->single_word && (is_word_at(text, begin, true) || is_word_at(text, end, false))) continue;
    // Space that the token before has taken is not taken again.
    if (found->lstrip) begin = std::max(skip_space_left(text, begin), taken);
    if (found->rstrip) end = skip_space_right(text, end);
    if (begin > taken) segments.push_back({std::nullopt, text.substr(taken, begin - taken)});
    segments.push_back({found->id, {}});
    taken = end;
  }
  if (taken < text.size()) segments.push_back({std::nullopt, text.substr(taken)});
}

bool AddedTokens::is_word_at(std::string_view text, std::size_t offset, bool before) const {
  if (before ? offset == 0 : offset == text.size()) return false;
  std::size_t begin = before ? previous_character(text, offset) : offset;
  std::size_t end = begin;
  next_code_point(text, end);
  return !word_.matches(text.substr(begin, end - begin)).empty();
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto it = tokens_.find(content);
  return it == tokens_.end() ? nullptr : &it->second;
}

const AddedToken* AddedTokens::find(std::int64_t id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

std::int64_t AddedTokens::largest_id() const {
  return by_id_.empty() ? -1 : by_id_.rbegin()->first;
}

AddedToken read_added_token(const nlohmann::json& entry) {
  AddedToken token;
  token.content = text_at(entry, "content");
  token.special = flag_at(entry, "special", false);
  token.single_word = flag_at(entry, "single_word", false);
  token.lstrip = flag_at(entry, "lstrip", false);
  token.rstrip = flag_at(entry, "rstrip", false);
  token.normalized = flag_at(entry, "normalized", !token.special);
  return token;
}

}  // namespace reelfarm::tokenizers::detail
