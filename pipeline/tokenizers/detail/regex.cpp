#include "pipeline/tokenizers/detail/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "pipeline/tokenizers/detail/utf8.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

struct FreeCompileContext {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

pcre2_code* compile(const std::string& source, const std::string& pattern) {
  const std::unique_ptr<pcre2_compile_context, FreeCompileContext> context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  // MULTILINE: in Ruby's syntax ^ and $ are the ends of lines.
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, context.get());
  if (code == nullptr)
    throw TokenizerError("tokenizers: pattern \"" + source + "\": PCRE2: " + pcre2_message(error) + " at byte " +
                         std::to_string(offset) + " of \"" + pattern + "\"");
  return code;
}

}  // namespace

void Regex::FreeCode::operator()(pcre2_code* code) const {
  pcre2_code_free(code);
}

Regex::Regex(const std::string& oniguruma_pattern)
    : pattern_(oniguruma_pattern), code_(compile(oniguruma_pattern, pcre2_pattern(oniguruma_pattern))) {}

std::vector<Span> Regex::matches(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  std::vector<Span> spans;
  std::size_t offset = 0;
  std::uint32_t options = PCRE2_NO_UTF_CHECK;
  while (offset <= text.size()) {
    const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), offset, options,
                                  data.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) {
      if ((options & PCRE2_NOTEMPTY_ATSTART) == 0 || offset >= text.size()) break;
      // Only an empty match began here, and it has been taken: go on behind the next character.
      next_code_point(text, offset);
      options = PCRE2_NO_UTF_CHECK;
      continue;
    }
    if (found < 0)
      throw TokenizerError("tokenizers: pattern \"" + pattern_ + "\" at byte " + std::to_string(offset) +
                           ": PCRE2: " + pcre2_message(found));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    spans.push_back({ends[0], ends[1]});
    offset = ends[1];
    options = PCRE2_NO_UTF_CHECK | (ends[0] == ends[1] ? PCRE2_NOTEMPTY_ATSTART : 0);
  }
  return spans;
}

}  // namespace reelfarm::tokenizers::detail
