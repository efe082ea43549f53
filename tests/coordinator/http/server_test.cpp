// The server against clients that send what no browser would.
#include "coordinator/http/server.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>

#include "coordinator/http/errors.hpp"
#include "coordinator/http/guard.hpp"
#include "tests/coordinator/http/raw_client.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::http {
namespace {

using test::ask;
using test::post;
using test::RawAnswer;
using test::RawClient;
using testing::HasSubstr;

const std::string kSecret = "a-token-for-tests-only";

class HttpServer : public testing::Test {
 protected:
  void serve(ServerOptions options = {}) {
    Router router;
    const auto text = [](std::string body) {
      Reply reply;
      reply.type = "text/plain";
      reply.body = std::move(body);
      return reply;
    };
    router.add(Method::get, "/open", Access::open, [=](const Request&) { return text("open"); });
    router.add(Method::get, "/names/{name}", Access::token,
               [=](const Request& request) { return text(request.places.at("name") + request.text("x")); });
    router.add(Method::get, "/file", Access::token, [this](const Request&) {
      Reply reply;
      reply.type = "text/plain";
      reply.file = FileBody{folder_.path() / "file"};
      return reply;
    });
    router.add(Method::post, "/echo", Access::token, [this, text](const Request& request) {
      ++posts_;
      return text(request.body(1000));
    });
    router.add(Method::get, "/stream", Access::token, [](const Request&) {
      Reply reply;
      reply.type = "text/event-stream";
      reply.stream = [left = 3]() mutable -> std::optional<std::string> {
        if (left-- == 0) return std::nullopt;
        return "piece\n";
      };
      return reply;
    });
    router.add(Method::get, "/broken", Access::open,
               [](const Request&) -> Reply { throw std::runtime_error("it broke"); });
    server_ = std::make_unique<Server>(std::move(options), std::move(router));
    server_->start();
  }
  const Address& at() const { return server_->address(); }
  RawAnswer send(const std::string& bytes) const {
    RawClient client(at());
    client.send(bytes);
    return client.answer();
  }

  test::TemporaryFolder folder_;
  std::atomic<int> posts_{0};
  std::unique_ptr<Server> server_;
};

TEST_F(HttpServer, AnswersWithItsSecurityHeaders) {
  serve();
  const RawAnswer answer = ask(at(), "/names/a%20b?x=%21");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "a b!");
  EXPECT_THAT(answer.headers.at("content-security-policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  EXPECT_EQ(ask(at(), "/nothing").status, 404);
  EXPECT_EQ(post(at(), "/open", "").status, 405);
  EXPECT_EQ(send("PUT /open HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 405);
  EXPECT_EQ(send("DELETE /open HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 405);
  const RawAnswer broken = ask(at(), "/broken");
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body, R"({"error":"it broke"})");
}

TEST_F(HttpServer, RefusesPathsThatLeaveIt) {
  serve();
  for (const char* target : {"/names/..", "/names/%2e%2e", "/names/..%2f..%2fetc", "/names/a%00b", "/names/a%0d%0ab",
                             "//names/a", "/names/%ff"}) {
    EXPECT_EQ(ask(at(), target).status, 400) << target;
  }
  EXPECT_EQ(ask(at(), "/names/" + std::string(300, 'a')).status, 400);
  EXPECT_EQ(ask(at(), "/" + std::string(10000, 'a')).status, 414);
  EXPECT_EQ(ask(at(), "/names/a", {"Range: bytes=" + std::string(7000, '9')}).status, 416);
}

TEST_F(HttpServer, KeepsAConnectionAndAnswersInOrder) {
  serve();
  RawClient client(at());
  client.send("GET /names/one HTTP/1.1\r\nHost: localhost\r\n\r\nGET /names/two HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer().body, "one");
  EXPECT_EQ(client.answer().body, "two");
}

TEST_F(HttpServer, TakesABodyOnlyAsAnnounced) {
  ServerOptions options;
  options.max_body = 2000;
  serve(std::move(options));
  EXPECT_EQ(post(at(), "/echo", "hello").body, "hello");
  EXPECT_EQ(post(at(), "/echo", std::string(1001, 'x')).status, 413);
  EXPECT_EQ(post(at(), "/echo", std::string(2001, 'x')).status, 413);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_EQ(send(head + "\r\n").status, 411);
  EXPECT_EQ(send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").status, 411);
  EXPECT_EQ(send(head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello").status, 411);
  EXPECT_EQ(send(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello").status, 411);
  EXPECT_EQ(send(head + "Content-Length: -5\r\n\r\nhello").status, 400);
  EXPECT_EQ(posts_, 2);  // of the refused ones only the one that read and found too much
}

TEST_F(HttpServer, NeverTakesABodyForTheNextRequest) {
  serve();
  const std::string hidden = "GET /names/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string length = "Content-Length: " + std::to_string(hidden.size()) + "\r\n\r\n";
  for (const char* line : {"GET /open HTTP/1.1\r\n", "POST /nothing HTTP/1.1\r\n", "PUT /open HTTP/1.1\r\n"}) {
    RawClient client(at());
    client.send(line + std::string("Host: localhost\r\n") + length + hidden);
    const RawAnswer answer = client.answer();
    EXPECT_NE(answer.status, 0) << line;
    EXPECT_EQ(answer.headers.at("connection"), "close") << line;
    EXPECT_TRUE(client.ends()) << line;
  }
}

TEST_F(HttpServer, SendsFilesAndTheirRanges) {
  serve();
  std::string content;
  for (int i = 0; i < 30000; ++i) content += std::to_string(i) + " ";
  std::ofstream(folder_.path() / "file") << content;
  const RawAnswer whole = ask(at(), "/file");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, content);
  EXPECT_EQ(whole.headers.at("accept-ranges"), "bytes");
  const RawAnswer part = ask(at(), "/file", {"Range: bytes=100-70000"});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, content.substr(100, 69901));
  EXPECT_EQ(part.headers.at("content-range"), "bytes 100-70000/" + std::to_string(content.size()));
  const RawAnswer beyond = ask(at(), "/file", {"Range: bytes=" + std::to_string(content.size()) + "-"});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.headers.at("content-range"), "bytes */" + std::to_string(content.size()));
  std::filesystem::remove(folder_.path() / "file");
  EXPECT_EQ(ask(at(), "/file").status, 404);
  std::filesystem::create_symlink("/etc/passwd", folder_.path() / "file");
  EXPECT_EQ(ask(at(), "/file").status, 404);
}

TEST_F(HttpServer, StreamsPieceByPiece) {
  serve();
  RawClient client(at());
  client.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string all = client.read_until("\r\n0\r\n");
  EXPECT_THAT(all, HasSubstr("text/event-stream"));
  EXPECT_THAT(all, HasSubstr("6\r\npiece\n\r\n6\r\npiece\n\r\n6\r\npiece\n\r\n0\r\n"));
}

TEST_F(HttpServer, WantsTheTokenWhereThereIsOne) {
  ServerOptions options;
  options.token = Token(kSecret);
  serve(std::move(options));
  EXPECT_EQ(ask(at(), "/open").status, 200);
  EXPECT_EQ(ask(at(), "/names/a").status, 401);
  EXPECT_EQ(post(at(), "/echo", "x").status, 401);
  EXPECT_EQ(posts_, 0);
  EXPECT_EQ(ask(at(), "/names/a", {"Authorization: Bearer " + kSecret}).status, 200);
  EXPECT_EQ(post(at(), "/echo", "x", {"Authorization: Bearer " + kSecret}).status, 200);
  EXPECT_EQ(ask(at(), "/names/a", {"Authorization: Bearer " + kSecret + "x"}).status, 401);
  EXPECT_EQ(ask(at(), "/names/a", {"Authorization: Basic " + kSecret}).status, 401);
  const std::string name(kSessionCookie);
  EXPECT_EQ(ask(at(), "/names/a", {"Cookie: other=1; " + name + "=" + Token(kSecret).session()}).status, 200);
  EXPECT_EQ(ask(at(), "/names/a", {"Cookie: " + name + "=" + kSecret}).status, 401);
  EXPECT_EQ(ask(at(), "/names/a", {"Cookie: " + name + "="}).status, 401);
}

TEST_F(HttpServer, RefusesPagesFromElsewhere) {
  serve();
  EXPECT_EQ(send("GET /open HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  EXPECT_EQ(send("GET /open HTTP/1.1\r\n\r\n").status, 421);
  EXPECT_EQ(send("GET /open HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n").status, 200);
  EXPECT_EQ(send("GET /open HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n").status, 200);
  EXPECT_EQ(post(at(), "/echo", "x", {"Origin: http://evil.example"}).status, 403);
  EXPECT_EQ(post(at(), "/echo", "x", {"Origin: null"}).status, 403);
  EXPECT_EQ(post(at(), "/echo", "x", {"Sec-Fetch-Site: cross-site"}).status, 403);
  EXPECT_EQ(post(at(), "/echo", "x", {"Origin: http://localhost", "Sec-Fetch-Site: same-origin"}).status, 200);
}

TEST_F(HttpServer, ListensBeyondThisMachineOnlyWithAToken) {
  ServerOptions options;
  options.listen = parse_address("0.0.0.0:0");
  EXPECT_THROW(serve(options), SetupError);
  options.token = Token(kSecret);
  serve(options);
  EXPECT_EQ(ask(at(), "/open").status, 200);
  ServerOptions second = options;
  second.listen = at();
  EXPECT_THROW(Server(second, Router()), SetupError);
}

TEST_F(HttpServer, IsNotStarvedBySlowClients) {
  ServerOptions options;
  options.max_connections = 4;
  options.head = std::chrono::hours(1);
  options.idle = std::chrono::hours(1);
  serve(std::move(options));
  std::vector<RawClient> slow;
  for (int i = 0; i < 40; ++i) {
    slow.emplace_back(at());
    slow.back().send("GET /open HTTP/1.1\r\nHost: loc");
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(at(), "/open").status, 200);
  // The last of them still have their connection and may go on.
  slow.emplace_back(at());
  slow.back().send("GET /open HTTP/1.1\r\nHost: loc");
  slow.back().send("alhost\r\n\r\n");
  EXPECT_EQ(slow.back().answer().status, 200);
}

TEST_F(HttpServer, CutsOffAHeadThatTricklesIn) {
  ServerOptions options;
  options.head = std::chrono::milliseconds(200);
  serve(std::move(options));
  RawClient client(at());
  // A byte at a time never lets a read time out; the head as a whole does.
  bool open = client.send("GET /open HTTP/1.1\r\nX: ");
  for (int i = 0; open && i < 100000; ++i) {
    open = client.send("a");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(open);
}

TEST_F(HttpServer, CutsOffAHeadThatIsTooLarge) {
  serve();
  RawClient client(at());
  bool open = client.send("GET /open HTTP/1.1\r\nHost: localhost\r\n");
  for (int i = 0; open && i < 100000; ++i) open = client.send("X-" + std::to_string(i) + ": y\r\n");
  client.send("\r\n");
  EXPECT_NE(client.answer().status, 200);
  EXPECT_EQ(ask(at(), "/open").status, 200);
}

TEST_F(HttpServer, StopsWhileClientsHoldConnections) {
  ServerOptions options;
  options.idle = std::chrono::hours(1);
  serve(std::move(options));
  RawClient idle(at());
  EXPECT_EQ(ask(at(), "/open").status, 200);
  server_->stop();
  EXPECT_TRUE(idle.ends());
}

}  // namespace
}  // namespace reelfarm::http
