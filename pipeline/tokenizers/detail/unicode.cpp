// Note: versions of Unicode.
// The ids must be those of the `tokenizers` library, so its tables count, not the newest ones. Its normalization
// (crate unicode-normalization-alignments) has those of Unicode 9; a mark that is younger neither moves nor joins.
// utf8proc has younger tables; here such characters are passed by as they are, and what lies between them is normalized
// on its own. Its lower case is that of Rust's standard library, Unicode 17 today; here utf8proc's, and what that lacks
// from a table. The tables were found by asking both for every code point (tokenizers 0.23.3).
#include "pipeline/tokenizers/detail/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "pipeline/tokenizers/detail/utf8.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

struct Range {
  char32_t first, last;
};

// Characters that combine, compose or decompose and came after Unicode 9, with what is as young between them.
constexpr std::array<Range, 33> kYoung{
    {{0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x1715, 0x1715},   {0x1ABF, 0x1AEB},
     {0x1DF6, 0x1DFA},   {0x32FF, 0x32FF},   {0xA7F1, 0xA7F4},   {0xA82C, 0xA82C},   {0xAB69, 0xAB69},
     {0x105C0, 0x105E4}, {0x10781, 0x107BA}, {0x10D24, 0x10D6D}, {0x10EAB, 0x10F85}, {0x11070, 0x11070},
     {0x1133B, 0x1133B}, {0x11380, 0x113E2}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11A99},
     {0x11D42, 0x11F42}, {0x1611E, 0x1612F}, {0x16D63, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1CCD6, 0x1CCF9},
     {0x1E030, 0x1E6F5}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}}};

bool is_young(char32_t code_point) {
  const auto range =
      std::lower_bound(kYoung.begin(), kYoung.end(), code_point, [](const Range& r, char32_t c) { return r.last < c; });
  return range != kYoung.end() && range->first <= code_point;
}

struct LowerCase {
  char32_t first, last, lower;  // `lower` of `first`; the others follow it
};

constexpr std::array<LowerCase, 10> kYoungLowerCase{{{0x1C89, 0x1C89, 0x1C8A},
                                                     {0xA7CB, 0xA7CB, 0x264},
                                                     {0xA7CC, 0xA7CC, 0xA7CD},
                                                     {0xA7CE, 0xA7CE, 0xA7CF},
                                                     {0xA7D2, 0xA7D2, 0xA7D3},
                                                     {0xA7D4, 0xA7D4, 0xA7D5},
                                                     {0xA7DA, 0xA7DA, 0xA7DB},
                                                     {0xA7DC, 0xA7DC, 0x19B},
                                                     {0x10D50, 0x10D65, 0x10D70},
                                                     {0x16EA0, 0x16EB8, 0x16EBB}}};

char32_t lower_case_of(char32_t code_point) {
  const auto lower = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
  if (lower != code_point) return lower;
  for (const LowerCase& row : kYoungLowerCase)
    if (row.first <= code_point && code_point <= row.last) return row.lower + (code_point - row.first);
  return code_point;
}

struct FreeBuffer {
  void operator()(utf8proc_uint8_t* buffer) const { std::free(buffer); }
};

int options_of(UnicodeForm form) {
  switch (form) {
    case UnicodeForm::nfc:
      return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    case UnicodeForm::nfd:
      return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    case UnicodeForm::nfkc:
      return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    case UnicodeForm::nfkd:
      return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
  }
  return 0;
}

void append_form(std::string& result, std::string_view text, UnicodeForm form) {
  if (text.empty()) return;
  utf8proc_uint8_t* raw = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &raw, static_cast<utf8proc_option_t>(options_of(form)));
  const std::unique_ptr<utf8proc_uint8_t, FreeBuffer> buffer(raw);
  if (size < 0) throw TokenizerError(std::string("tokenizers: normalization: utf8proc: ") + utf8proc_errmsg(size));
  result.append(reinterpret_cast<const char*>(buffer.get()), static_cast<std::size_t>(size));
}

}  // namespace

std::string unicode_form(const std::string& text, UnicodeForm form) {
  const std::string_view view = text;
  std::string result;
  std::size_t done = 0;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t at = offset;
    if (!is_young(next_code_point(text, offset))) continue;
    append_form(result, view.substr(done, at - done), form);
    result.append(view.substr(at, offset - at));
    done = offset;
  }
  append_form(result, view.substr(done), form);
  return result;
}

std::string lower_case(const std::string& text) {
  std::string lower;
  lower.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    const char32_t code_point = next_code_point(text, offset);
    // The one character whose lower case is two (SpecialCasing.txt); utf8proc maps one to one.
    if (code_point == 0x130)
      lower += "i\xCC\x87";
    else
      append_utf8(lower, lower_case_of(code_point));
  }
  return lower;
}

}  // namespace reelfarm::tokenizers::detail
