#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "worker/protocol/line_channel.hpp"
#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {
namespace {

std::filesystem::path socket_place(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("rf-" + std::to_string(::getpid()) + name);
}

template <typename T>
T round_trip(const T& message) {
  return std::get<T>(decode(encode(message)));
}

TEST(Messages, EveryFieldOfAnOrderSurvives) {
  TaskOrder order;
  order.task = "jx.w0003";
  order.job = "jx";
  order.kind = "window";
  order.window = 3;
  order.take = 2;
  order.attempt = 9;
  order.nonce = "n0";
  order.folder = "jobs/jx/windows";
  order.artifact_key = "ef";
  order.prompt = "line\nbreak, \"quotes\", \xE2\x9C\x93";
  order.image = "/a b/c.png";
  order.image_sha256 = "ab";
  order.tail = "/t";
  order.tail_sha256 = "cd";
  order.width = 960;
  order.height = 544;
  order.steps = 4;
  order.shift = 5.0;
  order.guidance = 6.5;
  order.seed = 0xFFFFFFFFFFFFFFFFull;
  order.num_latents = 31;
  order.overlap_latents = 2;
  order.tail_latents = 2;
  order.first_frame = 120;
  const std::string line = encode(order);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(encode(round_trip(order)), line);
  EXPECT_EQ(round_trip(order).seed, order.seed);
  EXPECT_EQ(round_trip(order).prompt, order.prompt);
}

TEST(Messages, ReportsSurvive) {
  EXPECT_EQ(round_trip(Tick{"t", "decode", 4, 4, 0.25}).fraction, 0.25);
  EXPECT_EQ(round_trip(Done{"t", {"p", "s", 7, 121}, "{\"a\":1}"}).file.frames, 121);
  EXPECT_EQ(round_trip(StopOrder{"t", false}).drain, false);
  EXPECT_TRUE(std::holds_alternative<ShutdownOrder>(decode(encode(ShutdownOrder{}))));
}

TEST(Messages, TextThatIsNotUtf8StillArrives) {
  EXPECT_FALSE(round_trip(Failed{"t", "internal", "bad \xFF byte"}).message.empty());
}

TEST(Messages, WhatIsNotAMessageIsRefusedWithItsText) {
  for (const std::string& line :
       std::vector<std::string>{"", "nonsense", "{}", "[1]", R"({"type":"dance"})", R"({"type":"stop","task":"t"})",
                                R"({"type":"stop","task":5,"drain":true})"}) {
    EXPECT_THROW(decode(line), ProtocolError) << line;
  }
}

TEST(Messages, ANumberThatIsNoIntegerOrDoesNotFitIsNamed) {
  const std::string good = encode(Released{"t", 3});
  const auto with_step = [&](const std::string& number) {
    std::string line = good;
    return line.replace(line.find(":3") + 1, 1, number);
  };
  EXPECT_EQ(std::get<Released>(decode(with_step("-7"))).step, -7);
  for (const std::string number : {"1e20", "1.5", "3000000000", "18446744073709551615"}) {
    try {
      decode(with_step(number));
      ADD_FAILURE() << number;
    } catch (const ProtocolError& error) {
      EXPECT_NE(std::string(error.what()).find("'step' = "), std::string::npos) << error.what();
    }
  }
  std::string negative = encode(Done{"t", {"p", "s", 7, 121}, "{}"});
  EXPECT_THROW(decode(negative.replace(negative.find(":7") + 1, 1, "-7")), ProtocolError);
}

TEST(LineChannel, CarriesLinesInBothDirectionsWhateverTheirPieces) {
  Listener listener(socket_place("a"));
  LineChannel client = LineChannel::connect(listener.path());
  auto server = listener.accept();
  ASSERT_TRUE(server);
  const std::string longer(3'000, 'x');
  ASSERT_TRUE(client.send("one"));
  ASSERT_TRUE(client.send(longer));
  ASSERT_TRUE(server->receive());
  EXPECT_EQ(server->next_line(), "one");
  EXPECT_EQ(server->next_line(), longer);
  EXPECT_EQ(server->next_line(), std::nullopt);
  ASSERT_TRUE(server->send("back"));
  ASSERT_TRUE(client.receive());
  EXPECT_EQ(client.next_line(), "back");
}

TEST(LineChannel, LinesSentBeforeThePeerLeftAreStillThere) {
  Listener listener(socket_place("b"));
  std::optional<LineChannel> server;
  {
    LineChannel client = LineChannel::connect(listener.path());
    server = listener.accept();
    ASSERT_TRUE(server);
    client.send("last words");
  }
  EXPECT_FALSE(server->receive());
  EXPECT_EQ(server->next_line(), "last words");
  // The first write to a closed peer may still be taken by the kernel; the second cannot.
  EXPECT_FALSE(server->send("x") && server->send("y"));
}

TEST(LineChannel, ConnectingToNobodyNamesTheSocket) {
  try {
    LineChannel::connect(socket_place("nobody"));
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("nobody"), std::string::npos);
  }
}

TEST(Listener, APathThatIsTooLongIsNamed) {
  EXPECT_THROW(Listener(std::filesystem::path("/tmp") / std::string(200, 'p')), std::system_error);
}

}  // namespace
}  // namespace reelfarm::worker
