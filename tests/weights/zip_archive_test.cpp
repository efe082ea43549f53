#include "pipeline/weights/detail/zip_archive.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/weights/detail/mapped_file.hpp"
#include "pipeline/weights/errors.hpp"
#include "tests/weights/raw_safetensors.hpp"
#include "tests/weights/raw_zip.hpp"

namespace reelfarm::weights {
namespace {

using detail::ZipArchive;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::raw_zip;
using testing::RawMember;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string refusal(const std::string& archive) {
  return message_of<WeightError>([&] { ZipArchive(bytes_of(archive), "it"); });
}

RawMember member(const std::string& name, const std::string& data) {
  RawMember made;
  made.name = name;
  made.data = data;
  return made;
}

TEST(ZipArchive, FindsStoredMembersWhereTheyLie) {
  const std::string bytes = raw_zip({member("a", "first"), member("b/c", ""), member("d", "last")});
  const ZipArchive archive(bytes_of(bytes), "it");
  EXPECT_EQ(archive.members().size(), 3U);
  EXPECT_EQ(text_of(archive.find("a")->bytes), "first");
  EXPECT_EQ(text_of(archive.find("b/c")->bytes), "");
  EXPECT_EQ(text_of(archive.find("d")->bytes), "last");
  EXPECT_EQ(archive.find("e"), nullptr);
  EXPECT_TRUE(detail::looks_like_zip(bytes_of(bytes)));
  EXPECT_TRUE(ZipArchive(bytes_of(raw_zip({})), "it").members().empty());
}

TEST(ZipArchive, ReadsMembersBeyondFourGigabytes) {
  const testing::TemporaryFolder folder;
  const auto file = folder / "large.zip";
  RawMember near = member("near", "here"), far = member("far", "beyond");
  far.header = (std::uint64_t{4} << 30) + 12345;
  far.zip64 = true;
  const std::string last = testing::local_header(far);
  const std::uint64_t directory = far.header + last.size();
  // The gap is a hole of the file: it takes no place on the disk.
  const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const auto put = [fd](const std::string& bytes, std::uint64_t at) {
    return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(bytes.size());
  };
  ASSERT_TRUE(put(testing::local_header(near), 0) && put(last, far.header) &&
              put(testing::directory({near, far}, directory, true), directory));
  ::close(fd);
  const detail::MappedFile mapping(file);
  const ZipArchive archive(mapping.bytes(), "it");
  EXPECT_EQ(text_of(archive.find("far")->bytes), "beyond");
  EXPECT_EQ(text_of(archive.find("near")->bytes), "here");
}

TEST(ZipArchive, RefusesCompressedAndEncryptedMembers) {
  RawMember deflated = member("a", "xx");
  deflated.method = 8;
  deflated.unpacked = 1 << 30;
  EXPECT_THAT(refusal(raw_zip({deflated})), AllOf(HasSubstr("\"a\""), HasSubstr("unpack to 1073741824")));
  RawMember encrypted = member("a", "xx");
  encrypted.flags = 1;
  EXPECT_THAT(refusal(raw_zip({encrypted})), HasSubstr("encrypted"));
  RawMember grown = member("a", "xx");
  grown.unpacked = 5;
  EXPECT_THAT(refusal(raw_zip({grown})), HasSubstr("2 bytes stand for 5"));
}

TEST(ZipArchive, RefusesMembersThatShareBytesOrNames) {
  const RawMember outer = member("outer", testing::local_header(member("inner", "data")));
  RawMember inner = member("inner", "data");
  inner.header = testing::local_header(member("outer", "")).size();
  EXPECT_THAT(refusal(raw_zip({outer, inner})),
              AllOf(HasSubstr("\"outer\""), HasSubstr("\"inner\""), HasSubstr("share bytes")));
  EXPECT_THAT(refusal(raw_zip({member("a", "1"), member("a", "2")})), HasSubstr("there twice"));
}

TEST(ZipArchive, RefusesADirectoryThatDoesNotFitTheFile) {
  RawMember renamed = member("a", "xx");
  renamed.local_name = "b";
  EXPECT_THAT(refusal(raw_zip({renamed})), AllOf(HasSubstr("\"a\""), HasSubstr("names \"b\"")));
  RawMember elsewhere = member("a", "xx");
  elsewhere.header = 2;
  const std::string first = testing::local_header(member("b", "yy"));
  EXPECT_THAT(refusal(first + testing::directory({elsewhere}, first.size())), HasSubstr("where the directory says"));
  elsewhere.header = 1000;
  EXPECT_THAT(refusal(first + testing::directory({elsewhere}, first.size())), HasSubstr("beyond the data"));
  const std::string good = raw_zip({member("a", "xx")});
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_THAT(refusal(good.substr(0, size)), HasSubstr("truncated")) << size;
  EXPECT_THAT(refusal(good + "more"), HasSubstr("truncated"));
  std::string counted = good;
  counted[good.size() - 12] = 2;
  counted[good.size() - 14] = 2;
  EXPECT_THAT(refusal(counted), HasSubstr("2 members announced, found 1"));
}

TEST(ZipArchive, SurvivesEveryChangedByte) {
  const std::string good = raw_zip({member("a", "first"), member("b", "second")});
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int value : {0, 1, 0x7F, 0xFF}) {
      std::string changed = good;
      changed[at] = static_cast<char>(value);
      try {
        const ZipArchive archive(bytes_of(changed), "it");
        for (const auto& [name, found] : archive.members()) {
          EXPECT_GE(reinterpret_cast<const char*>(found.bytes.data()), changed.data());
          EXPECT_LE(reinterpret_cast<const char*>(found.bytes.data()) + found.bytes.size(),
                    changed.data() + changed.size());
        }
      } catch (const WeightError&) {
      }
    }
  }
}

}  // namespace
}  // namespace reelfarm::weights
