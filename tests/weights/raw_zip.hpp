#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/weights/raw_bytes.hpp"

namespace reelfarm::weights::testing {

/// A member of a zip archive, right or wrong.
struct RawMember {
  std::string name;
  std::string data;
  std::uint64_t header = 0;  ///< where its local header goes
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::string local_name;                      ///< the same name when empty
  std::uint64_t unpacked = ~std::uint64_t{0};  ///< the data's size unless set
  bool zip64 = false;                          ///< numbers of the directory in the extra field
};

inline std::string local_header(const RawMember& member) {
  const std::string& name = member.local_name.empty() ? member.name : member.local_name;
  return RawBytes()
      .u32(0x04034b50)
      .u16(20)
      .u16(member.flags)
      .u16(member.method)
      .u32(0)
      .u32(0)
      .u32(member.data.size())
      .u32(member.data.size())
      .u16(name.size())
      .u16(0)
      .text(name)
      .text(member.data)
      .bytes;
}

inline std::string directory_entry(const RawMember& member) {
  const std::uint64_t size = member.data.size();
  const std::uint64_t unpacked = member.unpacked == ~std::uint64_t{0} ? size : member.unpacked;
  constexpr std::uint64_t kFull = 0xFFFFFFFF;
  RawBytes extra;
  if (member.zip64) extra.u16(1).u16(24).u64(unpacked).u64(size).u64(member.header);
  return RawBytes()
      .u32(0x02014b50)
      .u16(20)
      .u16(20)
      .u16(member.flags)
      .u16(member.method)
      .u32(0)
      .u32(0)
      .u32(member.zip64 ? kFull : size)
      .u32(member.zip64 ? kFull : unpacked)
      .u16(member.name.size())
      .u16(extra.bytes.size())
      .u16(0)
      .u16(0)
      .u16(0)
      .u32(0)
      .u32(member.zip64 ? kFull : member.header)
      .text(member.name)
      .text(extra.bytes)
      .bytes;
}

/// The directory of these members as it stands at `begin`, with its end records.
inline std::string directory(const std::vector<RawMember>& members, std::uint64_t begin, bool zip64 = false) {
  RawBytes raw;
  for (const RawMember& member : members) raw.text(directory_entry(member));
  const std::uint64_t size = raw.bytes.size(), count = members.size();
  if (zip64) {
    raw.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(count).u64(count).u64(size).u64(begin);
    raw.u32(0x07064b50).u32(0).u64(begin + size).u32(1);
  }
  raw.u32(0x06054b50).u16(0).u16(0).u16(zip64 ? 0xFFFF : count).u16(zip64 ? 0xFFFF : count);
  raw.u32(zip64 ? 0xFFFFFFFF : size).u32(zip64 ? 0xFFFFFFFF : begin).u16(0);
  return raw.bytes;
}

/// A whole archive; headers follow each other unless a member says where its own goes.
inline std::string raw_zip(std::vector<RawMember> members) {
  std::string bytes;
  for (RawMember& member : members) {
    if (member.header == 0) member.header = bytes.size();
    if (member.header == bytes.size()) bytes += local_header(member);
  }
  return bytes + directory(members, bytes.size());
}

}  // namespace reelfarm::weights::testing
