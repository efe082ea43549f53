#include "pipeline/weights/safetensors_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "pipeline/weights/safetensors.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::size_t files_in(const TemporaryFolder& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder / "w.safetensors",
                           {{"bytes", DType::u8, {3}},
                            {"wide", DType::i64, {1}},
                            {"half", DType::f16, {2, 1}},
                            {"scalar", DType::f32, {}},
                            {"none", DType::f32, {0}}},
                           {{"made_by", "a \"test\""}});
  writer.append("bytes", bytes_of("ab"));
  writer.append("half", bytes_of("hhHH"));
  writer.append("scalar", bytes_of("ssss"));
  writer.append("wide", bytes_of("wwwwWWWW"));
  writer.append("bytes", bytes_of("c"));
  writer.finish();
  EXPECT_EQ(files_in(folder), 1u);
  const SafetensorsFile file(folder / "w.safetensors");
  EXPECT_EQ(file.metadata().at("made_by"), "a \"test\"");
  ASSERT_EQ(file.tensors().size(), 5u);
  for (const TensorInfo& tensor : file.tensors())
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % size_of(tensor.dtype), 0u) << tensor.name;
  const TensorInfo& bytes = file.tensors()[0];
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()), "abc");
}

TEST(SafetensorsWriter, LeavesTheOldFileWhenItIsNotFinished) {
  const TemporaryFolder folder;
  testing::write_text(folder / "w.safetensors", "old");
  {
    SafetensorsWriter writer(folder / "w.safetensors", {{"a", DType::u8, {3}}});
    writer.append("a", bytes_of("ab"));
    EXPECT_THAT(message_of<WeightError>([&] { writer.finish(); }), AllOf(HasSubstr("tensor a"), HasSubstr("2 of 3")));
  }
  EXPECT_EQ(files_in(folder), 1u);
  EXPECT_EQ(std::filesystem::file_size(folder / "w.safetensors"), 3u);
}

TEST(SafetensorsWriter, RefusesWrongDeclarationsAndSizes) {
  const TemporaryFolder folder;
  const auto file = folder / "w.safetensors";
  EXPECT_THROW(SafetensorsWriter(file, {{"a", DType::u8, {1}}, {"a", DType::u8, {1}}}), WeightError);
  EXPECT_THROW(SafetensorsWriter(file, {{"a", DType::u8, {-1}}}), WeightError);
  EXPECT_THROW(SafetensorsWriter(file, {{"__metadata__", DType::u8, {1}}}), WeightError);
  EXPECT_THROW(SafetensorsWriter(file, {{"a", DType::f64, {1LL << 40, 1LL << 40}}}), WeightError);
  EXPECT_THROW(SafetensorsWriter(folder / "no/such/w.safetensors", {}), WeightError);
  SafetensorsWriter writer(file, {{"a", DType::u8, {2}}});
  EXPECT_THROW(writer.append("b", bytes_of("x")), WeightError);
  EXPECT_THROW(writer.append("a", bytes_of("xyz")), WeightError);
}

TEST(SafetensorsWriter, ReportsAFileSystemThatTakesNoMore) {
  const TemporaryFolder folder;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = message_of<WeightError>([&] {
    SafetensorsWriter writer(folder / "w.safetensors", {{"a", DType::u8, {8192}}});
    writer.append("a", bytes_of(std::string(8192, 'x')));
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, AllOf(HasSubstr("w.safetensors"), HasSubstr("File too large")));
  EXPECT_EQ(files_in(folder), 0u);
}

}  // namespace
}  // namespace reelfarm::weights
