#include "logging/log_format.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace reelfarm::logging {
namespace {

using nlohmann::json;

json parsed(std::string_view message, std::optional<int> rank = {}) {
  const auto time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'042));
  const std::string line =
      json_line({.time = time, .level = "info", .program = "worker", .message = message, .rank = rank});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return json::parse(line);
}

TEST(JsonLog, WordsAtTheFrontAreKeysAndTheRestIsTheMessage) {
  EXPECT_EQ(parsed("group=h-1 task=j0.w0003 attempt=2 released after step 3 of x=4"),
            (json{{"time", "2023-11-14T22:13:20.042Z"},
                  {"level", "info"},
                  {"program", "worker"},
                  {"pid", ::getpid()},
                  {"group", "h-1"},
                  {"task", "j0.w0003"},
                  {"job", "j0"},
                  {"window", 3},
                  {"attempt", 2},
                  {"message", "released after step 3 of x=4"}}));
  EXPECT_EQ(parsed("no words at all")["message"], "no words at all");
  EXPECT_EQ(parsed("job=j1 state=queued")["message"], "job=j1 state=queued");
  EXPECT_FALSE(parsed("task=j0.stitch done").contains("window"));
  EXPECT_EQ(parsed("task=j0.stitch done")["job"], "j0");
  EXPECT_EQ(parsed("rank 2: out of memory", 2)["rank"], 2);
}

TEST(JsonLog, NumbersAreNumbersAndIdsOfDigitsAreNot) {
  const json line = parsed("a=-3 b=007 c=12345678901234567890 d=1.5 e=0 ");
  EXPECT_EQ(line["a"], -3);
  EXPECT_EQ(line["b"], "007");
  EXPECT_EQ(line["c"], "12345678901234567890");
  EXPECT_EQ(line["d"], "1.5");
  EXPECT_EQ(line["e"], 0);
}

TEST(JsonLog, AQuotedValueComesBackWhateverIsInIt) {
  for (const std::string value :
       {"", "a b", "he said \"no\"", "back\\slash\\", "two\nlines", "x=\"1\" y=2", "\"", "\\\""}) {
    const json line = parsed("error=" + logging::quoted(value) + " state=failed");
    EXPECT_EQ(line["error"], value);
    EXPECT_EQ(line["state"], "failed");
  }
}

TEST(JsonLog, WhatOnlyLooksLikeAWordStaysText) {
  for (const std::string text : {"=3", "A=3", "a b=3", "error=\"no end", "error=\"end\"then", "2a=3"}) {
    const json line = parsed(text);
    EXPECT_EQ(line.size(), 5U) << line;
    EXPECT_EQ(line["message"], text);
  }
}

TEST(JsonLog, NoMessageTakesThePlaceOfWhatTheLogItselfSays) {
  const json line = parsed("time=1 level=x program=y pid=z message=m text");
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["program"], "worker");
  EXPECT_EQ(line["pid"], ::getpid());
  EXPECT_EQ(line["message"], "text");
}

TEST(JsonLog, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(parsed("error=\"\xff\" \xc3")["error"], "\xEF\xBF\xBD");
}

TEST(LogFormat, IsTextOrJson) {
  const auto read = [](const std::string& word) {
    std::istringstream in(word);
    Format format = Format::text;
    in >> format;
    return std::pair(!in.fail(), format);
  };
  EXPECT_EQ(read("text"), std::pair(true, Format::text));
  EXPECT_EQ(read("json"), std::pair(true, Format::json));
  EXPECT_FALSE(read("xml").first);
}

}  // namespace
}  // namespace reelfarm::logging
