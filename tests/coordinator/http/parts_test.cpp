// What the server is made of: addresses, tokens, targets, ranges.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "coordinator/http/address.hpp"
#include "coordinator/http/byte_range.hpp"
#include "coordinator/http/errors.hpp"
#include "coordinator/http/target.hpp"
#include "coordinator/http/token.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Address, IsHostAndPort) {
  EXPECT_EQ(parse_address("0.0.0.0:8080").url(), "http://0.0.0.0:8080");
  EXPECT_EQ(parse_address(":80").url(), "http://127.0.0.1:80");
  EXPECT_EQ(parse_address("9000").url(), "http://127.0.0.1:9000");
  EXPECT_EQ(parse_address("[::1]:8080").url(), "http://[::1]:8080");
  EXPECT_EQ(parse_address("farm.example:1").host, "farm.example");
  for (const char* bad : {"", "host", "host:", "host:x", "host:65536", "host:-1", "::1:8080", "[::1]", "[]:80",
                          "a b:80", "http://x:80"}) {
    EXPECT_THROW(parse_address(bad), SetupError) << bad;
  }
}

TEST(Address, KnowsWhatOnlyThisMachineReaches) {
  for (const char* near : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(parse_address(near).is_loopback()) << near;
  }
  for (const char* far : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1", "farm:1"}) {
    EXPECT_FALSE(parse_address(far).is_loopback()) << far;
  }
}

class TokenFile : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text, mode_t mode = 0600) const {
    const std::filesystem::path path = folder_.path() / "token";
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string complaint(const std::filesystem::path& path) const {
    try {
      Token::from_file(path);
    } catch (const SetupError& error) {
      return error.what();
    }
    return "";
  }
  test::TemporaryFolder folder_;
};

TEST_F(TokenFile, HoldsOneSecretLine) {
  const Token token = Token::from_file(write("0123456789abcdef\n"));
  EXPECT_TRUE(token.matches("0123456789abcdef"));
  for (const char* wrong : {"", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef\n", "0123456789abcdefg"}) {
    EXPECT_FALSE(token.matches(wrong)) << wrong;
  }
  EXPECT_FALSE(Token().matches(""));
  EXPECT_FALSE(Token().matches_session(""));
}

TEST_F(TokenFile, IsRefusedWithoutShowingIt) {
  EXPECT_THAT(complaint(folder_.path() / "none"), HasSubstr("No such file"));
  EXPECT_THAT(complaint(folder_.path()), HasSubstr("is not a file"));
  EXPECT_THAT(complaint(write("0123456789abcdef", 0604)), HasSubstr("chmod 600"));
  for (const std::string& bad : {std::string("short"), std::string(), std::string("0123456789 abcdef"),
                                 std::string("0123456789abcdef\n0123456789abcdef"), std::string(600, 'x')}) {
    const std::string text = complaint(write(bad));
    EXPECT_THAT(text, HasSubstr("one line of 16 to 512"));
    if (bad.empty()) continue;
    EXPECT_THAT(text, Not(HasSubstr(bad)));
  }
}

TEST(Hmac, IsThatOfRfc4231) {
  EXPECT_EQ(hmac_sha256("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Target, IsTakenApartBeforeItIsDecoded) {
  const Target target = parse_target("/api/jobs/j1?limit=5&name=a+b%26c&empty");
  EXPECT_THAT(target.segments, ElementsAre("api", "jobs", "j1"));
  EXPECT_EQ(target.query.at("name"), "a b&c");
  EXPECT_EQ(target.query.at("empty"), "");
  EXPECT_TRUE(parse_target("/").segments.empty());
  EXPECT_EQ(parse_target("/%C3%A4").segments.front(), "\xC3\xA4");
}

TEST(Target, HasNoTricks) {
  for (const char* bad : {"",          "x",      "http://a/b", "//",         "/a//b",    "/a/",   "/a/../b", "/./a",
                          "/%2e%2e/a", "/a%2Fb", "/a%5Cb",     "/a%00b",     "/a%0Ab",   "/a%7f", "/%",      "/%1",
                          "/%zz",      "/%C3",   "/%C0%AE",    "/%ED%A0%80", "/a?x=%00", "/a?x=%"}) {
    EXPECT_THROW(parse_target(bad), Refusal) << bad;
  }
  EXPECT_THROW(parse_target("/" + std::string(256, 'a')), Refusal);
  EXPECT_THROW(parse_target("/a?x=" + std::string(1025, 'a')), Refusal);
}

TEST(Range, IsOneOfTheFile) {
  const auto is = [](const char* header, std::uint64_t first, std::uint64_t count) {
    const auto range = parse_range(header, 100);
    return range && range->first == first && range->count == count;
  };
  EXPECT_TRUE(is("bytes=0-", 0, 100));
  EXPECT_TRUE(is("bytes=10-19", 10, 10));
  EXPECT_TRUE(is("bytes=90-1000", 90, 10));
  EXPECT_TRUE(is("bytes=-10", 90, 10));
  EXPECT_TRUE(is("bytes=-1000", 0, 100));
  EXPECT_EQ(parse_range("bytes=100-", 100)->count, 0U);
  EXPECT_EQ(parse_range("bytes=200-300", 100)->count, 0U);
  for (const char* ignored : {"", "bytes", "bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6",
                              "bytes=99999999999999999999-"}) {
    EXPECT_FALSE(parse_range(ignored, 100)) << ignored;
  }
}

}  // namespace
}  // namespace reelfarm::http
