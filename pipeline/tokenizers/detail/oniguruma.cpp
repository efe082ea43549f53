// Note: Oniguruma to PCRE2.
// Tokenizer files hold patterns in Oniguruma's Ruby syntax. PCRE2 reads most of it alike; it differs in
// - \s: PCRE2 with UCP also takes U+180E, which lost White_Space in Unicode 6.3. Written out as a list here.
// - \w: PCRE2 before 10.43 leaves out marks and most connectors, Oniguruma also takes six numbers of Latin-1. Written
// out.
// - \h: a hexadecimal digit there, a horizontal space here; [ and && inside a class nest and intersect there;
//   {,n} is a quantifier there and text here; {n,m}+ is possessive only here; (?m) means other things. Refused.
// - the version of Unicode: 16 there (tokenizers 0.23.3), 14 in PCRE2 10.42. Letters, marks and numbers of Unicode 15
// and
//   16 are added by hand; a younger PCRE2 has them anyway.
// The lists were found by asking both for every code point. Sources: Oniguruma doc/RE, pcre2pattern(3).
#include <initializer_list>
#include <string>
#include <string_view>

#include "pipeline/tokenizers/detail/regex.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

constexpr std::string_view kWhiteSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

constexpr std::string_view kYoungLetters =
    R"(\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85})"
    R"(\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1})"
    R"(\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446})"
    R"(\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a})"
    R"(\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
constexpr std::string_view kYoungMarks =
    R"(\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241}\x{113b8}-\x{113c0}\x{113c2}\x{113c5})"
    R"(\x{113c7}-\x{113ca}\x{113cc}-\x{113d0}\x{113d2}\x{113e1}-\x{113e2}\x{11f00}-\x{11f01}\x{11f03}\x{11f34}-\x{11f3a})"
    R"(\x{11f3e}-\x{11f42}\x{11f5a}\x{13440}\x{13447}-\x{13455}\x{1611e}-\x{1612f}\x{1e08f}\x{1e4ec}-\x{1e4ef})"
    R"(\x{1e5ee}-\x{1e5ef})";
constexpr std::string_view kYoungDigits =
    R"(\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139}\x{16d70}-\x{16d79})"
    R"(\x{1ccf0}-\x{1ccf9}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})";
constexpr std::string_view kYoungOtherNumbers = R"(\x{1d2c0}-\x{1d2d3})";
constexpr std::string_view kLatinNumbers = R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

/// Members of a class that stand for a property of Unicode 16; the property itself when it needs no addition.
std::string property_members(const std::string& property) {
  if (property == "L") return joined({R"(\p{L})", kYoungLetters});
  if (property == "M") return joined({R"(\p{M})", kYoungMarks});
  if (property == "Nd") return joined({R"(\p{Nd})", kYoungDigits});
  if (property == "N") return joined({R"(\p{N})", kYoungDigits, kYoungOtherNumbers});
  return {};
}

std::string word_members() {
  return joined({R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})", kLatinNumbers, kYoungLetters, kYoungMarks, kYoungDigits});
}

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
        return shorthand(kWhiteSpace, c == 'S', 2);
      case 'w':
      case 'W':
        return shorthand(word_members(), c == 'W', 2);
      case 'd':
      case 'D':
        return shorthand(property_members("Nd"), c == 'D', 2);
      case 'n':
      case 'r':
      case 't':
      case 'f':
        return copy(2);
      case 'p':
      case 'P':
        if (ahead(2) != '{') break;
        return property(c == 'P');
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

  void property(bool negated) {
    const std::size_t close = source_.find('}', at_);
    if (close == std::string::npos) refuse("an unclosed brace");
    const std::string members = property_members(source_.substr(at_ + 3, close - at_ - 3));
    if (members.empty()) return copy_braced();
    shorthand(members, negated, close + 1 - at_);
  }

  void shorthand(std::string_view members, bool negated, std::size_t length) {
    if (in_class_ && negated) refuse("a negated shorthand inside a class");
    if (!in_class_) out_ += negated ? "[^" : "[";
    out_ += members;
    if (!in_class_) out_ += "]";
    at_ += length;
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

std::string rust_word_class() {
  return R"([\p{Alphabetic}\p{L}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}])";
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
