#include "coordinator/http/server.hpp"

#include <httplib.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <thread>

#include "coordinator/http/connections.hpp"
#include "coordinator/http/errors.hpp"
#include "coordinator/http/guard.hpp"
#include "coordinator/http/reply_writer.hpp"
#include "logging/log_format.hpp"

namespace reelfarm::http {
namespace {

/// What one connection's thread is at. httplib shows handlers neither the stream nor the target as it came.
struct Current {
  SocketStream* stream = nullptr;
  std::string target;
  bool last = false;  ///< the connection ends with this request
};
thread_local Current* current = nullptr;
/// Set on the accepting thread for a connection that is one too many.
thread_local bool refusing = false;

Request read_head(const httplib::Request& raw) {
  Request request;
  request.method = raw.method == "POST" ? Method::post : Method::get;
  for (const auto& [name, value] : raw.headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[lower] = value;
  }
  return request;
}

/// The announced length of a body; it must be announced, once, in digits: everything else is how requests are smuggled
/// (RFC 9112, 11.2).
std::uint64_t body_length(const httplib::Request& raw, std::uint64_t limit) {
  if (raw.has_header("Transfer-Encoding") || raw.get_header_value_count("Content-Length") != 1) {
    throw Refusal(411, "a POST needs one Content-Length and no Transfer-Encoding");
  }
  const std::string digits = raw.get_header_value("Content-Length");
  constexpr std::size_t kMaxDigits = 18;
  if (digits.empty() || digits.size() > kMaxDigits ||
      !std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
    throw Refusal(400, "Content-Length is not a number");
  }
  const std::uint64_t length = std::stoull(digits);
  if (length > limit) throw Refusal(413, "the body is larger than " + std::to_string(limit) + " bytes");
  return length;
}

/// httplib owns the queue that it is given; the connections outlive it.
class Queue : public httplib::TaskQueue {
 public:
  explicit Queue(Connections& connections) : connections_(connections) {}
  void enqueue(std::function<void()> serve) override {
    if (connections_.enqueue(serve)) return;
    refusing = true;
    serve();
    refusing = false;
  }
  void shutdown() override { connections_.stop(); }

 private:
  Connections& connections_;
};

}  // namespace

struct Server::Impl : httplib::Server {
  Impl(ServerOptions given, Router table) : options(std::move(given)), router(std::move(table)) {
    limits.idle = options.idle;
    limits.head = options.head;
    limits.stall = options.stall;
    new_task_queue = [this] { return new Queue(connections); };
    // Without SO_REUSEPORT, which httplib would set: a second server on the port must hear that it is taken.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_tcp_nodelay(true);
    set_payload_max_length(options.max_body);
    // Every request has the path "/" by then: the true one is ours to take apart.
    set_pre_routing_handler(
        [this](const httplib::Request& raw, httplib::Response& response) { return before_body(raw, response); });
    Post("/", [this](const httplib::Request& raw, httplib::Response& response, const httplib::ContentReader& reader) {
      const std::uint64_t length = body_length(raw, options.max_body);
      current->stream->expect_body(length);
      answer(raw, response, length, [&](const std::function<bool(std::string_view)>& take) {
        return reader([&](const char* data, std::size_t size) { return take({data, size}); });
      });
    });
  }

  /// Answers all but a POST that may come in: its body is read by a handler.
  HandlerResponse before_body(const httplib::Request& raw, httplib::Response& response) {
    if (raw.method == "GET" || raw.method == "HEAD") {
      answer(raw, response, 0, {});
      return HandlerResponse::Handled;
    }
    try {
      if (raw.method != "POST") throw Refusal(405, "only GET, HEAD and POST are possible");
      body_length(raw, options.max_body);
      Request request = read_head(raw);
      admit(request);
      return HandlerResponse::Unhandled;
    } catch (const Refusal& refusal) {
      write_reply(error_reply(refusal.status(), refusal.what()), "", response);
      return HandlerResponse::Handled;
    }
  }

  /// Fills in the target; throws Refusal when the request may not pass.
  const Route& admit(Request& request) const {
    const Target target = parse_target(current->target);
    Router::Match match = router.match(request.method, target);
    request.path = match.route->path;
    request.places = std::move(match.places);
    request.query = target.query;
    require_allowed(request, *match.route, address, options.token);
    return *match.route;
  }

  void answer(const httplib::Request& raw, httplib::Response& response, std::uint64_t length,
              std::function<bool(const std::function<bool(std::string_view)>&)> read_body) const {
    Request request = read_head(raw);
    request.body_bytes = length;
    request.read_body = std::move(read_body);
    Reply reply;
    try {
      reply = admit(request).handler(request);
    } catch (const Refusal& refusal) {
      reply = error_reply(refusal.status(), refusal.what());
    } catch (const std::exception& error) {
      spdlog::error("page={} failed error={}", logging::quoted(request.path), logging::quoted(error.what()));
      reply = error_reply(500, error.what());
    }
    write_reply(std::move(reply), request.header("range"), response);
  }

  bool process_and_close_socket(socket_t socket) override {
    if (refusing) {
      constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      ::send(socket, kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::close(socket);
      return false;
    }
    {
      Connections::Entry entry(connections, socket);
      SocketStream stream(entry.connection(), limits);
      serve(stream);
      stream.close_gently();
    }
    ::close(socket);
    return true;
  }

  void serve(SocketStream& stream) {
    Current context;
    context.stream = &stream;
    current = &context;
    for (bool closed = false; !closed && !context.last && stream.wait_for_request();) {
      const bool served = process_request(stream, false, closed, [&](httplib::Request& raw) { prepare(raw); });
      if (!served) break;
    }
    current = nullptr;
  }

  static void prepare(httplib::Request& raw) {
    current->target = raw.target;
    raw.path = "/";
    raw.ranges.clear();
    raw.headers.erase("Accept-Encoding");
    // What has a body, read or not, is the last of its connection: nothing of it can be taken for another request.
    const bool plain = raw.method == "GET" || raw.method == "HEAD";
    if (plain && !raw.has_header("Content-Length") && !raw.has_header("Transfer-Encoding")) return;
    current->last = true;
    raw.headers.erase("Connection");
    raw.headers.emplace("Connection", "close");
  }

  ServerOptions options;
  Router router;
  StreamLimits limits;
  Address address;
  Connections connections{options.max_connections};
  std::thread accepting;
};

Server::Server(ServerOptions options, Router router)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(router))) {
  const Address& wanted = impl_->options.listen;
  if (!wanted.is_loopback() && !impl_->options.token.is_set()) {
    throw SetupError("listening on " + wanted.url() +
                     ", which other machines can reach, needs a token: --token-file FILE or REELFARM_TOKEN_FILE (one "
                     "line, chmod 600; openssl rand -hex 24 makes one)");
  }
  impl_->address = wanted;
  errno = 0;
  if (wanted.port == 0) {
    impl_->address.port = impl_->bind_to_any_port(wanted.host);
  } else if (!impl_->bind_to_port(wanted.host, wanted.port)) {
    impl_->address.port = -1;
  }
  if (impl_->address.port <= 0) {
    throw SetupError("cannot listen on " + wanted.url() + ": " +
                     (errno == 0 ? "the host has no such address" : std::strerror(errno)));
  }
}

Server::~Server() {
  stop();
}

const Address& Server::address() const {
  return impl_->address;
}

const Router& Server::router() const {
  return impl_->router;
}

void Server::start() {
  impl_->accepting = std::thread([this] { impl_->listen_after_bind(); });
  while (!impl_->is_running()) std::this_thread::yield();
}

void Server::stop() {
  if (!impl_->accepting.joinable()) return;
  impl_->httplib::Server::stop();
  impl_->accepting.join();
}

}  // namespace reelfarm::http
