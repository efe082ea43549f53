#include "pipeline/weights/detail/zip_archive.hpp"

#include <algorithm>
#include <boost/crc.hpp>
#include <vector>

#include "pipeline/weights/detail/byte_reader.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr std::uint64_t kLocalBytes = 30, kEndBytes = 22, kLocator64Bytes = 20, kEnd64Bytes = 56;
constexpr std::uint64_t kLongestComment = 0xFFFF;
constexpr std::uint16_t kFull16 = 0xFFFF;      // the number is in the zip64 part
constexpr std::uint32_t kFull32 = 0xFFFFFFFF;  // the number is in the zip64 part
constexpr std::uint16_t kZip64Extra = 0x0001;
constexpr std::uint16_t kEncrypted = 1;

struct Directory {
  std::uint64_t begin, end, entries;
};

struct Entry {
  std::string name;
  std::uint16_t flags, method;
  std::uint32_t crc;
  std::uint64_t stored, size, header;  // bytes in the file, bytes unpacked, where the local header is
  std::uint64_t end = 0;               // where its data ends
};

template <typename Number>
Number number_at(std::span<const std::byte> file, std::uint64_t position) {
  Number value;
  std::memcpy(&value, file.data() + position, sizeof value);
  return value;
}

/// The end record is the last thing in the file but for a comment, whose length it gives.
std::uint64_t find_end(std::span<const std::byte> file, const std::string& what) {
  if (file.size() >= kEndBytes) {
    const std::uint64_t last = file.size() - kEndBytes;
    const std::uint64_t first = last - std::min(last, kLongestComment);
    for (std::uint64_t at = last + 1; at-- > first;)
      if (number_at<std::uint32_t>(file, at) == kEndSignature &&
          number_at<std::uint16_t>(file, at + 20) == file.size() - at - kEndBytes)
        return at;
  }
  throw WeightError(what + ": a zip archive without the directory at its end (" + std::to_string(file.size()) +
                    " bytes): truncated, fetch it again");
}

Directory read_end(std::span<const std::byte> file, const std::string& what) {
  const std::uint64_t at = find_end(file, what);
  ByteReader reader(file, what + ": end of the zip directory", at + 4);
  const auto disk = reader.number<std::uint16_t>(), first_disk = reader.number<std::uint16_t>();
  const auto here = reader.number<std::uint16_t>(), entries = reader.number<std::uint16_t>();
  const auto size = reader.number<std::uint32_t>(), begin = reader.number<std::uint32_t>();
  if (disk != 0 || first_disk != 0 || here != entries) reader.fail("the archive is one part of several");
  Directory directory{begin, std::uint64_t{begin} + size, entries};
  std::uint64_t end = at;
  if (entries == kFull16 || size == kFull32 || begin == kFull32) {
    if (at < kLocator64Bytes || number_at<std::uint32_t>(file, at - kLocator64Bytes) != kLocator64Signature)
      reader.fail("the zip64 record that it names is missing");
    const auto end64 = number_at<std::uint64_t>(file, at - kLocator64Bytes + 8);
    ByteReader large(file, what + ": zip64 end record", end64);
    if (large.number<std::uint32_t>() != kEnd64Signature || large.number<std::uint64_t>() + 12 < kEnd64Bytes)
      large.fail("not at byte " + std::to_string(end64) + ", where its locator says");
    large.run(12);  // versions, disks
    const auto here64 = large.number<std::uint64_t>();
    directory.entries = large.number<std::uint64_t>();
    if (here64 != directory.entries) large.fail("the archive is one part of several");
    const auto size64 = large.number<std::uint64_t>();
    directory.begin = large.number<std::uint64_t>();
    if (size64 > file.size() || directory.begin > file.size() - size64) large.fail("the directory is beyond the file");
    directory.end = directory.begin + size64;
    end = end64;
  }
  if (directory.end > end)
    throw WeightError(what + ": the zip directory [" + std::to_string(directory.begin) + ", " +
                      std::to_string(directory.end) + ") reaches beyond byte " + std::to_string(end));
  return directory;
}

/// Fills in what did not fit in 32 bits, in the order in which the extra field keeps it.
void read_zip64_extra(std::span<const std::byte> extra, Entry& entry, const std::string& what) {
  ByteReader reader(extra, what + ": extra field");
  while (reader.remaining() >= 4) {
    const auto id = reader.number<std::uint16_t>(), size = reader.number<std::uint16_t>();
    ByteReader field(reader.run(size), what + ": zip64 extra field");
    if (id != kZip64Extra) continue;
    for (std::uint64_t* value : {&entry.size, &entry.stored, &entry.header})
      if (*value == kFull32) *value = field.number<std::uint64_t>();
    return;
  }
}

Entry read_entry(ByteReader& reader) {
  if (reader.number<std::uint32_t>() != kCentralSignature)
    reader.fail("no entry at byte " + std::to_string(reader.position() - 4));
  reader.run(4);  // versions
  Entry entry{};
  entry.flags = reader.number<std::uint16_t>();
  entry.method = reader.number<std::uint16_t>();
  reader.run(4);  // time, date
  entry.crc = reader.number<std::uint32_t>();
  entry.stored = reader.number<std::uint32_t>();
  entry.size = reader.number<std::uint32_t>();
  const auto name = reader.number<std::uint16_t>(), extra = reader.number<std::uint16_t>();
  const auto comment = reader.number<std::uint16_t>();
  reader.run(8);  // disk, attributes
  entry.header = reader.number<std::uint32_t>();
  entry.name = reader.text(name);
  read_zip64_extra(reader.run(extra), entry, reader.what() + ": " + shown(entry.name));
  reader.run(comment);
  return entry;
}

void check_stored(const Entry& entry, const std::string& what) {
  if ((entry.flags & kEncrypted) != 0) throw WeightError(what + " is encrypted");
  if (entry.method != 0)
    throw WeightError(
        what + " is compressed (method " + std::to_string(entry.method) + ", " + std::to_string(entry.stored) +
        " bytes that unpack to " + std::to_string(entry.size) +
        "); torch.save stores its members as they are, torch.jit.save and other programs do not: save the tensors "
        "again");
  if (entry.stored != entry.size)
    throw WeightError(what + ": stored, but " + std::to_string(entry.stored) + " bytes stand for " +
                      std::to_string(entry.size));
}

/// The member's bytes, behind a local header that must name it as the directory does.
std::span<const std::byte> find_data(std::span<const std::byte> file, const Directory& directory, Entry& entry,
                                     const std::string& what) {
  if (entry.header > directory.begin || directory.begin - entry.header < kLocalBytes)
    throw WeightError(what + ": its header at byte " + std::to_string(entry.header) + " is beyond the data");
  ByteReader local(file.first(directory.begin), what + ": local header", entry.header);
  if (local.number<std::uint32_t>() != kLocalSignature)
    local.fail("not at byte " + std::to_string(entry.header) + ", where the directory says");
  local.run(22);
  const auto name = local.number<std::uint16_t>(), extra = local.number<std::uint16_t>();
  if (const std::string_view found = local.text(name); found != entry.name)
    local.fail("names " + shown(std::string(found)));
  local.run(extra);
  const auto data = local.run(entry.size);
  entry.end = local.position();
  return data;
}

}  // namespace

bool looks_like_zip(std::span<const std::byte> file) {
  if (file.size() < 4) return false;
  const auto signature = number_at<std::uint32_t>(file, 0);
  return signature == kLocalSignature || signature == kEndSignature;
}

ZipArchive::ZipArchive(std::span<const std::byte> file, const std::string& what) : what_(what) {
  const Directory directory = read_end(file, what);
  ByteReader reader(file.first(directory.end), what + ": zip directory", directory.begin);
  std::vector<Entry> entries;
  while (reader.remaining() > 0) {
    Entry entry = read_entry(reader);
    const std::string member = what + ": zip member " + shown(entry.name);
    check_stored(entry, member);
    const auto data = find_data(file, directory, entry, member);
    if (!members_.emplace(entry.name, ZipMember{data, entry.crc}).second) throw WeightError(member + " is there twice");
    entries.push_back(std::move(entry));
  }
  if (entries.size() != directory.entries)
    reader.fail(std::to_string(directory.entries) + " members announced, found " + std::to_string(entries.size()));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.header < b.header; });
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (entries[i].header < entries[i - 1].end)
      throw WeightError(what + ": zip members " + shown(entries[i - 1].name) + " and " + shown(entries[i].name) +
                        " share bytes");
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  const auto it = members_.find(name);
  return it == members_.end() ? nullptr : &it->second;
}

void ZipArchive::check_crc(std::string_view name) const {
  const ZipMember& member = members_.find(name)->second;
  // torch.serialization.set_crc32_options(False) leaves zeros.
  if (member.crc == 0) return;
  boost::crc_32_type crc;
  crc.process_bytes(member.bytes.data(), member.bytes.size());
  if (crc.checksum() != member.crc)
    throw WeightError(what_ + ": zip member " + shown(std::string(name)) + ": its CRC-32 is " +
                      std::to_string(crc.checksum()) + ", expected " + std::to_string(member.crc) +
                      ": damaged, fetch the file again");
}

}  // namespace reelfarm::weights::detail
