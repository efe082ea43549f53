#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace reelfarm::http {

/// The secret that opens a server. It comes from a file, is compared in constant time, and is never printed: errors
/// about it name the file.
class Token {
 public:
  static constexpr std::size_t kMinLength = 16;
  static constexpr std::size_t kMaxLength = 512;

  /// No token: everybody who reaches the server may use it.
  Token() = default;
  explicit Token(std::string secret);
  /// The file's first line, of 16 to 512 visible ASCII characters. Throws SetupError: no such file, others than its
  /// owner and group may read it, too short, more than one line.
  static Token from_file(const std::filesystem::path& path);

  bool is_set() const { return !secret_.empty(); }
  bool matches(std::string_view given) const;
  /// HMAC-SHA-256 of `text` under the secret, in hexadecimal digits.
  std::string sign(std::string_view text) const;

  /// What a browser keeps instead of the secret: an HMAC of it, the same after a restart, useless once the token
  /// changes.
  const std::string& session() const { return session_; }
  bool matches_session(std::string_view given) const;

 private:
  std::string secret_;
  std::string session_;
};

/// Equal or not, in a time that depends on the length of `given` alone.
bool equal_in_constant_time(std::string_view secret, std::string_view given);

/// HMAC-SHA-256 in lower-case hexadecimal digits (RFC 2104).
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace reelfarm::http
