#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct pcre2_real_code_8;

namespace reelfarm::tokenizers::detail {

/// A half-open span of bytes.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A pattern of a tokenizer file. Such patterns are written for Oniguruma (Ruby syntax); they are rewritten for PCRE2
/// where the two differ, and refused where the rewriting would be a guess.
class Regex {
 public:
  /// Throws TokenizerError that quotes the pattern.
  explicit Regex(const std::string& oniguruma_pattern);

  /// Every match in valid UTF-8, from left to right. Throws TokenizerError when PCRE2 gives up.
  std::vector<Span> matches(std::string_view text) const;

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::string pattern_;
  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
};

/// The PCRE2 form of an Oniguruma pattern. Throws TokenizerError for constructs that are not known to mean the same.
std::string pcre2_pattern(const std::string& oniguruma_pattern);

/// What \w means in Rust's regex crate, as a class in Oniguruma's syntax.
std::string rust_word_class();

/// A pattern that matches `literal` itself.
std::string escaped_pattern(std::string_view literal);

}  // namespace reelfarm::tokenizers::detail
