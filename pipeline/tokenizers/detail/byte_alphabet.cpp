#include "pipeline/tokenizers/detail/byte_alphabet.hpp"

#include <map>

#include "pipeline/tokenizers/detail/utf8.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

struct Alphabet {
  std::array<std::string, 256> characters;
  std::map<char32_t, char> bytes;
};

Alphabet make_alphabet() {
  Alphabet alphabet;
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const char32_t code_point = printable ? byte : next++;
    append_utf8(alphabet.characters[byte], code_point);
    alphabet.bytes.emplace(code_point, static_cast<char>(byte));
  }
  return alphabet;
}

const Alphabet& alphabet() {
  static const Alphabet made = make_alphabet();
  return made;
}

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) text += alphabet().characters[static_cast<unsigned char>(byte)];
  return text;
}

std::string from_byte_alphabet(std::string_view token) {
  std::string bytes;
  for (std::size_t offset = 0; offset < token.size();) {
    const auto it = alphabet().bytes.find(next_code_point(token, offset));
    if (it == alphabet().bytes.end()) return std::string(token);
    bytes.push_back(it->second);
  }
  return bytes;
}

}  // namespace reelfarm::tokenizers::detail
