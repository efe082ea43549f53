#include "coordinator/http/token.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "coordinator/http/errors.hpp"

namespace reelfarm::http {
namespace {

constexpr std::string_view kSessionText = "reelfarm page session 1";

bool is_visible(char c) {
  return c > ' ' && c <= '~';
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int length = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), bytes.data(), &length);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

bool equal_in_constant_time(std::string_view secret, std::string_view given) {
  // Over digests of one length: neither where they differ nor how long the secret is shows in the time.
  constexpr std::string_view kKey = "compare";
  const std::string left = hmac_sha256(kKey, secret);
  const std::string right = hmac_sha256(kKey, given);
  return ::CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

Token::Token(std::string secret) : secret_(std::move(secret)), session_(hmac_sha256(secret_, kSessionText)) {}

Token Token::from_file(const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& why) -> SetupError {
    return SetupError("the token file " + path.string() + " " + why);
  };
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw refuse(std::string("cannot be read: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw refuse("is not a file");
  if ((status.st_mode & S_IRWXO) != 0) {
    throw refuse("can be read by everybody on this machine: chmod 600 " + path.string());
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxLength + 2, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file && !file.eof())) throw refuse(std::string("cannot be read: ") + std::strerror(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.size() < kMinLength || text.size() > kMaxLength || !std::all_of(text.begin(), text.end(), is_visible)) {
    throw refuse("must hold one line of " + std::to_string(kMinLength) + " to " + std::to_string(kMaxLength) +
                 " visible ASCII characters (openssl rand -hex 24 makes one)");
  }
  return Token(std::move(text));
}

std::string Token::sign(std::string_view text) const {
  return hmac_sha256(secret_, text);
}

bool Token::matches(std::string_view given) const {
  return is_set() && equal_in_constant_time(secret_, given);
}

bool Token::matches_session(std::string_view given) const {
  return is_set() && equal_in_constant_time(session_, given);
}

}  // namespace reelfarm::http
