#include "pipeline/tokenizers/detail/pre_tokenizer.hpp"

#include <algorithm>
#include <memory>

#include "pipeline/tokenizers/detail/byte_alphabet.hpp"
#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/detail/regex.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

using nlohmann::json;
using Pieces = std::vector<std::string>;

// Source: GPT-2 encoder.py; what ByteLevel with use_regex splits by.
constexpr const char* kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct Part {
  Span span;
  bool matched;
};

/// The matches and what lies between them, together the whole text.
std::vector<Part> parts_of(const std::string& text, const Regex& pattern, bool invert) {
  std::vector<Part> parts;
  std::size_t covered = 0;
  for (const Span match : pattern.matches(text)) {
    if (match.begin > covered) parts.push_back({{covered, match.begin}, invert});
    parts.push_back({match, !invert});
    covered = match.end;
  }
  if (covered < text.size()) parts.push_back({{covered, text.size()}, invert});
  return parts;
}

/// Joins each match to the part before it, unless that is a match as well. Parts touch, so spans only grow.
std::vector<Span> join_to_previous(const std::vector<Part>& parts) {
  std::vector<Span> spans;
  bool previous_matched = false;
  for (const Part& part : parts) {
    if (part.matched && !previous_matched && !spans.empty())
      spans.back().end = part.span.end;
    else
      spans.push_back(part.span);
    previous_matched = part.matched;
  }
  return spans;
}

std::vector<Span> join_to_next(const std::vector<Part>& parts) {
  std::vector<Span> spans;
  bool next_matched = false;
  for (std::size_t i = parts.size(); i-- > 0;) {
    const Part& part = parts[i];
    if (part.matched && !next_matched && !spans.empty())
      spans.back().begin = part.span.begin;
    else
      spans.push_back(part.span);
    next_matched = part.matched;
  }
  std::reverse(spans.begin(), spans.end());
  return spans;
}

std::vector<Span> join_equal(const std::vector<Part>& parts) {
  std::vector<Span> spans;
  bool previous_matched = false;
  for (const Part& part : parts) {
    if (part.matched == previous_matched && !spans.empty())
      spans.back().end = part.span.end;
    else
      spans.push_back(part.span);
    previous_matched = part.matched;
  }
  return spans;
}

std::vector<Span> pieces_of(const std::vector<Part>& parts, Behavior behavior) {
  if (behavior == Behavior::merged_with_previous) return join_to_previous(parts);
  if (behavior == Behavior::merged_with_next) return join_to_next(parts);
  if (behavior == Behavior::contiguous) return join_equal(parts);
  std::vector<Span> spans;
  for (const Part& part : parts)
    if (behavior == Behavior::isolated || !part.matched) spans.push_back(part.span);
  return spans;
}

Pieces split(const Pieces& pieces, const Regex& pattern, Behavior behavior, bool invert) {
  Pieces result;
  for (const std::string& piece : pieces)
    for (const Span span : pieces_of(parts_of(piece, pattern, invert), behavior))
      if (span.end > span.begin) result.push_back(piece.substr(span.begin, span.end - span.begin));
  return result;
}

Behavior behavior_of(const std::string& name) {
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  throw TokenizerError("pre_tokenizer Split: behavior \"" + name + "\" is not known");
}

PreTokenizer make_split(const json& description) {
  const json& pattern = object_at(description, "pattern");
  const std::string source =
      pattern.contains("Regex") ? text_at(pattern, "Regex") : escaped_pattern(text_at(pattern, "String"));
  return [regex = std::make_shared<const Regex>(source), behavior = behavior_of(text_at(description, "behavior")),
          invert = flag_at(description, "invert", false)](const Pieces& pieces) {
    return split(pieces, *regex, behavior, invert);
  };
}

PreTokenizer make_byte_level(const json& description) {
  auto regex = flag_at(description, "use_regex", true) ? std::make_shared<const Regex>(kByteLevelPattern) : nullptr;
  return [regex = std::move(regex), add_space = flag_at(description, "add_prefix_space", true)](Pieces pieces) {
    if (add_space)
      for (std::string& piece : pieces)
        if (!piece.starts_with(' ')) piece.insert(0, 1, ' ');
    if (regex) pieces = split(pieces, *regex, Behavior::isolated, false);
    for (std::string& piece : pieces) piece = to_byte_alphabet(piece);
    return pieces;
  };
}

PreTokenizer make_pattern(const std::string& pattern, Behavior behavior, bool invert) {
  return [regex = std::make_shared<const Regex>(pattern), behavior, invert](const Pieces& pieces) {
    return split(pieces, *regex, behavior, invert);
  };
}

PreTokenizer make_sequence(const json& description) {
  std::vector<PreTokenizer> steps;
  for (const json& step : array_at(description, "pretokenizers")) steps.push_back(make_pre_tokenizer(step));
  return [steps = std::move(steps)](Pieces pieces) {
    for (const PreTokenizer& step : steps) pieces = step(std::move(pieces));
    return pieces;
  };
}

}  // namespace

PreTokenizer make_pre_tokenizer(const json& description) {
  if (description.is_null()) return [](Pieces pieces) { return pieces; };
  const std::string type = type_of(description, "pre_tokenizer");
  if (type == "Sequence") return make_sequence(description);
  if (type == "Split") return make_split(description);
  if (type == "ByteLevel") return make_byte_level(description);
  if (type == "WhitespaceSplit") return make_pattern(R"(\s)", Behavior::removed, false);
  if (type == "Whitespace")
    return make_pattern(rust_word_class() + "+|(?:(?!" + rust_word_class() + R"()\S)+)", Behavior::removed, true);
  throw TokenizerError("pre_tokenizer \"" + type +
                       "\" is not supported; known: Sequence, Split, ByteLevel, Whitespace, WhitespaceSplit");
}

}  // namespace reelfarm::tokenizers::detail
