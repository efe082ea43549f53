#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace reelfarm::weights::detail {

/// A file inside a zip archive, stored as it is.
struct ZipMember {
  std::span<const std::byte> bytes;
  std::uint32_t crc;  ///< CRC-32 of the bytes, 0 where the writer kept none
};

/// The directory of a zip archive whose members are all stored. It is ours and not a library's because the members are
/// used where they lie in the mapped file, and no library says where that is. Compressed members are refused: torch
/// writes none, and one could unpack to any size.
/// Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5 (zip64 included).
class ZipArchive {
 public:
  /// Checks that headers agree, and that no two members share a byte. Reads no member. `what` opens every message.
  /// Throws WeightError.
  ZipArchive(std::span<const std::byte> file, const std::string& what);

  const std::map<std::string, ZipMember, std::less<>>& members() const { return members_; }
  const ZipMember* find(std::string_view name) const;

  /// Reads the member. Throws WeightError when its bytes are not those of its check sum; one that has none passes.
  void check_crc(std::string_view name) const;

 private:
  std::string what_;
  std::map<std::string, ZipMember, std::less<>> members_;
};

/// Whether the file begins as a zip archive does.
bool looks_like_zip(std::span<const std::byte> file);

}  // namespace reelfarm::weights::detail
