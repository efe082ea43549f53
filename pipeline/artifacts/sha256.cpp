#include "pipeline/artifacts/sha256.hpp"

#include <openssl/evp.h>

#include <array>
#include <vector>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::artifacts {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, FreeDigest> digest{EVP_MD_CTX_new()};

  void start() {
    if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) {
      throw ArtifactError("libcrypto offers no SHA-256 here");
    }
  }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  context_->start();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::uint8_t> bytes) {
  if (EVP_DigestUpdate(context_->digest.get(), bytes.data(), bytes.size()) != 1) {
    throw ArtifactError("libcrypto refused to hash " + std::to_string(bytes.size()) + " bytes");
  }
}

void Sha256::update(std::string_view bytes) {
  update(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context_->digest.get(), digest.data(), &length) != 1) {
    throw ArtifactError("libcrypto refused to finish a hash");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(std::size_t{2} * length);
  for (unsigned int i = 0; i < length; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  context_->start();
  return hex;
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  File file = File::open_to_read(path);
  std::vector<std::uint8_t> buffer(kReadBytes);
  Sha256 hash;
  while (const std::size_t count = file.read(buffer)) hash.update(std::span(buffer.data(), count));
  return hash.finish();
}

}  // namespace reelfarm::artifacts
