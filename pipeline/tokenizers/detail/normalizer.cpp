#include "pipeline/tokenizers/detail/normalizer.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/detail/regex.hpp"
#include "pipeline/tokenizers/detail/unicode.hpp"
#include "pipeline/tokenizers/detail/utf8.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

using nlohmann::json;

std::string replace_all(const std::string& text, const Regex& pattern, const std::string& content) {
  std::string replaced;
  std::size_t copied = 0;
  for (const Span match : pattern.matches(text)) {
    replaced.append(text, copied, match.begin - copied).append(content);
    copied = match.end;
  }
  return replaced.append(text, copied);
}

std::string strip(const std::string& text, bool left, bool right) {
  std::size_t begin = text.size(), end = 0;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t at = offset;
    if (is_white_space(next_code_point(text, offset))) continue;
    begin = std::min(begin, at);
    end = offset;
  }
  if (begin >= end) return {};
  if (!left) begin = 0;
  if (!right) end = text.size();
  return text.substr(begin, end - begin);
}

Normalizer make_sequence(const json& description) {
  std::vector<Normalizer> steps;
  for (const json& step : array_at(description, "normalizers")) steps.push_back(make_normalizer(step));
  return [steps = std::move(steps)](std::string text) {
    for (const Normalizer& step : steps) text = step(std::move(text));
    return text;
  };
}

Normalizer make_replace(const json& description) {
  const json& pattern = object_at(description, "pattern");
  const std::string source =
      pattern.contains("Regex") ? text_at(pattern, "Regex") : escaped_pattern(text_at(pattern, "String"));
  return [regex = std::make_shared<const Regex>(source), content = text_at(description, "content")](
             const std::string& text) { return replace_all(text, *regex, content); };
}

Normalizer make_form(UnicodeForm form) {
  return [form](const std::string& text) { return unicode_form(text, form); };
}

}  // namespace

Normalizer make_normalizer(const json& description) {
  if (description.is_null()) return [](std::string text) { return text; };
  const std::string type = type_of(description, "normalizer");
  if (type == "Sequence") return make_sequence(description);
  if (type == "NFC") return make_form(UnicodeForm::nfc);
  if (type == "NFD") return make_form(UnicodeForm::nfd);
  if (type == "NFKC") return make_form(UnicodeForm::nfkc);
  if (type == "NFKD") return make_form(UnicodeForm::nfkd);
  if (type == "Lowercase") return [](const std::string& text) { return lower_case(text); };
  if (type == "Replace") return make_replace(description);
  if (type == "Prepend")
    return [prefix = text_at(description, "prepend")](const std::string& text) {
      return text.empty() ? text : prefix + text;
    };
  if (type == "Strip")
    return [left = flag_at(description, "strip_left", true), right = flag_at(description, "strip_right", true)](
               const std::string& text) { return strip(text, left, right); };
  throw TokenizerError(
      "normalizer \"" + type +
      "\" is not supported; known: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip");
}

}  // namespace reelfarm::tokenizers::detail
