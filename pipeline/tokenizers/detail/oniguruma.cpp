// Note: Oniguruma to PCRE2.
// Tokenizer files hold patterns in Oniguruma's Ruby syntax. PCRE2 reads most of it alike; it differs in
// - \s: PCRE2 with UCP also takes U+180E, which lost White_Space in Unicode 6.3. Written out as a list here.
// - \w: PCRE2 before 10.43 leaves out marks and most connectors. Written out as properties.
// - \h: a hexadecimal digit there, a horizontal space here; [ and && inside a class nest and intersect there;
//   {,n} is a quantifier there and text here; {n,m}+ is possessive only here; (?m) means other things. Refused.
// Sources: Oniguruma doc/RE, pcre2pattern(3).
#include <string>

#include "pipeline/tokenizers/detail/regex.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

constexpr std::string_view kWhiteSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

class Translator {
 public:
  explicit Translator(const std::string& source) : source_(source) {}

  std::string run() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (c == '\\')
        escape();
      else if (in_class_)
        class_member(c);
      else
        outside(c);
    }
    if (in_class_) refuse("an unclosed class");
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw TokenizerError("tokenizers: pattern \"" + source_ + "\": " + what + " at byte " + std::to_string(at_) +
                         " is not supported");
  }

  char ahead(std::size_t count) const { return at_ + count < source_.size() ? source_[at_ + count] : '\0'; }

  void copy(std::size_t count) {
    out_.append(source_, at_, count);
    at_ += count;
  }

  void escape() {
    const char c = ahead(1);
    switch (c) {
      case 's':
      case 'S':
        return shorthand(kWhiteSpace, c == 'S');
      case 'w':
      case 'W':
        return shorthand(kWord, c == 'W');
      case 'd':
      case 'D':
      case 'n':
      case 'r':
      case 't':
      case 'f':
        return copy(2);
      case 'p':
      case 'P':
      case 'x':
        if (ahead(2) != '{') break;
        return copy_braced();
      case 'A':
      case 'z':
        if (in_class_) break;
        return copy(2);
      default:
        if (c != '\0' && kPunctuation.find(c) != std::string_view::npos) return copy(2);
    }
    refuse("escape \\" + std::string(1, c));
  }

  void shorthand(std::string_view members, bool negated) {
    if (in_class_ && negated) refuse("a negated shorthand inside a class");
    if (!in_class_) out_ += negated ? "[^" : "[";
    out_ += members;
    if (!in_class_) out_ += "]";
    at_ += 2;
  }

  void copy_braced() {
    const std::size_t close = source_.find('}', at_);
    if (close == std::string::npos) refuse("an unclosed brace");
    copy(close + 1 - at_);
  }

  void class_member(char c) {
    if (c == '[') refuse("a class inside a class");
    if (c == '&' && ahead(1) == '&') refuse("an intersection of classes");
    if (c == ']') in_class_ = false;
    copy(1);
  }

  void outside(char c) {
    if (c == '[') {
      in_class_ = true;
      copy(ahead(1) == '^' ? 2 : 1);
      if (ahead(0) == ']') refuse("an empty class");
      return;
    }
    if (c == '(' && ahead(1) == '?') return group();
    if (c == '{') return quantifier();
    copy(1);
  }

  void group() {
    for (const std::string_view form : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i)"})
      if (source_.compare(at_, form.size(), form) == 0) return copy(form.size());
    refuse("a group of this kind");
  }

  void quantifier() {
    if (ahead(1) < '0' || ahead(1) > '9') refuse("a brace that opens no quantifier");
    copy_braced();
    if (ahead(0) == '+') refuse("{n,m}+");
  }

  const std::string& source_;
  std::string out_;
  std::size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string pcre2_pattern(const std::string& oniguruma_pattern) {
  return Translator(oniguruma_pattern).run();
}

std::string escaped_pattern(std::string_view literal) {
  std::string pattern;
  for (const char c : literal) {
    if (kPunctuation.find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace reelfarm::tokenizers::detail
