// A farm's queue over rediss://. Needs hiredis 1.0 or newer with libhiredis_ssl at build time, and the program openssl.
#include <gmock/gmock.h>

#include <cstdlib>

#include "posix/run_program.hpp"
#include "tests/queue/support.hpp"
#include "tests/support/fake_redis.hpp"

namespace reelfarm::queue::test {
namespace {

using reelfarm::test::FakeRedis;
using std::chrono::milliseconds;
using testing::HasSubstr;

void openssl(std::vector<std::string> words) {
  words.insert(words.begin(), "openssl");
  const posix::Ended ended = posix::run_program({.words = std::move(words), .limit = std::chrono::seconds(60)});
  if (ended.exit_code != 0) throw std::runtime_error("openssl: " + ended.errors);
}

/// Makes `owner`.key and `owner`.crt in `folder`.
void make_certificate(const std::filesystem::path& folder, const std::string& owner, std::vector<std::string> more) {
  std::vector<std::string> words = {
      "req",   "-x509",       "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-subj", "/CN=" + owner};
  words.insert(words.end(), {"-keyout", (folder / (owner + ".key")).string()});
  words.insert(words.end(), {"-out", (folder / (owner + ".crt")).string()});
  words.insert(words.end(), more.begin(), more.end());
  openssl(std::move(words));
}

/// Whom clients trust, or not, and what it gives to servers.
struct Authority {
  explicit Authority(const std::filesystem::path& place) : folder(place) {
    std::filesystem::create_directories(folder);
    make_certificate(folder, "authority", {});
  }

  /// For a server of this name: "DNS:localhost".
  void certify(const std::string& owner, const std::string& name) const {
    make_certificate(folder, owner,
                     {"-addext", "subjectAltName=" + name, "-addext", "basicConstraints=critical,CA:false", "-CA",
                      file("authority.crt"), "-CAkey", file("authority.key")});
  }
  std::string file(const std::string& name) const { return (folder / name).string(); }

  std::filesystem::path folder;
};

int free_port() {
  const FakeRedis listener([](const std::string&) { return ""; });
  return RedisUrl::parse(listener.url()).port;
}

/// A server that is reached by its socket and by TLS.
class TlsServer {
 public:
  TlsServer(const std::filesystem::path& folder, const Authority& authority, const std::string& name)
      : redis_({.directory = folder, .fsync = AppendFsync::no}),
        admin_(connection_to(redis_.url())),
        port_(free_port()) {
    authority.certify("server", name);
    admin_.command({"CONFIG", "SET", "tls-cert-file", authority.file("server.crt"), "tls-key-file",
                    authority.file("server.key"), "tls-ca-cert-file", authority.file("authority.crt"),
                    "tls-auth-clients", "no", "tls-port", std::to_string(port_)});
  }

  std::string at(const std::string& host) const { return "rediss://" + host + ":" + std::to_string(port_); }
  void command(const detail::Arguments& words) { admin_.command(words); }

 private:
  static detail::ConnectionOptions connection_to(const std::string& url) {
    detail::ConnectionOptions options;
    options.url = RedisUrl::parse(url);
    return options;
  }

  PrivateRedis redis_;
  detail::RedisConnection admin_;
  int port_;
};

StoreOptions options_for(const std::string& url) {
  StoreOptions options;
  options.url = url;
  return options;
}

std::string refusal(const std::string& url) {
  try {
    JobStore store(options_for(url));
  } catch (const ConnectionError& error) {
    return error.what();
  }
  ADD_FAILURE() << url << " was not refused";
  return {};
}

class Tls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!tls_supported()) return;
    folder_ = new TemporaryFolder;
    ours_ = new Authority(folder_->path() / "ours");
    // OpenSSL reads it once, for the first connection.
    ::setenv("SSL_CERT_FILE", ours_->file("authority.crt").c_str(), 1);
    server_ = new TlsServer(folder_->path() / "redis", *ours_, "DNS:localhost");
  }
  static void TearDownTestSuite() {
    delete server_;
    delete ours_;
    delete folder_;
  }
  void SetUp() override {
    if (!tls_supported()) GTEST_SKIP() << "this build has no TLS: hiredis has no libhiredis_ssl";
  }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline Authority* ours_ = nullptr;
  static inline TlsServer* server_ = nullptr;
};

TEST_F(Tls, AJobGoesThroughTheQueue) {
  JobStore store(options_for(server_->at("localhost")));
  const std::string job = add_job(store, 2);
  store.register_group(group_of(render_filter("g1")));
  EXPECT_EQ(must_claim(store, render_filter("g1")).task.spec.job, job);
  EXPECT_THAT(task_states(store, job), HasSubstr("w0:leased"));
}

TEST_F(Tls, AConnectionThatWasLostIsMadeAgain) {
  JobStore store(options_for(server_->at("localhost")));
  const ServerTime before = store.now();
  server_->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_GE(store.now(), before);
}

TEST_F(Tls, AServerThatDoesNotAnswerIsATimeOut) {
  StoreOptions impatient = options_for(server_->at("localhost"));
  impatient.command_timeout = milliseconds(200);
  JobStore store(impatient);
  server_->command({"CLIENT", "PAUSE", "2000", "ALL"});
  EXPECT_THROW(store.now(), TimeoutError);
  server_->command({"PING"});  // answered when the pause is over
  store.now();
}

TEST_F(Tls, ACertificateForAnotherNameIsRefused) {
  EXPECT_THAT(refusal(server_->at("127.0.0.1")),
              testing::AllOf(HasSubstr("TLS to rediss://127.0.0.1:"), HasSubstr("IP address mismatch")));
  const TlsServer other(folder_->path() / "other-redis", *ours_, "DNS:farm1");
  EXPECT_THAT(refusal(other.at("localhost")), HasSubstr("ostname mismatch"));
}

TEST_F(Tls, AnAuthorityThatIsNotOursIsRefused) {
  const Authority theirs(folder_->path() / "theirs");
  const TlsServer server(folder_->path() / "their-redis", theirs, "DNS:localhost");
  EXPECT_THAT(refusal(server.at("localhost")), HasSubstr("certificate verify failed: self-signed certificate"));
}

TEST_F(Tls, APortThatSpeaksNoTlsIsNamed) {
  const FakeRedis plain([](const std::string&) { return "-ERR unknown command\r\n"; });
  const int plain_port = RedisUrl::parse(plain.url()).port;
  EXPECT_THAT(refusal("rediss://127.0.0.1:" + std::to_string(plain_port)), HasSubstr("SSL_connect failed"));
  const FakeRedis silent([](const std::string&) { return ""; });
  const int silent_port = RedisUrl::parse(silent.url()).port;
  EXPECT_THAT(refusal("rediss://127.0.0.1:" + std::to_string(silent_port)), HasSubstr("does not answer the handshake"));
}

}  // namespace
}  // namespace reelfarm::queue::test
