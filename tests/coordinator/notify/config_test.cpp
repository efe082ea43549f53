#include "coordinator/notify/config.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

namespace reelfarm::notify {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  Config read(const std::string& text) const {
    std::ofstream(folder_ / "notify.json") << text;
    return read_config(folder_ / "notify.json");
  }
  std::string complaint(const std::string& text) const {
    try {
      read(text);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "nothing is wrong";
  }
  std::string complaint_about(const std::string& receiver) const {
    return complaint("{\"receivers\": [" + receiver + "]}");
  }

  fs::path folder_ = fs::temp_directory_path() / ("rf-notify-" + std::to_string(::getpid()));
};

TEST_F(ConfigTest, SaysWhomToTellWhatAndHow) {
  std::ofstream(folder_ / "secret") << "0123456789abcdef\n";
  fs::permissions(folder_ / "secret", fs::perms::owner_read);
  const Config config = read(R"({
    // of our farm
    "stalled_minutes": 0.5,
    "receivers": [
      {"name": "ops", "webhook": "https://chat.example.org/hooks?key=1", "secret_file": "secret"},
      {"name": "ann", "mail": "ann@example.org", "events": ["finished"], "projects": ["film"]},
      {"name": "log", "command": ["/usr/bin/logger", "-t", "farm"]}
    ]})");
  EXPECT_EQ(config.patience.stalled, std::chrono::seconds(30));
  EXPECT_EQ(config.patience.idle, Patience{}.idle);
  ASSERT_EQ(config.receivers.size(), 3U);
  EXPECT_EQ(config.receivers[0].secret.sign("x"), http::hmac_sha256("0123456789abcdef", "x"));
  EXPECT_EQ(config.receivers[0].kinds.size(), 4U);
  EXPECT_THAT(config.receivers[1].command, ElementsAre("mail", "-s", "reelfarm", "ann@example.org"));
  EXPECT_TRUE(config.receivers[1].as_text);
  EXPECT_THAT(config.receivers[1].kinds, ElementsAre(NewsKind::finished));
  EXPECT_THAT(config.receivers[2].command, ElementsAre("/usr/bin/logger", "-t", "farm"));

  const Receiver& ann = config.receivers[1];
  EXPECT_TRUE(ann.wants({.kind = NewsKind::finished, .scope = "batch", .name = "b", .project = "film"}));
  EXPECT_FALSE(ann.wants({.kind = NewsKind::finished, .scope = "batch", .name = "b", .project = "other"}));
  EXPECT_FALSE(ann.wants({.kind = NewsKind::failed, .scope = "job", .name = "j", .project = "film"}));
}

TEST_F(ConfigTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(complaint("{"), HasSubstr("notify.json"));
  EXPECT_THAT(complaint("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(complaint("{}"), HasSubstr("receivers must be a list"));
  EXPECT_THAT(complaint(R"({"receivers": [], "x": 1})"), HasSubstr("unknown key 'x', known are idle_minutes"));
  EXPECT_THAT(complaint(R"({"receivers": [{"name": "a", "mail": "b"}], "idle_minutes": 0})"),
              HasSubstr("idle_minutes"));
  EXPECT_THAT(complaint_about(R"({"mail": "a"})"), HasSubstr("receiver 1: name is missing"));
  EXPECT_THAT(complaint_about(R"({"name": "a"})"), HasSubstr("receiver 1 (a): give one of"));
  EXPECT_THAT(complaint_about(R"({"name": "a", "mail": "b", "command": ["c"]})"), HasSubstr("give one of"));
  EXPECT_THAT(complaint_about(R"({"name": "a", "mail": "-x"})"), HasSubstr("is no address"));
  EXPECT_THAT(complaint_about(R"({"name": "a", "command": []})"), HasSubstr("command must be a list"));
  EXPECT_THAT(complaint_about(R"({"name": "a", "mail": "b", "events": ["ended"]})"), HasSubstr("'ended', known are"));
  EXPECT_THAT(complaint_about(R"({"name": "a", "mail": "b", "secret_file": "s"})"), HasSubstr("is for a webhook"));
  EXPECT_THAT(complaint_about(R"({"name": "a", "mail": "b"}, {"name": "a", "mail": "c"})"), HasSubstr("another 'a'"));
  for (const std::string url :
       {"ftp://a", "http://", "http://:80/", "http://me:secret@host/", "http://a b/", "chat", "http://host/#part"}) {
    EXPECT_THAT(complaint_about(R"({"name": "a", "webhook": ")" + url + "\"}"), HasSubstr("webhook must be")) << url;
  }
}

TEST_F(ConfigTest, ASecretThatOthersMayReadIsRefusedAndNotRepeated) {
  std::ofstream(folder_ / "secret") << "0123456789abcdef\n";
  fs::permissions(folder_ / "secret", fs::perms::owner_read | fs::perms::others_read);
  const std::string text = complaint_about(R"({"name": "a", "webhook": "http://h/", "secret_file": "secret"})");
  EXPECT_THAT(text, HasSubstr("secret_file"));
  EXPECT_EQ(text.find("0123456789"), std::string::npos);
}

}  // namespace
}  // namespace reelfarm::notify
