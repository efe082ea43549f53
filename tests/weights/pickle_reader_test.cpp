#include "pipeline/weights/detail/pickle_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/weights/detail/torch_objects.hpp"
#include "pipeline/weights/errors.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using detail::PickleReader;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

PickleReader reading(const std::string& pickle) {
  return {bytes_of(pickle), detail::TorchObjects(), "it"};
}

std::string refusal(const std::string& pickle) {
  return message_of<WeightError>([&] { reading(pickle); });
}

std::string text(const std::string& value) {
  return std::string("\x8c") + static_cast<char>(value.size()) + value;
}

TEST(PickleReader, ReadsNumbersAndContainers) {
  using namespace std::string_literals;
  const std::pair<std::string, std::int64_t> integers[] = {
      {"K\x05."s, 5},    {"M\x00\x01."s, 256},     {"J\xff\xff\xff\xff."s, -1},
      {"\x8a\x00."s, 0}, {"\x8a\x01\x80."s, -128}, {"\x8a\x06\x00\x00\x00\x00\x00\x01."s, std::int64_t{1} << 40}};
  for (const auto& [pickle, value] : integers) {
    const PickleReader reader = reading(pickle);
    ASSERT_NE(reader.root().as<std::int64_t>(), nullptr);
    EXPECT_EQ(*reader.root().as<std::int64_t>(), value);
  }
  const PickleReader number = reading("G\x3f\xf8\x00\x00\x00\x00\x00\x00."s);
  EXPECT_EQ(*number.root().as<double>(), 1.5);
  const PickleReader tuple = reading("\x80\x02(K\x01\x88N]q\x00h\x00t."s);
  const auto& items = tuple.root().as<detail::PickleTuple>()->items;
  ASSERT_EQ(items.size(), 5U);
  EXPECT_EQ(items[3], items[4]) << "what was remembered is the same object";
  const PickleReader dict = reading("}(" + text("a") + "K\x01" + text("b") + "K\x02u.");
  EXPECT_EQ(dict.root().as<detail::PickleDict>()->items.size(), 2U);
}

TEST(PickleReader, AListMayContainItself) {
  using namespace std::string_literals;
  const PickleReader reader = reading(
      "]q\x00h\x00"
      "a."s);
  const auto& list = *reader.root().as<detail::PickleList>();
  EXPECT_EQ(list.items.front(), &reader.root());
}

TEST(PickleReader, NamesOpcodesAndGlobalsThatItRefuses) {
  EXPECT_THAT(refusal("cos\nsystem\n(Vtouch x\ntR."), AllOf(HasSubstr("\"os.system\""), HasSubstr("byte 0")));
  EXPECT_THAT(refusal("cbuiltins\neval\n."), HasSubstr("\"builtins.eval\""));
  EXPECT_THAT(refusal(text("posix") + text("system") + "\x93."), HasSubstr("\"posix.system\""));
  EXPECT_THAT(refusal("(S'x'\nios\nsystem\n."), HasSubstr("STRING"));
  EXPECT_THAT(refusal("(ios\nsystem\n."), AllOf(HasSubstr("opcode 105"), HasSubstr("INST")));
  EXPECT_THAT(refusal(")\x81."), HasSubstr("NEWOBJ"));
  EXPECT_THAT(refusal("\x82\x01."), HasSubstr("EXT"));
  EXPECT_THAT(refusal("\xff."), HasSubstr("opcode 255"));
  // A name of the allow-list is not a function that anything can be done with but what torch.save does.
  EXPECT_THAT(refusal("ctorch\nFloatStorage\n)R."), HasSubstr("calls \"torch.FloatStorage\""));
  EXPECT_THAT(refusal("ctorch._utils\n_rebuild_tensor_v2\n)R."), HasSubstr("a storage expected as argument 1"));
  EXPECT_THAT(refusal("ccollections\nOrderedDict\nN\x85R."), HasSubstr("with 1 arguments"));
}

TEST(PickleReader, RefusesWhatAWholePickleCannotHave) {
  EXPECT_THAT(refusal(""), HasSubstr("truncated"));
  EXPECT_THAT(refusal("K"), HasSubstr("truncated"));
  EXPECT_THAT(refusal("."), HasSubstr("stack is empty"));
  EXPECT_THAT(refusal("NR."), HasSubstr("stack is empty"));
  EXPECT_THAT(refusal("t."), HasSubstr("no mark"));
  EXPECT_THAT(refusal("N(a."), HasSubstr("stack is empty"));
  EXPECT_THAT(refusal("Na."), HasSubstr("stack is empty"));
  EXPECT_THAT(refusal("NNa."), HasSubstr("appends to a None"));
  EXPECT_THAT(refusal("NNNs."), HasSubstr("sets items of a None"));
  EXPECT_THAT(refusal("}(Nu."), HasSubstr("a key without a value"));
  EXPECT_THAT(refusal("h\x07."), HasSubstr("nothing was remembered as 7"));
  EXPECT_THAT(refusal("]}b."), HasSubstr("sets attributes of a list"));
  EXPECT_THAT(refusal("NQ."), HasSubstr("persistent id that is a None"));
  EXPECT_THAT(refusal("\x80\x09."), HasSubstr("protocol 9"));
  EXPECT_THAT(refusal("\x8a\x09" + std::string(9, 'x') + "."), HasSubstr("an integer of 9 bytes"));
  EXPECT_THAT(refusal("X\xff\xff\xff\xff."), HasSubstr("truncated"));
  EXPECT_THAT(refusal("c" + std::string(2000, 'x') + "\n."), HasSubstr("more than 1000 letters"));
}

}  // namespace
}  // namespace reelfarm::weights
