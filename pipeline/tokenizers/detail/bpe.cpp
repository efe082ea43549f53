#include "pipeline/tokenizers/detail/bpe.hpp"

#include <cstdio>
#include <queue>

#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/detail/utf8.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

using nlohmann::json;

constexpr std::int32_t kNone = -1;

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
}

/// Merges are "left right" in older files and ["left", "right"] in newer ones.
std::pair<std::string, std::string> read_pair(const json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos)
      return {text.substr(0, space), text.substr(space + 1)};
  }
  throw TokenizerError("model: merges: expected two tokens, found " +
                       merge.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 60));
}

}  // namespace

Bpe::Bpe(const json& model) {
  const std::string type = text_at(model, "type", "BPE");
  if (type != "BPE") throw TokenizerError("model \"" + type + "\" is not supported; known: BPE");
  const auto dropout = model.find("dropout");
  if (dropout != model.end() && !dropout->is_null() && *dropout != 0.0)
    throw TokenizerError("model: dropout is for training only");
  prefix_ = text_at(model, "continuing_subword_prefix", "");
  suffix_ = text_at(model, "end_of_word_suffix", "");
  fuse_unknown_ = flag_at(model, "fuse_unk", false);
  byte_fallback_ = flag_at(model, "byte_fallback", false);
  ignore_merges_ = flag_at(model, "ignore_merges", false);
  const json& vocabulary = object_at(model, "vocab");
  vocabulary_.reserve(vocabulary.size());
  for (const auto& item : vocabulary.items()) vocabulary_.emplace(item.key(), as_id(item.value(), "vocab"));
  const std::string unknown = text_at(model, "unk_token", "");
  if (!unknown.empty()) unknown_ = required_id(unknown, "unk_token");
  read_merges(array_at(model, "merges"));
}

void Bpe::read_merges(const json& merges) {
  merges_.reserve(merges.size());
  std::int32_t rank = 0;
  for (const json& merge : merges) {
    const auto [left, right] = read_pair(merge);
    if (right.size() < prefix_.size())
      throw TokenizerError("model: merges: \"" + right + "\" lacks the subword prefix");
    const std::int64_t joined = required_id(left + right.substr(prefix_.size()), "merges");
    const std::uint64_t key = pair_key(required_id(left, "merges"), required_id(right, "merges"));
    merges_[key] = {rank++, static_cast<std::int32_t>(joined)};
  }
}

std::int64_t Bpe::required_id(const std::string& token, const char* what) const {
  if (const auto id = id_of(token)) return *id;
  throw TokenizerError(std::string("model: ") + what + ": token \"" + token + "\" is not in the vocabulary");
}

std::optional<std::int64_t> Bpe::id_of(std::string_view token) const {
  const auto it = vocabulary_.find(std::string(token));
  if (it == vocabulary_.end()) return std::nullopt;
  return it->second;
}

void Bpe::encode(std::string_view piece, std::vector<std::int64_t>& ids) const {
  if (piece.empty()) return;
  if (ignore_merges_) {
    if (const auto whole = id_of(piece)) {
      ids.push_back(*whole);
      return;
    }
  }
  const std::vector<std::int32_t> joined = merged(characters(piece));
  ids.insert(ids.end(), joined.begin(), joined.end());
}

/// One id a character, with the prefix on all but the first and the suffix on the last. An unknown character is held
/// back until the next known one, as the `tokenizers` library does: bytes of the fallback overtake it.
std::vector<std::int32_t> Bpe::characters(std::string_view piece) const {
  std::vector<std::int32_t> ids;
  ids.reserve(piece.size());
  bool held_back = false;
  const auto release = [&] {
    if (held_back) ids.push_back(static_cast<std::int32_t>(*unknown_));
    held_back = false;
  };
  for (std::size_t offset = 0; offset < piece.size();) {
    const std::size_t begin = offset;
    next_code_point(piece, offset);
    std::string character = begin == 0 ? std::string() : prefix_;
    character.append(piece.substr(begin, offset - begin));
    if (offset == piece.size()) character += suffix_;
    if (const auto id = id_of(character)) {
      release();
      ids.push_back(static_cast<std::int32_t>(*id));
    } else if (!(byte_fallback_ && append_bytes(character, ids)) && unknown_) {
      if (!fuse_unknown_) release();
      held_back = true;
    }
  }
  release();
  return ids;
}

/// Appends "<0x41>"-like tokens for every byte; false, and nothing appended, when one of them is not in the vocabulary.
bool Bpe::append_bytes(std::string_view character, std::vector<std::int32_t>& ids) const {
  std::vector<std::int32_t> bytes;
  for (const char byte : character) {
    char token[8];
    std::snprintf(token, sizeof token, "<0x%02X>", static_cast<unsigned char>(byte));
    const auto id = id_of(token);
    if (!id) return false;
    bytes.push_back(static_cast<std::int32_t>(*id));
  }
  ids.insert(ids.end(), bytes.begin(), bytes.end());
  return true;
}

/// Applies the merge of lowest rank, leftmost first, until none applies. A merge changes two neighbouring pairs; pairs
/// that are gone stay in the queue and are recognised because the symbols there have changed.
std::vector<std::int32_t> Bpe::merged(const std::vector<std::int32_t>& ids) const {
  struct Candidate {
    std::int32_t rank;
    std::int32_t position;
    std::int32_t left, right, joined;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  const auto count = static_cast<std::int32_t>(ids.size());
  std::vector<Symbol> symbols(ids.size());
  for (std::int32_t i = 0; i < count; ++i) symbols[i] = {ids[i], i - 1, i + 1 < count ? i + 1 : kNone};
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto propose = [&](std::int32_t position) {
    if (position == kNone || symbols[position].next == kNone) return;
    const std::int32_t left = symbols[position].id, right = symbols[symbols[position].next].id;
    const auto merge = merges_.find(pair_key(left, right));
    if (merge != merges_.end()) queue.push({merge->second.rank, position, left, right, merge->second.id});
  };
  for (std::int32_t i = 0; i < count; ++i) propose(i);

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.position];
    if (left.id != best.left || left.next == kNone || symbols[left.next].id != best.right) continue;
    Symbol& right = symbols[left.next];
    left.id = best.joined;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNone) symbols[left.next].previous = best.position;
    propose(left.previous);
    propose(best.position);
  }

  std::vector<std::int32_t> result;
  for (const Symbol& symbol : symbols)
    if (symbol.id != kNone) result.push_back(symbol.id);
  return result;
}

}  // namespace reelfarm::tokenizers::detail
